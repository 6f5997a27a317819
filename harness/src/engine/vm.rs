//! One run of a virtual machine.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use tempfile::TempDir;
use vmtest::output::Output;
use vmtest::{Config, Target, VMConfig, Vmtest};

use super::Engine;
use super::qemu::{self, Qemu};
use crate::interrupt;

/// Where the guest finds what lies in [`Vm::share`].
pub const GUEST_SHARE: &str = "/mnt/vmtest";

/// Enough for the verifier's state for a million instructions, eight megabytes of program and its JITed form.
const MEMORY: &str = "2G";

/// * `nokaslr`: the same addresses, hence the same cache and hash behaviour, in every run.
/// * `oops=panic panic_on_warn=1`: a kernel that has failed must not go on to report figures or to pass tests.
const KERNEL_ARGS: &str = "nokaslr oops=panic panic_on_warn=1";

/// How often the clock and Ctrl-C are looked at.
const TICK: Duration = Duration::from_millis(100);

/// Lines of console output shown when something went wrong.
const TAIL: usize = 20;

/// How a kernel says that it gives up.
const PANIC: &str = "Kernel panic - not syncing";

/// How a kernel says that something in it has gone wrong, and goes on: warnings, oopses, lock validation, stalls,
/// sanitizers.
const SPLATS: [&str; 7] =
    ["WARNING: ", "BUG: ", "Oops: ", "INFO: rcu", "INFO: task ", "general protection fault", "UBSAN: "];

/// What happens in a running machine.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The kernel wrote a line to its console.
    Console(&'a str),
    /// The kernel is up; the command starts.
    Booted,
    /// The command wrote a line (standard output and standard error alike).
    Output(&'a str),
}

/// A virtual machine with this machine's root file system, ready to boot.
pub struct Vm {
    engine: Engine,
    kernel: PathBuf,
    kernel_args: String,
    share: PathBuf,
    qemu: Qemu,
    /// Holds the share and QEMU's files; removed with this value.
    _directory: TempDir,
}

impl Vm {
    /// Prepares a machine for `kernel`, a `bzImage`.
    ///
    /// # Errors
    /// The kernel image or QEMU is missing, or there is no room for temporary files.
    pub fn new(engine: Engine, kernel: &Path) -> Result<Vm> {
        qemu::version()?;
        let kernel = kernel.canonicalize().with_context(|| format!("kernel image {}", kernel.display()))?;
        let directory = tempfile::Builder::new()
            .prefix("bpfsig-vm-")
            .tempdir()
            .context("creating a temporary directory")?;
        let share = directory.path().join("share");
        fs::create_dir(&share).with_context(|| format!("creating {}", share.display()))?;
        let qemu = Qemu::new(directory.path())?;
        let kernel_args = KERNEL_ARGS.to_owned();
        Ok(Vm { engine, kernel, kernel_args, share, qemu, _directory: directory })
    }

    /// Adds to the kernel's command line.
    pub fn append(&mut self, args: &str) {
        self.kernel_args.push(' ');
        self.kernel_args.push_str(args);
    }

    /// A directory for files that host and guest exchange; the guest has it as [`GUEST_SHARE`].
    pub fn share(&self) -> &Path {
        &self.share
    }

    /// Boots, runs the shell command `command` in the guest's view of the current directory, powers off.
    ///
    /// Returns the command's exit status: 128 + n if signal n killed it, as shells report it.
    /// The command may take `limit` of real time, or as long as it likes.
    ///
    /// # Errors
    /// * the user interrupted;
    /// * the kernel panics, hangs or does not take commands in time, the guest dies before the command has ended, or
    ///   the command takes too long: the message ends with the console's last lines;
    /// * the kernel reported a fault of its own on the console, whatever the command made of it.
    pub fn run(
        &self,
        command: &str,
        limit: Option<Duration>,
        on_event: impl FnMut(Event<'_>),
    ) -> Result<i32> {
        let status = self.share.join("status");
        let directory = std::env::current_dir().context("current directory")?;
        // vmtest takes a command that a signal killed for a success, and so its word is not asked for.
        let script = format!(
            "cd {directory} && ( {command} )\n\
             echo $? >{GUEST_SHARE}/status.new && mv {GUEST_SHARE}/status.new {GUEST_SHARE}/status",
            directory = quote(directory.as_os_str())?,
        );
        let (updates, outputs) = mpsc::channel();
        let vmtest = self.vmtest(script)?;
        let runner = thread::spawn(move || vmtest.run_one(0, updates));
        let mut watch = Watch::new(self.engine, limit, on_event);
        loop {
            match outputs.recv_timeout(TICK) {
                Ok(output) => watch.take(output),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            watch.check_time();
            if watch.failure.is_some() || interrupt::check().is_err() {
                self.qemu.kill();
            }
        }
        if runner.join().is_err() {
            watch.fail(anyhow!("vmtest panicked"));
        }
        interrupt::check()?;
        if let Some(splat) = watch.splat {
            bail!("the kernel reported a fault: {splat}");
        }
        // What the command has answered stands, even if the machine then failed to power off.
        match fs::read_to_string(&status) {
            Ok(text) => text.trim().parse().with_context(|| format!("exit status {text:?} from the guest")),
            Err(_) => Err(watch.into_error()),
        }
    }

    fn vmtest(&self, command: String) -> Result<Vmtest> {
        let mut extra_args: Vec<String> = self.engine.qemu_args().iter().map(|arg| arg.to_string()).collect();
        extra_args.extend(self.qemu.args());
        let target = Target {
            name: "bpfsig".to_owned(),
            kernel: Some(self.kernel.clone()),
            kernel_args: Some(self.kernel_args.clone()),
            qemu_command: Some(self.qemu.launcher().display().to_string()),
            command,
            vm: VMConfig { num_cpus: 1, memory: MEMORY.to_owned(), extra_args, ..VMConfig::default() },
            ..Target::default()
        };
        Vmtest::new(&self.share, Config { target: vec![target] })
    }
}

/// Follows a run, and remembers what to say if it fails.
struct Watch<F> {
    stage: Stage,
    stage_began: Instant,
    boot_limit: Duration,
    command_limit: Option<Duration>,
    tail: VecDeque<String>,
    failure: Option<Error>,
    /// The first fault that the kernel reported.
    splat: Option<String>,
    on_event: F,
}

enum Stage {
    Boot,
    Command,
}

impl<F: FnMut(Event<'_>)> Watch<F> {
    fn new(engine: Engine, limit: Option<Duration>, on_event: F) -> Watch<F> {
        Watch {
            stage: Stage::Boot,
            stage_began: Instant::now(),
            boot_limit: engine.boot_limit(),
            command_limit: limit,
            tail: VecDeque::new(),
            failure: None,
            splat: None,
            on_event,
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Boot(line) => self.take_console(line.trim_end()),
            Output::Command(line) => (self.on_event)(Event::Output(&line)),
            Output::CommandStart => {
                self.stage = Stage::Command;
                self.stage_began = Instant::now();
                (self.on_event)(Event::Booted);
            }
            Output::BootEnd(Err(error)) | Output::SetupEnd(Err(error)) | Output::CommandEnd(Err(error)) => {
                self.fail(error);
            }
            Output::BootStart
            | Output::BootEnd(Ok(()))
            | Output::SetupStart
            | Output::Setup(_)
            | Output::SetupEnd(Ok(()))
            | Output::CommandEnd(Ok(_)) => (),
        }
    }

    fn take_console(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        (self.on_event)(Event::Console(line));
        if SPLATS.iter().any(|splat| line.contains(splat)) {
            self.splat.get_or_insert_with(|| line.to_owned());
        }
        // The trace of what led to it has been printed before.
        if let Some(at) = line.find(PANIC) {
            self.fail(anyhow!("{}", &line[at..]));
        }
    }

    /// Keeps the first reason: what follows is its consequence.
    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    fn check_time(&mut self) {
        let limit = match self.stage {
            Stage::Boot => Some(self.boot_limit),
            Stage::Command => self.command_limit,
        };
        if let Some(limit) = limit.filter(|limit| self.stage_began.elapsed() > *limit) {
            self.fail(anyhow!("time limit of {} s exceeded", limit.as_secs()));
        }
    }

    fn into_error(self) -> Error {
        let failure = self.failure.unwrap_or_else(|| anyhow!("the guest ended without an exit status"));
        let what = match self.stage {
            Stage::Boot => "the kernel did not boot",
            Stage::Command => "the guest died while the command ran",
        };
        let mut console = String::new();
        for line in &self.tail {
            console.push_str("\n  ");
            console.push_str(line);
        }
        if console.is_empty() {
            console.push_str(" (none)");
        }
        anyhow!("{what}: {failure:#}\nlast lines of its console:{console}")
    }
}

/// `text` as one word of a shell command.
pub fn quote(text: &OsStr) -> Result<String> {
    let Some(text) = text.to_str() else { bail!("{} is not UTF-8", text.display()) };
    Ok(shell_words::quote(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splat(lines: &[&str]) -> Option<String> {
        let mut watch = Watch::new(Engine::Tcg, None, |_| ());
        for line in lines {
            watch.take_console(line);
        }
        watch.splat
    }

    #[test]
    fn finds_faults_on_the_console() {
        for line in [
            "[    3.1] WARNING: CPU: 0 PID: 1 at kernel/bpf/core.c:1 bpf+0x1/0x2",
            "[    3.1] WARNING: possible circular locking dependency detected",
            "[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "[    3.1] BUG: sleeping function called from invalid context at mm/slab.h:1",
            "[    3.1] Oops: general protection fault, probably for non-canonical address",
            "[    3.1] INFO: task vm:1 blocked for more than 120 seconds.",
            "[    3.1] rcu: INFO: rcu_sched self-detected stall on CPU",
        ] {
            assert_eq!(
                splat(&["[    0.0] Linux version 6.12", line, "[    3.2] next"]).as_deref(),
                Some(line)
            );
        }
    }

    #[test]
    fn finds_no_fault_in_other_lines() {
        let lines = [
            "[    0.0] Command line: nokaslr oops=panic panic_on_warn=1",
            "[    0.1] audit: type=1334 op=REFUSE_LOAD reason=\"signer is not in the keyring\"",
            "[    0.2] Speculative Return Stack Overflow: Mitigation: SMT disabled",
        ];
        assert_eq!(splat(&lines), None);
    }
}
