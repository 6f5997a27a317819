//! Names in the BPF file system that keep programs, maps and links in the kernel.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::error::{Error, Result};
use crate::libbpf;

/// A directory in which programs, maps and links are pinned. It is all taken back, unless it is [kept](Self::keep).
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    is_new: bool,
    pinned: Pinned,
}

impl Pins {
    /// Pins nothing yet, but makes the directory if there is none.
    ///
    /// # Errors
    /// It is not on a BPF file system, or can't be made.
    pub fn new(directory: &Path) -> Result<Self> {
        let is_new = !directory.exists();
        check_file_system(directory, if is_new { parent(directory) } else { directory })?;
        if is_new {
            fs::create_dir(directory).map_err(Error::system(directory.display().to_string()))?;
        }
        Ok(Self { directory: directory.to_owned(), is_new, pinned: Pinned::default() })
    }

    /// Pins a program, a map or a link; returns where. Dots, which the file system does not allow, become
    /// underscores, as libbpf has it.
    ///
    /// # Errors
    /// The name is taken.
    #[doc(alias = "bpf_map__pin")]
    #[doc(alias = "bpf_program__pin")]
    #[doc(alias = "bpf_link__pin")]
    pub fn pin(&mut self, name: &str, object: BorrowedFd<'_>) -> Result<PathBuf> {
        let path = self.directory.join(file_name(name));
        self.pinned.pin(&path, object)?;
        Ok(path)
    }

    /// Lets everything stay.
    pub fn keep(mut self) {
        std::mem::take(&mut self.pinned).keep();
        self.is_new = false;
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        // The directory has to be empty.
        drop(std::mem::take(&mut self.pinned));
        if self.is_new {
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

/// What has been pinned. It is taken back, unless it is kept.
#[derive(Debug, Default)]
pub(crate) struct Pinned(Vec<PathBuf>);

impl Pinned {
    pub fn pin(&mut self, path: &Path, object: BorrowedFd<'_>) -> Result<()> {
        c_string(path)
            .and_then(|text| libbpf::pin(object, &text))
            .map_err(Error::system(format!("pinning {}", path.display())))?;
        self.0.push(path.to_owned());
        Ok(())
    }

    pub fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            // Someone else may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

/// What is pinned at a path.
///
/// # Errors
/// Nothing is pinned there.
#[doc(alias = "bpf_obj_get")]
pub fn pinned(path: &Path) -> io::Result<OwnedFd> {
    libbpf::pinned(&c_string(path)?)
}

/// What is pinned at the path of a map; none if nothing is.
pub(crate) fn find(path: &Path) -> Result<Option<OwnedFd>> {
    match pinned(path) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            check_file_system(path, parent(path))?;
            Ok(None)
        }
        Err(error) => Err(Error::system(path.display().to_string())(error)),
    }
}

/// A name as the BPF file system takes it.
pub(crate) fn file_name(name: &str) -> String {
    name.replace('.', "_")
}

fn check_file_system(path: &Path, existing: &Path) -> Result<()> {
    let file_system = statfs(existing).map_err(io::Error::from);
    match file_system.map_err(Error::system(path.display().to_string()))?.filesystem_type() {
        BPF_FS_MAGIC => Ok(()),
        _ => Err(Error::Invalid(format!(
            "{} is not on a BPF file system, such as `mount -t bpf bpf /sys/fs/bpf` makes available",
            path.display()
        ))),
    }
}

fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
