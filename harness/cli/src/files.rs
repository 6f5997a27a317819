//! Keys, certificates and objects on disk.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bpfsig_signing::artifact::{Artifact, Platform};
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::trust;
use tempfile::{NamedTempFile, TempPath};

/// Reads a file; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

/// Reads a certificate, PEM or DER.
pub fn certificate(path: &Path) -> Result<Certificate> {
    Certificate::read(&read(path)?).with_context(|| path.display().to_string())
}

/// Reads all certificates in a file, of which there is at least one.
pub fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    trust::certificates(&read(path)?).with_context(|| path.display().to_string())
}

/// Reads all certificates in several files.
pub fn all_certificates(paths: &[PathBuf]) -> Result<Vec<Certificate>> {
    Ok(paths.iter().map(|path| certificates(path)).collect::<Result<Vec<_>>>()?.concat())
}

/// Recognises a file by its content. If there are choices about an object, they count instead of those of a signature
/// in it. The caller names the file in errors.
pub fn artifact(file: &[u8], platform: Option<Platform>, choices: &Choices) -> Result<Artifact> {
    let artifact = match choices.is_empty() {
        true => Artifact::of(file, platform)?,
        false => Artifact::with_choices(file, platform, choices)?,
    };
    Ok(artifact)
}

/// Writes a file that must not exist yet, and that is removed again unless it is kept. Where files have a mode, it gets this
/// one.
pub fn create(path: &Path, content: &[u8], mode: u32) -> Result<TempPath> {
    let context = || path.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).with_context(context)?;
    let created = TempPath::try_from_path(path).with_context(context)?;
    file.write_all(content).and_then(|()| file.sync_all()).with_context(context)?;
    Ok(created)
}

/// Writes a file in place of an older one, with the same permissions, so that there is always one or the other.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    prepare(path, content)?.put_in_place()
}

/// A file that is written, but not in its place yet.
pub struct Prepared<'p> {
    path: &'p Path,
    file: NamedTempFile,
}

/// Writes what [`Prepared::put_in_place`] puts in place of an older file: most of what can go wrong does so here, while
/// nothing has been replaced.
pub fn prepare<'p>(path: &'p Path, content: &[u8]) -> Result<Prepared<'p>> {
    let context = || path.display().to_string();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "{}: there is no directory {}", path.display(), folder.display());
    ensure!(!path.is_dir(), "{} is a directory: name a file in it", path.display());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bpfsig-");
    // By itself, a temporary file is for its owner alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).with_context(context)?;
    file.write_all(content).with_context(context)?;
    if let Ok(older) = fs::metadata(path) {
        file.as_file().set_permissions(older.permissions()).with_context(context)?;
    }
    Ok(Prepared { path, file })
}

impl Prepared<'_> {
    /// Puts the file in its place.
    pub fn put_in_place(self) -> Result<()> {
        self.file.persist(self.path).with_context(|| self.path.display().to_string())?;
        Ok(())
    }
}
