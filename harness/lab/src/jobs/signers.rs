//! Keys to sign programs with.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Role, Signer, Usage};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use tempfile::NamedTempFile;

use crate::kernel::Kernel;
use crate::progress::{Progress, Total};

/// Test keys live as long as the kernel that trusts them; the kernel does not look at the dates.
const DAYS: u32 = 3650;

/// Signers and an attester with the same kind of key.
pub struct Signers {
    /// The kind of key.
    pub algorithm: Algorithm,
    /// Its certificate is issued by the authority that the kernel trusts.
    pub known: Signer,
    /// Its certificate is issued by nobody.
    pub unknown: Signer,
    /// Attests facts; its certificate is issued by the authority that the kernel trusts.
    pub attester: Signer,
}

impl Signers {
    /// Signers for each of these algorithms, in this order.
    ///
    /// # Errors
    /// The kernel's authority can't be read, or the cache can't be written.
    pub fn obtain_all(
        kernel: &Kernel,
        algorithms: &[Algorithm],
        progress: &Progress,
    ) -> Result<Vec<Signers>> {
        if algorithms.is_empty() {
            return Ok(Vec::new());
        }
        let name = format!("Keys ({} kernel)", kernel.variant);
        let mut task = progress.task(&name, Total::Items(algorithms.len() as u64));
        let mut obtain = |algorithm: &Algorithm| {
            task.note(&algorithm.to_string());
            let signers = Signers::obtain(kernel, *algorithm)?;
            task.advance();
            Ok(signers)
        };
        let signers = algorithms.iter().map(&mut obtain).collect();
        task.done();
        signers
    }

    /// Takes the signers from the kernel's cache entry, or makes them: RSA keys take seconds.
    ///
    /// # Errors
    /// The kernel's authority can't be read, or the cache can't be written.
    pub fn obtain(kernel: &Kernel, algorithm: Algorithm) -> Result<Signers> {
        let authority = read(&kernel.ca_key, &kernel.ca_certificate)?;
        let directory = directory(kernel)?;
        let known = obtain(&directory.join(format!("{algorithm}-known")), algorithm, |key| {
            Certificate::issued_by(
                &authority,
                usage(&[Purpose::Program]),
                "bpfsig bench",
                &key.public_key(),
                DAYS,
            )
        })?;
        let unknown = obtain(&directory.join(format!("{algorithm}-unknown")), algorithm, |key| {
            Certificate::self_signed(usage(&[Purpose::Program]), "bpfsig bench, unknown", key, DAYS)
        })?;
        let attester = obtain(&directory.join(format!("{algorithm}-attester")), algorithm, |key| {
            Certificate::issued_by(
                &authority,
                usage(&[Purpose::Attestation]),
                "bpfsig bench, attester",
                &key.public_key(),
                DAYS,
            )
        })?;
        Ok(Signers { algorithm, known, unknown, attester })
    }
}

/// A signer of policies that the kernel trusts, from its cache entry or a new one.
///
/// # Errors
/// The kernel's authority can't be read, or the cache can't be written.
pub fn policy_signer(kernel: &Kernel) -> Result<Signer> {
    let authority = read(&kernel.ca_key, &kernel.ca_certificate)?;
    obtain(&directory(kernel)?.join("policy"), Algorithm::P256, |key| {
        let usage = usage(&[Purpose::Program, Purpose::Policy]);
        Certificate::issued_by(&authority, usage, "bpfsig bench, policy", &key.public_key(), DAYS)
    })
}

/// What certificates are for: the kernel looks at it.
fn usage(purposes: &[Purpose]) -> Usage {
    Role::Signer.limited_to(purposes, DOCUMENTATION_PEN)
}

/// Where the signers of a kernel are kept.
fn directory(kernel: &Kernel) -> Result<PathBuf> {
    let directory = kernel.ca_certificate.with_file_name("signers");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}

/// Reads the signer in `path`.pem and `path`.key, or makes it.
fn obtain(
    path: &Path,
    algorithm: Algorithm,
    certify: impl FnOnce(&PrivateKey) -> bpfsig_signing::Result<Certificate>,
) -> Result<Signer> {
    let key_file = path.with_extension("key");
    let certificate_file = path.with_extension("pem");
    // The certificate is written last: if it is there, the key is.
    if certificate_file.exists() {
        return read(&key_file, &certificate_file);
    }
    let key = PrivateKey::generate(algorithm)?;
    let certificate = certify(&key)?;
    write(&key_file, key.to_pem()?.as_bytes())?;
    write(&certificate_file, certificate.to_pem().as_bytes())?;
    Ok(Signer::new(key, certificate)?)
}

fn read(key: &PathBuf, certificate: &PathBuf) -> Result<Signer> {
    let read = |path: &PathBuf| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let private = PrivateKey::read(&read(key)?, None).with_context(|| key.display().to_string())?;
    let public = Certificate::read(&read(certificate)?).with_context(|| certificate.display().to_string())?;
    Ok(Signer::new(private, public)?)
}

/// Writes a file that is there whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> Result<()> {
        let mut file = NamedTempFile::new_in(path.parent().context("no directory")?)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
