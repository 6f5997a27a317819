//! `bpfsig verify`.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::authenticode::Signature;
use bpfsig_signing::certificate::{Certificate, Purpose};
use bpfsig_signing::description::{Description, from_json};
use bpfsig_signing::pe::{self, Image};
use bpfsig_signing::signature;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use bpfsig_signing::trust::{self, ExpectedUsage};
use clap::Args;

use super::files;
use super::keygen::PenOptions;
use super::sign::{self, PlatformOption};
use super::signature::FoundSignature;
use super::timestamp::{Timestamps, TsaOptions};

/// Check the signature of files, without a kernel
///
/// The signature is the one in FILE.p7s, if there is such a file, or else the one inside of FILE. The signer's
/// certificate must be valid now, for signing programs, and, with --ca, issued by one of these CAs. All files are
/// checked; for a program that is not the one that was signed, the differences are shown.
#[derive(Args)]
pub struct Options {
    /// The signer's certificate, PEM or DER; in PEM, followed in the same file by those between it and the CA
    #[arg(long, value_name = "FILE", required_unless_present = "ca")]
    cert: Option<PathBuf>,

    /// Certificates of CAs that are trusted, PEM or DER [default: trust the signer's certificate itself]
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,

    #[command(flatten)]
    tsa: TsaOptions,

    #[command(flatten)]
    pen: PenOptions,

    /// The signature
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,

    #[command(flatten)]
    platform: PlatformOption,

    /// Signed files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(options: Options) -> Result<()> {
    let signers = Signers::new(&options)?;
    let mut failed = Vec::new();
    for path in &options.files {
        let outcome = files::read(path).and_then(|file| {
            check(path, &file, &options, &signers).with_context(|| path.display().to_string())
        });
        match outcome {
            Ok(true) => {}
            Ok(false) => failed.push(path.display().to_string()),
            Err(error) => {
                eprintln!("bpfsig: error: {error:#}");
                failed.push(path.display().to_string());
            }
        }
    }
    ensure!(failed.is_empty(), "not verified: {}", failed.join(", "));
    if signers.cas.is_empty() {
        eprintln!("bpfsig: warning: without --ca, nobody has checked who issued the certificate");
    }
    Ok(())
}

/// Whom to trust.
struct Signers {
    /// The signer, and the certificates between it and a CA.
    certificates: Vec<Certificate>,
    cas: Vec<Certificate>,
    tsas: Vec<Certificate>,
    pen: u32,
    now: SystemTime,
}

impl Signers {
    fn new(options: &Options) -> Result<Self> {
        Ok(Self {
            certificates: files::all_certificates(options.cert.as_slice())?,
            cas: files::all_certificates(&options.ca)?,
            tsas: options.tsa.certificates()?,
            pen: options.pen.pen,
            now: SystemTime::now(),
        })
    }

    /// The statement of a signature that one of the signers has made.
    fn statement(&self, signature: &[u8]) -> Result<(Statement, &Certificate, Timestamps)> {
        let messages = signature::read(signature)?;
        let message = &messages[0];
        let mut known = self.certificates.iter().take(1).chain(&self.cas);
        let signer =
            match (known.find(|known| known.subject_key_id() == message.signer()), &*self.certificates) {
                (Some(signer), _) | (None, [signer, ..]) => signer,
                (None, []) => {
                    bail!("signed by key {}: say with --cert where its certificate is", message.signer())
                }
            };
        let statement = signature::verify(&messages, signer)?;
        let seconds = self.now.duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        ensure!(!statement.is_expired(seconds), "the signature has expired");
        let timestamps = Timestamps::of(&messages, &self.tsas);
        timestamps.check(self.now, |time| self.trust(signer, &[], Purpose::Program, time))?;
        Ok((statement, signer, timestamps))
    }

    /// Checks that a signer is the one of --cert, if that is given, and at that time was certified by one of the CAs, if any
    /// are given.
    fn trust(
        &self,
        signer: &Certificate,
        others: &[Certificate],
        purpose: Purpose,
        time: SystemTime,
    ) -> Result<()> {
        let usage = ExpectedUsage::new(purpose, self.pen);
        if let Some(expected) = self.certificates.first() {
            ensure!(signer == expected, "signed by `{}`, not by `{}`", signer.subject(), expected.subject());
        }
        if self.cas.is_empty() {
            return Ok(trust::check(signer, &usage, time)?);
        }
        let between = [&self.certificates, others].concat();
        Ok(trust::check_path(signer, &self.cas, &between, &usage, time)?)
    }
}

/// Checks one file, and says what was checked. An error means that it could not be checked at all.
fn check(path: &Path, file: &[u8], options: &Options, signers: &Signers) -> Result<bool> {
    let found = match FoundSignature::of(path, file, options.signature.as_deref())? {
        Some(found) => found,
        None if pe::is_pe(file) => return check_image(path, file, signers),
        None => bail!("no signature in it and no {}", sign::signature_path(path).display()),
    };
    let FoundSignature { signature, descriptions, place } = found;
    let (statement, signer, timestamps) = signers.statement(&signature).with_context(|| place.clone())?;
    let descriptions = from_json(&descriptions).unwrap_or_default();
    let artifact = files::artifact(file, options.platform.platform, &descriptions.choices)?;
    println!("{}: {artifact}, signed by `{}` in {place}", path.display(), signer.subject());
    for line in timestamps.lines() {
        println!("  {line}");
    }
    for remark in artifact.remarks() {
        println!("  {remark}");
    }
    Ok(report(&artifact, &statement, descriptions.programs))
}

/// Prints for each thing in a file whether it was signed, and if not, how it differs.
fn report(artifact: &Artifact, statement: &Statement, descriptions: Vec<Description>) -> bool {
    let signed = signed_programs(statement, descriptions);
    let mut all = true;
    for (index, (entry, line)) in artifact.entries().iter().zip(sign::lines(artifact)).enumerate() {
        if statement.lists(entry) {
            println!("  {line}: ok");
            continue;
        }
        all = false;
        println!("  {line}: NOT SIGNED");
        let Some(program) = artifact.programs().get(index) else { continue };
        let Some(counterpart) = program.counterpart(&signed) else { continue };
        for difference in program.differences(counterpart) {
            println!("    {difference}");
        }
    }
    all
}

/// Descriptions of programs, without those that the statement does not list: they describe something else.
pub fn signed_programs(statement: &Statement, mut signed: Vec<Description>) -> Vec<Description> {
    signed.retain(|program| statement.lists(&Entry { kind: Kind::PROGRAM, digest: program.digest() }));
    signed
}

/// Checks the Authenticode signature in a PE image.
fn check_image(path: &Path, file: &[u8], signers: &Signers) -> Result<bool> {
    let image = Image::parse(file)?;
    let signature = Signature::read(&image)?;
    signature.verify(&image)?;
    // Those that can't be read can't be used on the way to a CA.
    let others: Vec<_> =
        signature.other_certificates().iter().flat_map(|der| Certificate::read(der)).collect();
    signers.trust(signature.signer(), &others, Purpose::Code, signers.now)?;
    println!("{}: PE image, signed by `{}` (Authenticode)", path.display(), signature.signer().subject());
    println!("  {}  PE image: ok", image.digest());
    Ok(true)
}
