//! The first process of user-mode Linux.

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::sync;

use super::GUEST_SHARE;
use super::uml::BOOTED;

/// The terminal that leads to the host's standard output.
const TERMINAL: &str = "/dev/tty1";

/// File systems to mount over the host's, in this order. `/dev` is mounted by the kernel.
const MOUNTS: [(&str, &str); 8] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("debugfs", "/sys/kernel/debug"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("tmpfs", "/mnt"),
    ("hostfs", GUEST_SHARE),
];

/// Mounts what a guest needs, runs `script`, and powers off. `share` is the directory on the host.
///
/// # Errors
/// Something can't be mounted or run. The kernel panics when its first process ends.
pub fn init(share: &Path, script: &Path) -> Result<Infallible> {
    for (kind, target) in MOUNTS {
        if target == GUEST_SHARE {
            fs::create_dir(target).context(target)?;
        }
        let data = (kind == "hostfs").then_some(share);
        mount(Some(kind), target, Some(kind), MsFlags::empty(), data)
            .with_context(|| format!("mounting {kind} at {target}"))?;
    }
    let mut terminal = OpenOptions::new().write(true).open(TERMINAL).context(TERMINAL)?;
    // The kernel may have left a line unfinished there.
    writeln!(terminal, "\n{BOOTED}").context(TERMINAL)?;
    // It leaves its exit status where the host looks for it.
    Command::new("/bin/sh")
        .arg(script)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdout(terminal.try_clone()?)
        .stderr(terminal)
        .status()
        .context("running the command")?;
    sync();
    reboot(RebootMode::RB_POWER_OFF).context("powering off")
}
