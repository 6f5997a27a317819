//! One run of a virtual machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;
use vmtest::output::Output;
use vmtest::{Config, Target, VMConfig, Vmtest};

use super::machine::{self, Event, Machine};
use super::qemu::{self, Accelerator, Qemu};
use super::watch::{TICK, Watch};
use super::{DISK_SIZE, GUEST_DISK_SERIAL, GUEST_SHARE, KERNEL_ARGS, MEMORY};

/// A virtual machine with this machine's root file system, ready to boot.
pub struct Vm {
    accelerator: Accelerator,
    kernel: PathBuf,
    kernel_args: String,
    cpus: u8,
    share: PathBuf,
    qemu: Qemu,
    /// The contents of the disk.
    disk: PathBuf,
    /// Holds the share, the disk and QEMU's files; removed with this value.
    _directory: TempDir,
}

impl Vm {
    /// Prepares a machine with so many CPUs for `kernel`, a `bzImage`, and an addition to its command line.
    ///
    /// # Errors
    /// The kernel image or QEMU is missing, or there is no room for temporary files.
    pub(super) fn new(accelerator: Accelerator, kernel: &Path, kernel_args: &str, cpus: u8) -> Result<Vm> {
        qemu::version()?;
        let kernel = kernel.canonicalize().with_context(|| format!("kernel image {}", kernel.display()))?;
        let (directory, share) = machine::directory()?;
        let qemu = Qemu::new(directory.path())?;
        let disk = directory.path().join("disk");
        File::create(&disk)
            .and_then(|file| file.set_len(DISK_SIZE))
            .with_context(|| format!("creating {}", disk.display()))?;
        let kernel_args = format!("{KERNEL_ARGS} {kernel_args}");
        Ok(Vm { accelerator, kernel, kernel_args, cpus, share, qemu, disk, _directory: directory })
    }

    fn vmtest(&self, command: String) -> Result<Vmtest> {
        let mut extra_args: Vec<String> =
            self.accelerator.args(self.cpus).iter().map(|arg| arg.to_string()).collect();
        extra_args.extend(self.qemu.args());
        let drive = format!("if=none,id=scratch,format=raw,file={}", self.disk.display());
        let device = format!("virtio-blk-pci,drive=scratch,serial={GUEST_DISK_SERIAL}");
        extra_args.extend(["-drive".to_owned(), drive, "-device".to_owned(), device]);
        let target = Target {
            name: "bpfsig".to_owned(),
            kernel: Some(self.kernel.clone()),
            kernel_args: Some(self.kernel_args.clone()),
            qemu_command: Some(self.qemu.launcher().display().to_string()),
            command,
            vm: VMConfig {
                num_cpus: self.cpus,
                memory: MEMORY.to_owned(),
                extra_args,
                ..VMConfig::default()
            },
            ..Target::default()
        };
        Vmtest::new(&self.share, Config { target: vec![target] })
    }
}

impl Machine for Vm {
    fn share(&self) -> &Path {
        &self.share
    }

    fn guest_share(&self) -> &Path {
        Path::new(GUEST_SHARE)
    }

    fn run(
        &self,
        command: &str,
        limit: Option<Duration>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<i32> {
        let (updates, outputs) = mpsc::channel();
        // vmtest reports success for a command that a signal killed, so its result is not used.
        let vmtest = self.vmtest(machine::script(command, &self.share, self.guest_share())?)?;
        let runner = thread::spawn(move || vmtest.run_one(0, updates));
        let mut watch = Watch::new(self.accelerator.boot_limit(), limit, on_event);
        loop {
            match outputs.recv_timeout(TICK) {
                Ok(output) => take(output, &mut watch),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if watch.is_over() {
                self.qemu.kill();
            }
        }
        if runner.join().is_err() {
            watch.fail(anyhow!("vmtest panicked"));
        }
        watch.end(&self.share)
    }
}

fn take(output: Output, watch: &mut Watch<'_>) {
    match output {
        Output::Boot(line) => watch.console(&line),
        Output::Command(line) => watch.output(&line),
        Output::CommandStart => watch.booted(),
        Output::BootEnd(Err(error)) | Output::SetupEnd(Err(error)) | Output::CommandEnd(Err(error)) => {
            watch.fail(error);
        }
        Output::BootStart
        | Output::BootEnd(Ok(()))
        | Output::SetupStart
        | Output::Setup(_)
        | Output::SetupEnd(Ok(()))
        | Output::CommandEnd(Ok(_)) => (),
    }
}
