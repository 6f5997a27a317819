//! `bpfsig inspect`.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use bpfsig_signing::cms::Message;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::statement::Statement;
use clap::Args;

use super::files;

/// Show what a signature vouches for, or what a signature of an eBPF object would bind
#[derive(Args)]
pub struct Options {
    /// A signature (.p7s) or an eBPF object
    file: PathBuf,
}

pub fn run(options: Options) -> Result<()> {
    let bytes = files::read(&options.file)?;
    let text = if bytes.starts_with(b"\x7fELF") { object(&bytes) } else { signature(&bytes) }
        .with_context(|| options.file.display().to_string())?;
    print!("{text}");
    Ok(())
}

fn signature(bytes: &[u8]) -> Result<String> {
    let message = Message::parse(bytes).context("neither an eBPF object nor a signature")?;
    let mut text = format!("signer     {}\nalgorithm  {}\n", message.signer(), message.algorithm());
    let Some(content) = message.content() else {
        text += "content    detached\n";
        return Ok(text);
    };
    let statement = Statement::decode(content)?;
    let expiry = match statement.expiry {
        0 => "never".to_owned(),
        seconds => humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string(),
    };
    writeln!(text, "expires    {expiry}")?;
    for entry in &statement.entries {
        writeln!(text, "{}  {}", entry.digest, entry.kind)?;
    }
    Ok(text)
}

fn object(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    for program in Object::parse(bytes)?.programs() {
        let manifest = Manifest::of(program)?;
        writeln!(text, "{}  {}", manifest.digest(), program.name)?;
        writeln!(text, "{manifest}")?;
    }
    Ok(text)
}
