//! `bpfsig timestamp`, and what `verify` and `package` make of timestamps.

mod check;
mod signed;

pub use check::{Timestamps, TsaOptions};

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bpfsig_signing::cms::{self, Message};
use bpfsig_signing::signature;
use bpfsig_signing::timestamp::{self, Timestamp, TimestampError};
use clap::Subcommand;

use self::signed::Signed;
use super::files;

/// Have an authority say when a signature was made, so that it outlives the signer's certificate
#[derive(Subcommand)]
pub enum Command {
    /// Write a request for a timestamp (RFC 3161) to FILE.tsq, for any authority to answer
    ///
    /// Of a signature in several CMS messages, each needs a timestamp: the request is for the first that has none.
    Request {
        /// A signature (.p7s), an eBPF object with a signature in it, or a package
        file: PathBuf,
    },
    /// Check the authority's answer and put its timestamp into the signature
    ///
    /// Which authorities count is for `bpfsig verify --tsa` to say.
    Add {
        /// The signature (.p7s), the eBPF object with the signature in it, or the package
        file: PathBuf,

        /// The answer
        #[arg(value_name = "ANSWER")]
        answer: PathBuf,
    },
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Request { file: path } => {
            let file = Signed::read(&path)?;
            let messages = file.messages().with_context(|| path.display().to_string())?;
            let without = messages.iter().position(|message| message.timestamp().is_none());
            let index = without.with_context(|| {
                format!("{} has a timestamp already; to replace it, sign again", path.display())
            })?;
            let request = timestamp::request(messages[index].signature())?;
            let mut output = OsString::from(&path);
            output.push(".tsq");
            files::replace(output.as_ref(), &request)?;
            let part = match messages.len() {
                1 => String::new(),
                count => format!(", for message {} of {count}", index + 1),
            };
            println!("{}: {} bytes{part}", Path::new(&output).display(), request.len());
        }
        Command::Add { file: path, answer } => {
            let bytes = files::read(&answer)?;
            let timestamp = Timestamp::from_answer(&bytes).with_context(|| answer.display().to_string())?;
            add(Signed::read(&path)?, &path, &timestamp).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Puts a timestamp into the message that it is for.
fn add(file: Signed, path: &Path, timestamp: &Timestamp) -> Result<()> {
    let messages = file.messages()?;
    let verify = |message: &Message| timestamp.verify(message.signature());
    let is_its = |message: &Message| !matches!(verify(message), Err(TimestampError::Other));
    let index = messages.iter().position(is_its).unwrap_or(0);
    verify(&messages[index])?;
    if let Some(earlier) = messages[index].timestamp() {
        let earlier = Timestamp::parse(earlier).map(|earlier| describe(&earlier));
        let earlier = earlier.unwrap_or_else(|error| format!("one that can't be read ({error})"));
        bail!("it has a timestamp already, {earlier}; to replace it, sign again");
    }

    let mut parts: Vec<_> = signature::split(file.signature()).into_iter().map(<[u8]>::to_vec).collect();
    parts[index] = cms::with_timestamp(&parts[index], timestamp.to_der()).context(
        "there is no room for the timestamp: sign fewer files together, or ask an authority that sends fewer \
         certificates",
    )?;
    let bytes = file.with_signature(parts.concat())?;
    files::replace(path, &bytes)?;
    println!("{}: timestamp {}, {} bytes", path.display(), describe(timestamp), bytes.len());
    let missing = |(at, message): &(usize, &Message)| *at != index && message.timestamp().is_none();
    match messages.iter().enumerate().filter(missing).count() {
        0 => {}
        count => println!("{count} of {} messages have none yet: request the next", messages.len()),
    }
    Ok(())
}

/// When, and by whom.
fn describe(timestamp: &Timestamp) -> String {
    let time = humantime::format_rfc3339_seconds(timestamp.time());
    format!("of {time} by `{}`", timestamp.authority().subject())
}
