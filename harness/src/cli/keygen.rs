//! `bpfsig keygen ca` and `bpfsig keygen signer`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bpfsig_signing::certificate::{Certificate, Role};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use clap::{Args, Subcommand};

use super::files;

/// Make a key and its certificate
#[derive(Subcommand)]
pub enum Command {
    /// A certificate authority, for the kernel to trust
    Ca(Options),
    /// A signer of programs
    Signer {
        #[command(flatten)]
        options: Options,

        /// Key of the CA that issues the certificate [default: the signer's own]
        #[arg(long, requires = "ca_cert", value_name = "FILE")]
        ca_key: Option<PathBuf>,

        /// Certificate of that CA
        #[arg(long, requires = "ca_key", value_name = "FILE")]
        ca_cert: Option<PathBuf>,
    },
}

#[derive(Args)]
pub struct Options {
    /// rsa-2048, rsa-3072, rsa-4096, p-256 or p-384
    #[arg(long, default_value_t = Algorithm::Rsa2048)]
    algorithm: Algorithm,

    /// Common name of the subject
    #[arg(long)]
    name: String,

    /// Days that the certificate is valid for
    #[arg(long, default_value_t = 365)]
    days: u32,

    /// Where to write the key: PKCS#8, PEM, readable by nobody else
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Where to write the certificate: PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
}

pub fn run(command: Command) -> Result<()> {
    let (role, options, issuer) = match command {
        Command::Ca(options) => (Role::Ca, options, None),
        Command::Signer { options, ca_key, ca_cert } => (Role::Signer, options, ca_key.zip(ca_cert)),
    };
    for path in [&options.key, &options.cert] {
        if path.exists() {
            bail!("{} exists; keygen overwrites nothing", path.display());
        }
    }

    let issuer = issuer.map(|(key, cert)| files::signer(&key, &cert)).transpose()?;
    let key = PrivateKey::generate(options.algorithm)?;
    let certificate = match &issuer {
        Some(ca) => Certificate::issued_by(ca, role, &options.name, &key.public_key(), options.days)?,
        None => Certificate::self_signed(role, &options.name, &key, options.days)?,
    };

    files::create(&options.key, key.to_pem()?.as_bytes(), 0o600)?;
    files::create(&options.cert, certificate.to_pem().as_bytes(), 0o644)
        .with_context(|| format!("the key is in {}, without a certificate", options.key.display()))?;
    println!("{}: {} key {}", options.cert.display(), options.algorithm, certificate.subject_key_id());
    Ok(())
}
