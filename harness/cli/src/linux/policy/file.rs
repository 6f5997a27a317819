//! `bpfsig policy init` and `sign`: from a report to a policy that a machine takes.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use bpfsig_policy::{Policy, Report, compile};
use bpfsig_signing::certificate::Purpose;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::to_json;
use bpfsig_signing::statement::Statement;
use bpfsig_signing::trust::{self, ExpectedUsage};
use bpfsig_signing::{embed, signature};
use clap::Args;

use crate::files;
use crate::keygen::PenOptions;
use crate::sign;
use crate::signer::SignerOptions;

/// Make a policy out of a report, for a person to edit
///
/// It grants all that the report has: by its digest what was seen, and by a class, which says what programs are able to do,
/// what is not the same each time.
#[derive(Args)]
pub struct InitOptions {
    /// What `policy report --json` has printed
    #[arg(value_name = "REPORT")]
    report: PathBuf,
}

pub fn init(options: &InitOptions) -> Result<()> {
    print!("{}", Policy::draft(&report(&options.report)?)?);
    Ok(())
}

/// Reads what `policy report --json` has printed.
pub fn report(path: &Path) -> Result<Report> {
    serde_json::from_slice(&files::read(path)?)
        .with_context(|| format!("{}: not what `policy report --json` prints", path.display()))
}

/// Sign a policy: compile it into the program that a machine consults
///
/// The certificate must be for programs and for policies (`keygen signer --purpose program --purpose policy`).
#[derive(Args)]
pub struct SignOptions {
    #[command(flatten)]
    signer: SignerOptions,

    /// Days that the signature is valid for [default: for ever]
    #[arg(long)]
    days: Option<u32>,

    #[command(flatten)]
    pen: PenOptions,

    /// Where to write the signed policy [default: POLICY with .bpf.o for .toml]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The policy
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
}

pub fn sign(options: &SignOptions) -> Result<()> {
    let context = || options.policy.display().to_string();
    let text = String::from_utf8(files::read(&options.policy)?).with_context(context)?;
    let policy = Policy::parse(&text).with_context(context)?;
    let signer = options.signer.signer()?;
    for purpose in [Purpose::Program, Purpose::Policy] {
        trust::check(signer.certificate(), &ExpectedUsage::new(purpose, options.pen.pen), SystemTime::now())
            .with_context(|| {
                format!("the kernel would refuse the policy: the certificate is not for a {purpose}")
            })?;
    }
    let object = compile(&policy).with_context(context)?;
    let artifact = files::artifact(&object, None, &Choices::default())?;
    let statement = Statement { expiry: sign::expiry(options.days)?, entries: artifact.entries() };
    let descriptions = to_json(artifact.programs(), &Choices::default());
    let signed = embed::write(&object, &signature::sign(&statement, &signer)?, descriptions.as_bytes())?;
    let output = options.output.clone().unwrap_or_else(|| options.policy.with_extension("bpf.o"));
    files::replace(&output, &signed)?;
    for line in sign::lines(&artifact) {
        println!("{line}  {}", output.display());
    }
    println!(
        "version {}: {} programs, {} classes, signed by {}",
        policy.version,
        policy.programs.len(),
        policy.classes.len(),
        signer.certificate().subject_key_id()
    );
    Ok(())
}
