//! The certificate authority that a kernel trusts: made for this kernel only; its private key stays in the cache.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use bpfsig_signing::certificate::{Certificate, Role};
use bpfsig_signing::key::{Algorithm, PrivateKey};

/// Lives as long as the kernel that trusts it; the kernel does not look at the dates.
const DAYS: u32 = 3650;

/// Makes a key (PKCS#8, readable by its owner only) and its certificate (self-signed, CA), both as PEM files.
pub fn create(key_file: &Path, certificate_file: &Path) -> Result<()> {
    let key = PrivateKey::generate(Algorithm::Rsa2048).context("cannot make the key of the test CA")?;
    let certificate = Certificate::self_signed(Role::Ca, "bpfsig test CA", &key, DAYS)
        .context("cannot make the certificate of the test CA")?;
    let pem = key.to_pem()?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(key_file)
        .and_then(|mut file| file.write_all(pem.as_bytes()))
        .with_context(|| format!("cannot write {}", key_file.display()))?;
    fs::write(certificate_file, certificate.to_pem())
        .with_context(|| format!("cannot write {}", certificate_file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use bpfsig_signing::certificate::Signer;

    use super::*;

    #[test]
    fn key_and_certificate_go_together_and_the_key_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let (key, certificate) = (directory.path().join("ca.key"), directory.path().join("ca.pem"));
        create(&key, &certificate).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let key = PrivateKey::read(&fs::read(key).unwrap(), None).unwrap();
        let certificate = Certificate::read(&fs::read(certificate).unwrap()).unwrap();
        Signer::new(key, certificate).unwrap();
    }
}
