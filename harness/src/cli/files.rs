//! Keys, certificates and objects on disk.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use bpfsig_signing::artifact::{Artifact, ArtifactError, Platform};
use bpfsig_signing::certificate::{Certificate, Signer};
use bpfsig_signing::key::PrivateKey;
use bpfsig_signing::object::ObjectError;

/// Environment variable with the passphrase of an encrypted key, as for the kernel's `sign-file`.
const PASSPHRASE: &str = "KBUILD_SIGN_PIN";

/// Reads a file; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

/// Reads a certificate, PEM or DER.
pub fn certificate(path: &Path) -> Result<Certificate> {
    Certificate::read(&read(path)?).with_context(|| path.display().to_string())
}

/// Reads a key and the certificate that goes with it.
pub fn signer(key: &Path, certificate_path: &Path) -> Result<Signer> {
    let passphrase = std::env::var(PASSPHRASE).ok();
    let private =
        PrivateKey::read(&read(key)?, passphrase.as_deref()).with_context(|| key.display().to_string())?;
    Signer::new(private, certificate(certificate_path)?)
        .with_context(|| format!("{} and {}", key.display(), certificate_path.display()))
}

/// Recognises a file by its content.
pub fn artifact(path: &Path, file: &[u8], platform: Option<Platform>) -> Result<Artifact> {
    Artifact::of(file, platform).map_err(|error| {
        let is_foreign = matches!(&error, ArtifactError::Object(ObjectError::UnknownSection { .. }));
        let error = anyhow::Error::from(error);
        let error = if is_foreign {
            error.context("if it is made for Windows, say so with --platform windows")
        } else {
            error
        };
        error.context(path.display().to_string())
    })
}

/// Writes a file that must not exist yet.
pub fn create(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| path.display().to_string())?;
    file.write_all(content).and_then(|()| file.sync_all()).with_context(|| path.display().to_string())
}

/// Writes a file in place of an older one, with the same permissions, so that there is always one or the other.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let context = || path.display().to_string();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .with_context(context)?;
    if let Ok(older) = fs::metadata(path) {
        file.as_file().set_permissions(older.permissions()).with_context(context)?;
    }
    file.write_all(content).with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}
