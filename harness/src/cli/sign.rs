//! `bpfsig sign`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use clap::{Args, ValueEnum};

use super::files;
use super::signer::SignerOptions;

/// Sign eBPF objects: one signature for all their programs
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    signer: SignerOptions,

    /// Digest algorithm
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,

    /// Days that the signature counts for [default: for ever]
    #[arg(long)]
    days: Option<u32>,

    /// Where to write the signature [default: FILE.p7s]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// eBPF objects
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The digest algorithms that the formats have a number for.
#[derive(Clone, Copy, ValueEnum)]
enum Hash {
    Sha256,
}

pub fn run(options: Options) -> Result<()> {
    let Hash::Sha256 = options.hash;
    let output = match (&options.output, &options.files[..]) {
        (Some(output), _) => output.clone(),
        (None, [file]) => signature_path(file),
        (None, _) => bail!("several files have one signature together: say with --output where to write it"),
    };

    let signer = options.signer.signer()?;
    let mut entries = Vec::new();
    for path in &options.files {
        for program in files::object(path)?.programs() {
            let digest = Manifest::of(program).with_context(|| path.display().to_string())?.digest();
            println!("{digest}  {}: {}", path.display(), program.name);
            let entry = Entry { kind: Kind::PROGRAM, digest };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }

    let statement = Statement { expiry: expiry(options.days)?, entries };
    let signature = cms::sign_attached(&statement.encode()?, &signer)?;
    files::replace(&output, &signature)?;
    println!(
        "{}: signed by {} ({} bytes)",
        output.display(),
        signer.certificate().subject_key_id(),
        signature.len()
    );
    Ok(())
}

/// Where the signature of a file is when nobody says otherwise: beside it.
pub fn signature_path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".p7s");
    path.into()
}

fn expiry(days: Option<u32>) -> Result<u64> {
    let Some(days) = days else { return Ok(0) };
    let end = SystemTime::now() + Duration::from_secs(u64::from(days) * 24 * 60 * 60);
    Ok(end.duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs())
}
