//! `bpfsig verify`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use bpfsig_signing::cms::Message;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use clap::Args;

use super::{files, sign};

/// Check the signature of eBPF objects, without a kernel
#[derive(Args)]
pub struct Options {
    /// The signer's certificate
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,

    /// The signature [default: FILE.p7s]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,

    /// eBPF objects
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(options: Options) -> Result<()> {
    let path = match (&options.signature, &options.files[..]) {
        (Some(path), _) => path.clone(),
        (None, [file]) => sign::signature_path(file),
        (None, _) => bail!("several files have one signature together: say with --signature where it is"),
    };
    let certificate = files::certificate(&options.cert)?;
    let message = Message::parse(&files::read(&path)?).with_context(|| path.display().to_string())?;
    let content = message.verify(&certificate).with_context(|| path.display().to_string())?;
    let statement = Statement::decode(content).with_context(|| path.display().to_string())?;

    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    ensure!(!statement.is_expired(seconds), "{}: the signature has expired", path.display());
    ensure!(now <= certificate.not_after(), "{}: the certificate has expired", options.cert.display());

    let mut unlisted = 0;
    for file in &options.files {
        for program in files::object(file)?.programs() {
            let digest = Manifest::of(program).with_context(|| file.display().to_string())?.digest();
            let listed = statement.lists(&Entry { kind: Kind::PROGRAM, digest });
            unlisted += usize::from(!listed);
            let verdict = if listed { "ok" } else { "NOT SIGNED" };
            println!("{digest}  {}: {}: {verdict}", file.display(), program.name);
        }
    }
    ensure!(unlisted == 0, "{}: {unlisted} programs are not the ones that were signed", path.display());
    Ok(())
}
