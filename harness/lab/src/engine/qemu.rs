//! The QEMU process: found, tied to our own life, and killed.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PROGRAM: &str = "qemu-system-x86_64";

/// The first line of `qemu-system-x86_64 --version`.
///
/// # Errors
/// QEMU is not installed.
pub fn version() -> Result<String> {
    let output = match Command::new(PROGRAM).arg("--version").output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{PROGRAM} is missing; install the package qemu-system-x86 (scripts/setup.sh does)")
        }
        Err(error) => return Err(error).context(PROGRAM),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Accelerator {
    Tcg,
    Kvm,
}

impl Accelerator {
    /// Time limit from power-on until the kernel takes commands.
    ///
    /// vmtest itself gives up after 80 seconds where `/dev/kvm` exists and 120 where it does not.
    pub(super) fn boot_limit(self) -> Duration {
        match self {
            Accelerator::Tcg => Duration::from_secs(75),
            Accelerator::Kvm => Duration::from_secs(25),
        }
    }

    /// QEMU arguments for a machine with so many CPUs, after vmtest's own: the last one wins.
    pub(super) fn args(self, cpus: u8) -> &'static [&'static str] {
        // vmtest asks for KVM wherever /dev/kvm exists, and `-accel tcg` would not take that back.
        const TCG: &[&str] =
            &["-machine", "accel=tcg", "-cpu", "max", "-icount", "shift=0,sleep=off,align=off"];
        match self {
            // Several CPUs are to run at the same time, which instructions can't be counted with.
            Accelerator::Tcg if cpus > 1 => &TCG[..4],
            Accelerator::Tcg => TCG,
            Accelerator::Kvm => &[],
        }
    }
}

/// A QEMU that vmtest starts, and that we can end.
pub(super) struct Qemu {
    launcher: PathBuf,
    pid_file: PathBuf,
}

impl Qemu {
    /// Prepares the launcher in `directory`.
    ///
    /// vmtest hands out neither the process nor its id. So it starts this script instead, which asks the kernel to
    /// kill QEMU when the thread that started it ends, in whatever way; and QEMU writes down its id.
    pub(super) fn new(directory: &Path) -> Result<Qemu> {
        let launcher = directory.join("qemu");
        let script = format!("#!/bin/sh\nexec setpriv --pdeathsig KILL {PROGRAM} \"$@\"\n");
        fs::write(&launcher, script)
            .and_then(|()| fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("writing {}", launcher.display()))?;
        Ok(Qemu { launcher, pid_file: directory.join("qemu.pid") })
    }

    /// What vmtest is to start.
    pub(super) fn launcher(&self) -> &Path {
        &self.launcher
    }

    /// Arguments that QEMU needs for [`Qemu::kill`].
    pub(super) fn args(&self) -> [String; 2] {
        ["-pidfile".to_owned(), self.pid_file.display().to_string()]
    }

    /// Kills QEMU if it has started and not ended.
    pub(super) fn kill(&self) {
        let pid = fs::read_to_string(&self.pid_file).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid {
            // It may just have ended by itself: nothing left to do then.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
