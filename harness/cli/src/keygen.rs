//! `bpfsig keygen`: keys, certificates and certificate requests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Request, Role, Usage};
use bpfsig_signing::key::{Algorithm, PrivateKey, PublicKey, SigningKey};
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::{files, signer};

/// Make keys and certificates
#[derive(Subcommand)]
pub enum Command {
    /// A certificate authority, for the kernel to trust
    Ca {
        #[command(flatten)]
        subject: NewSubject,

        /// What the authority is limited to: program, attestation, package, policy, code [default: not limited]
        #[arg(long = "purpose", value_name = "PURPOSE")]
        purposes: Vec<Purpose>,

        #[command(flatten)]
        pen: PenOptions,

        #[command(flatten)]
        certificate: CertificateOptions,
    },
    /// A signer
    Signer {
        #[command(flatten)]
        subject: NewSubject,

        #[command(flatten)]
        purposes: PurposeOptions,

        #[command(flatten)]
        certificate: CertificateOptions,

        /// Key of the CA that issues the certificate, a file or a `pkcs11:` URI [default: the signer's own]
        #[arg(long, requires = "ca_cert", value_name = "FILE|URI")]
        ca_key: Option<PathBuf>,

        /// Certificate of that CA
        #[arg(long, requires = "ca_key", value_name = "FILE")]
        ca_cert: Option<PathBuf>,
    },
    /// A request for a signer's certificate (PKCS#10), for a CA elsewhere
    Request {
        #[command(flatten)]
        subject: RequestSubject,

        #[command(flatten)]
        purposes: PurposeOptions,

        /// Where to write the request: PEM
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
    },
    /// Issue the certificate that a signer's request asks for
    Issue {
        /// The request: PEM or DER
        #[arg(long, value_name = "FILE")]
        request: PathBuf,

        #[command(flatten)]
        purposes: PurposeOptions,

        #[command(flatten)]
        certificate: CertificateOptions,

        /// Key of the CA, a file or a `pkcs11:` URI
        #[arg(long, value_name = "FILE|URI")]
        ca_key: PathBuf,

        /// Certificate of the CA
        #[arg(long, value_name = "FILE")]
        ca_cert: PathBuf,
    },
}

#[derive(Args)]
struct SubjectOptions {
    /// Common name of the subject
    #[arg(long)]
    name: String,

    /// Algorithm of a new key: rsa-2048, rsa-3072, rsa-4096, p-256, p-384, ml-dsa-44, ml-dsa-65 or ml-dsa-87
    #[arg(long, default_value_t = Algorithm::Rsa2048)]
    algorithm: Algorithm,
}

#[derive(Args)]
pub struct NewSubject {
    #[command(flatten)]
    subject: SubjectOptions,

    /// Where to write the new key: PKCS#8, PEM, readable by nobody else. Or the `pkcs11:` URI of a key that is there
    #[arg(long, value_name = "FILE|URI")]
    key: PathBuf,
}

#[derive(Args)]
pub struct RequestSubject {
    #[command(flatten)]
    subject: SubjectOptions,

    /// The key: a file, which is made if there is none, or a `pkcs11:` URI
    #[arg(long, value_name = "FILE|URI", required_unless_present = "signer_command")]
    key: Option<PathBuf>,

    /// Command that signs with the key, as for `bpfsig sign`
    #[arg(long, value_name = "COMMAND", conflicts_with = "key", requires = "public_key")]
    signer_command: Option<String>,

    /// Public half of the command's key: PEM or DER
    #[arg(long, value_name = "FILE", requires = "signer_command")]
    public_key: Option<PathBuf>,
}

#[derive(Args)]
pub struct PenOptions {
    /// Private enterprise number that the purposes are numbered below [default: 32473, for documentation]
    #[arg(long, default_value_t = DOCUMENTATION_PEN, hide_default_value = true)]
    pub pen: u32,
}

#[derive(Args)]
pub struct PurposeOptions {
    /// What the signer may sign: program, attestation, package, policy, code (PE images)
    #[arg(long = "purpose", value_name = "PURPOSE", default_values_t = [Purpose::Program])]
    purposes: Vec<Purpose>,

    #[command(flatten)]
    pen: PenOptions,
}

#[derive(Args)]
pub struct CertificateOptions {
    /// Days that the certificate is valid for
    #[arg(long, default_value_t = 365)]
    days: u32,

    /// Where to write the certificate: PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
}

impl PurposeOptions {
    fn usage(&self) -> Usage {
        Role::Signer.limited_to(&self.purposes, self.pen.pen)
    }
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Ca { subject, purposes, pen, certificate } => {
            check_absent(&certificate.cert)?;
            let usage = Role::Ca.limited_to(&purposes, pen.pen);
            let key = subject.key()?;
            let made = Certificate::self_signed(usage, &subject.subject.name, &*key.key, certificate.days)?;
            certificate.write(&made, Some(&key))?;
            print_purposes(&purposes, pen.pen);
        }
        Command::Signer { subject, purposes, certificate, ca_key, ca_cert } => {
            check_absent(&certificate.cert)?;
            let ca = ca_key.zip(ca_cert).map(|(key, cert)| signer::ca(&key, &cert)).transpose()?;
            let (name, usage, days) = (&subject.subject.name, purposes.usage(), certificate.days);
            let key = subject.key()?;
            let made = match &ca {
                Some(ca) => Certificate::issued_by(ca, usage, name, &key.key.public_key(), days)?,
                None => Certificate::self_signed(usage, name, &*key.key, days)?,
            };
            certificate.write(&made, Some(&key))?;
            print_purposes(&purposes.purposes, purposes.pen.pen);
        }
        Command::Request { subject, purposes, request: path } => {
            check_absent(&path)?;
            let key = subject.key()?;
            let request = Request::new(purposes.usage(), &subject.subject.name, &*key.key)?;
            write(&path, &request.to_pem(), Some(&key))?;
            println!("{}: request for a {} key", path.display(), request.public_key());
            print_purposes(&purposes.purposes, purposes.pen.pen);
        }
        Command::Issue { request: path, purposes, certificate, ca_key, ca_cert } => {
            check_absent(&certificate.cert)?;
            let request = Request::read(&files::read(&path)?).with_context(|| path.display().to_string())?;
            let ca = signer::ca(&ca_key, &ca_cert)?;
            let issued = Certificate::issued_for(&ca, purposes.usage(), &request, certificate.days)?;
            certificate.write(&issued, None)?;
            println!("subject: {}", request.subject());
            print_purposes(&purposes.purposes, purposes.pen.pen);
        }
    }
    Ok(())
}

impl CertificateOptions {
    fn write(&self, certificate: &Certificate, key: Option<&SubjectKey>) -> Result<()> {
        write(&self.cert, &certificate.to_pem(), key)?;
        println!(
            "{}: {} key {}",
            self.cert.display(),
            certificate.public_key(),
            certificate.subject_key_id()
        );
        Ok(())
    }
}

impl NewSubject {
    fn key(&self) -> Result<SubjectKey> {
        SubjectKey::make(&self.key, self.subject.algorithm)
    }
}

impl RequestSubject {
    fn key(&self) -> Result<SubjectKey> {
        if let (Some(command), Some(path)) = (&self.signer_command, &self.public_key) {
            let public = PublicKey::read(&files::read(path)?).with_context(|| path.display().to_string())?;
            return Ok(SubjectKey { key: signer::command_key(command, public)?, file: None });
        }
        let location = self.key.as_deref().context("no key")?;
        if location.exists() {
            return Ok(SubjectKey { key: signer::key(location)?, file: None });
        }
        SubjectKey::make(location, self.subject.algorithm)
    }
}

/// The key of a subject; a new one is not in its file before [`write()`].
struct SubjectKey {
    key: Box<dyn SigningKey>,
    file: Option<(PathBuf, Zeroizing<String>)>,
}

impl SubjectKey {
    /// Makes a key for a file. A key in a token is there already.
    fn make(location: &Path, algorithm: Algorithm) -> Result<Self> {
        if signer::token_uri(location).is_some() {
            return Ok(SubjectKey { key: signer::key(location)?, file: None });
        }
        check_absent(location)?;
        let key = PrivateKey::generate(algorithm)?;
        let file = Some((location.to_owned(), key.to_pem()?));
        Ok(SubjectKey { key: Box::new(key), file })
    }
}

/// Writes what has been made for a key, and the key if it is new: both, or neither.
fn write(path: &Path, pem: &str, key: Option<&SubjectKey>) -> Result<()> {
    let new = key.and_then(|key| Some((key, key.file.as_ref()?)));
    let key_file = new.map(|(_, (path, pem))| files::create(path, pem.as_bytes(), 0o600)).transpose()?;
    let file = files::create(path, pem.as_bytes(), 0o644)?;
    for file in key_file.into_iter().chain([file]) {
        file.keep()?;
    }
    if let Some((key, (path, _))) = new {
        println!("{}: new {} key", path.display(), key.key.public_key());
    }
    Ok(())
}

fn check_absent(path: &Path) -> Result<()> {
    ensure!(!path.exists(), "{} exists; keygen overwrites nothing", path.display());
    Ok(())
}

fn print_purposes(purposes: &[Purpose], pen: u32) {
    for purpose in purposes {
        println!("purpose: {purpose} ({})", purpose.oid(pen));
    }
    if !purposes.is_empty() && pen == DOCUMENTATION_PEN {
        println!("private enterprise number {pen} is for documentation (RFC 5612): give your own with --pen");
    }
}
