//! The certificate authority that a kernel trusts: made for this kernel only; its private key stays in the cache.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::process::{self, Log};

/// Makes a key (PKCS#8, readable by its owner only) and its certificate (self-signed, CA), both as PEM files.
pub fn create(key: &Path, certificate: &Path, log: &Log) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(key)
        .with_context(|| format!("cannot write {}", key.display()))?;
    let mut openssl = Command::new("openssl");
    openssl
        .args([
            "req", "-x509", "-batch", "-nodes", "-utf8", "-sha256", "-newkey", "rsa:2048", "-days", "3650",
        ])
        .args(["-subj", "/CN=bpfsig test CA", "-addext", "keyUsage=critical,keyCertSign"])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate);
    process::run(&mut openssl, log, |_| {}).context("cannot make the test CA")
}
