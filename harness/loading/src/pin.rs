//! Names in the BPF file system that keep programs, maps and links in the kernel.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::libbpf;

/// What has been pinned in a directory. It is all taken back, unless it is kept.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    is_new: bool,
    paths: Vec<PathBuf>,
}

impl Pins {
    /// Pins nothing yet, but makes the directory if there is none.
    ///
    /// # Errors
    /// It is not on a BPF file system, or can't be made.
    pub fn new(directory: &Path) -> Result<Self> {
        let context = || directory.display().to_string();
        let is_new = !directory.exists();
        let existing = if is_new { parent(directory) } else { directory };
        ensure!(
            statfs(existing).with_context(context)?.filesystem_type() == BPF_FS_MAGIC,
            "{} is not on a BPF file system, such as `mount -t bpf bpf /sys/fs/bpf` makes available",
            directory.display()
        );
        if is_new {
            fs::create_dir(directory).with_context(context)?;
        }
        Ok(Self { directory: directory.to_owned(), is_new, paths: Vec::new() })
    }

    /// Pins a program, a map or a link; returns where. Dots, which the file system does not allow, become
    /// underscores, as libbpf has it.
    ///
    /// # Errors
    /// The name is taken.
    pub fn pin(&mut self, name: &str, object: BorrowedFd<'_>) -> Result<PathBuf> {
        let path = self.directory.join(name.replace('.', "_"));
        CString::new(path.as_os_str().as_bytes())
            .map_err(io::Error::from)
            .and_then(|path| libbpf::pin(object, &path))
            .with_context(|| format!("pinning {}", path.display()))?;
        self.paths.push(path.clone());
        Ok(path)
    }

    /// Lets everything stay.
    pub fn keep(mut self) {
        self.paths.clear();
        self.is_new = false;
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        for path in self.paths.iter().rev() {
            // Someone else may have been faster.
            let _ = fs::remove_file(path);
        }
        if self.is_new {
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
