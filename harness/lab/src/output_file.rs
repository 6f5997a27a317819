//! Files that are written once there is something to write.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// A file that is known to be writable, but has not been touched yet.
pub struct OutputFile {
    path: PathBuf,
    /// A pipe, a terminal or another device, whose contents can't be replaced.
    is_stream: bool,
}

impl OutputFile {
    /// Makes sure that `path` can be written, before any work whose result would be lost. Makes its directory.
    ///
    /// # Errors
    /// It can't be written.
    pub fn new(path: &Path) -> Result<OutputFile> {
        let check = || -> Result<bool> {
            if path.exists() && !fs::metadata(path)?.is_file() {
                OpenOptions::new().write(true).open(path)?;
                return Ok(true);
            }
            fs::create_dir_all(directory(path))?;
            temporary(path)?;
            Ok(false)
        };
        let is_stream = check().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(OutputFile { path: path.to_owned(), is_stream })
    }

    /// Whether what is written can't be replaced later: a pipe or a terminal.
    pub fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// Writes the file with `write`; the earlier contents are replaced when all has been written.
    ///
    /// # Errors
    /// It can't be written. What was there before is still there then.
    pub fn write(&self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        let finish = || -> Result<()> {
            if self.is_stream {
                return buffered(OpenOptions::new().write(true).open(&self.path)?, write);
            }
            let file = temporary(&self.path)?;
            buffered(file.as_file(), write)?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        finish().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// A file that can take the place of the file at `path`.
fn temporary(path: &Path) -> Result<NamedTempFile> {
    let mut file = tempfile::Builder::new();
    // As the umask has it, and not for the owner alone.
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    Ok(file.tempfile_in(directory(path))?)
}

fn buffered(file: impl Write, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut file = BufWriter::new(file);
    write(&mut file)?;
    Ok(file.flush()?)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_file_is_replaced_when_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/report");
        OutputFile::new(&path).unwrap().write(|file| Ok(file.write_all(b"one")?)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");

        let failing = OutputFile::new(&path).unwrap();
        failing
            .write(|file| {
                file.write_all(b"half")?;
                bail!("disk full")
            })
            .unwrap_err();
        drop(OutputFile::new(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        OutputFile::new(Path::new("/dev/null")).unwrap().write(|file| Ok(file.write_all(b"x")?)).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn an_unwritable_file_is_found_out_at_once() {
        let file = NamedTempFile::new().unwrap();
        let below_a_file = file.path().join("report.json");
        let error = OutputFile::new(&below_a_file).err().unwrap();
        assert!(format!("{error:#}").contains(&below_a_file.display().to_string()));
        let directory = tempfile::tempdir().unwrap();
        assert!(OutputFile::new(directory.path()).is_err());
    }
}
