//! A file system for files with fs-verity.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use crate::engine::{GUEST_DISK, GUEST_DISK_SERIAL};

const MKFS: &str = "mkfs.ext4";

/// Of [`GUEST_DISK`].
const SERIAL: &str = "/sys/block/vda/serial";

/// The machine's disk, with an ext4 file system that is mounted for as long as this lives.
#[derive(Debug)]
pub struct Disk(TempDir);

impl Disk {
    /// Erases the disk, makes a file system there and mounts it.
    ///
    /// # Errors
    /// The machine has no disk, or one for another purpose; or there is no program that makes file systems.
    pub fn new() -> Result<Self> {
        // Another machine's disk has something on it.
        let serial = fs::read_to_string(SERIAL).context(SERIAL)?;
        ensure!(serial.trim_end() == GUEST_DISK_SERIAL, "{GUEST_DISK} is not a disk that may be erased");
        // Blocks as large as fs-verity's. Without what would run in the background later: a journal, and inodes to
        // initialise.
        let options =
            ["-q", "-F", "-b", "4096", "-N", "64", "-O", "verity,^has_journal", "-E", "lazy_itable_init=0"];
        match Command::new(MKFS).args(options).arg(GUEST_DISK).output() {
            Ok(output) => ensure!(
                output.status.success(),
                "{MKFS} {GUEST_DISK}: {}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("{MKFS} is missing; install the package e2fsprogs (scripts/setup.sh does)")
            }
            Err(error) => return Err(error).context(MKFS),
        }
        let directory = tempfile::tempdir().context("creating a temporary directory")?;
        mount(Some(GUEST_DISK), directory.path(), Some("ext4"), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("mounting {GUEST_DISK}"))?;
        Ok(Self(directory))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The directory is only removed once there is nothing in it.
        if let Err(error) = umount2(self.path(), MntFlags::MNT_DETACH) {
            eprintln!("bpfsig: warning: unmounting {GUEST_DISK}: {error}");
        }
    }
}
