//! `bpfsig timestamp`, and what `verify` makes of timestamps.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Error, Result, bail, ensure};
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::{self, Message};
use bpfsig_signing::timestamp::{self, Timestamp, TimestampError};
use bpfsig_signing::trust::TrustError;
use bpfsig_signing::{embed, pe, signature};
use clap::Subcommand;

use super::files;

/// Have an authority say when a signature was made, so that it outlives the signer's certificate
#[derive(Subcommand)]
pub enum Command {
    /// Write a request for a timestamp (RFC 3161) to FILE.tsq, for any authority to answer
    ///
    /// Of a signature in several CMS messages, each needs a timestamp: the request is for the first that has none.
    Request {
        /// A signature (.p7s), or an eBPF object with a signature in it
        file: PathBuf,
    },
    /// Check the authority's answer and put its timestamp into the signature
    ///
    /// Which authorities count is for `bpfsig verify --tsa` to say.
    Add {
        /// The signature (.p7s), or the eBPF object with the signature in it
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
            Signed::read(&path)?.add(&path, &timestamp).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// A file with a signature.
struct Signed {
    bytes: Vec<u8>,
    is_embedded: bool,
}

impl Signed {
    fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        ensure!(
            !pe::is_pe(&bytes),
            "{}: bpfsig gives no timestamps to Authenticode signatures; `osslsigncode add -ts URL` does, for Windows to check",
            path.display()
        );
        let is_embedded = embed::signature(&bytes).is_some();
        Ok(Self { bytes, is_embedded })
    }

    /// The CMS message, or several.
    fn signature(&self) -> &[u8] {
        embed::signature(&self.bytes).unwrap_or(&self.bytes)
    }

    fn messages(&self) -> Result<Vec<Message>> {
        signature::read(self.signature())
            .context("neither a signature (.p7s) nor an eBPF object with one in it")
    }

    /// Puts a timestamp into the message that it is for.
    fn add(&self, path: &Path, timestamp: &Timestamp) -> Result<()> {
        let messages = self.messages()?;
        let verify = |message: &Message| timestamp.verify(message.signature());
        let is_its = |message: &Message| !matches!(verify(message), Err(TimestampError::Other));
        let index = messages.iter().position(is_its).unwrap_or(0);
        verify(&messages[index])?;
        if let Some(earlier) = messages[index].timestamp() {
            let earlier = Timestamp::parse(earlier).map(|earlier| describe(&earlier));
            let earlier = earlier.unwrap_or_else(|error| format!("one that can't be read ({error})"));
            bail!("it has a timestamp already, {earlier}; to replace it, sign again");
        }

        let mut parts: Vec<_> = signature::split(self.signature()).into_iter().map(<[u8]>::to_vec).collect();
        parts[index] = cms::with_timestamp(&parts[index], timestamp.to_der()).context(
            "there is no room for the timestamp: sign fewer files together, or ask an authority that sends fewer \
             certificates",
        )?;
        let signature = parts.concat();
        let bytes = match self.is_embedded {
            true => {
                embed::write(&self.bytes, &signature, embed::descriptions(&self.bytes).unwrap_or_default())?
            }
            false => signature,
        };
        files::replace(path, &bytes)?;
        println!("{}: timestamp {}, {} bytes", path.display(), describe(timestamp), bytes.len());
        let missing = |(at, message): &(usize, &Message)| *at != index && message.timestamp().is_none();
        match messages.iter().enumerate().filter(missing).count() {
            0 => {}
            count => println!("{count} of {} messages have none yet: request the next", messages.len()),
        }
        Ok(())
    }
}

/// When, and by whom.
pub fn describe(timestamp: &Timestamp) -> String {
    let time = humantime::format_rfc3339_seconds(timestamp.time());
    format!("of {time} by `{}`", timestamp.authority().subject())
}

/// The timestamps of a signature as `verify` sees them.
pub struct Timestamps {
    /// Of each message. An error is why one does not count.
    messages: Vec<Option<Result<Timestamp>>>,
    /// Whether any authority is trusted.
    has_authorities: bool,
}

impl Timestamps {
    /// Those of all messages. Only authorities below one of `tsas` count.
    pub fn of(messages: &[Message], tsas: &[Certificate]) -> Self {
        let check = |message: &Message, token| {
            let timestamp = Timestamp::parse(token)?;
            timestamp.verify(message.signature())?;
            ensure!(
                !tsas.is_empty(),
                "say with --tsa whose timestamps count; it is {}",
                describe(&timestamp)
            );
            timestamp.check_authority(tsas)?;
            Ok(timestamp)
        };
        let messages = messages.iter().map(|message| Some(check(message, message.timestamp()?)));
        Self { messages: messages.collect(), has_authorities: !tsas.is_empty() }
    }

    /// Checks that a signer was trusted when all messages were signed, although `now` is against it.
    pub fn excuse(self, now: Error, at: impl Fn(SystemTime) -> Result<()>) -> Result<Self> {
        // Who does not use timestamps need not hear of them.
        if !self.has_authorities && self.messages.iter().all(Option::is_none) {
            return Err(now);
        }
        let outcome = self.messages.iter().try_for_each(|timestamp| match timestamp {
            None if self.messages.len() == 1 => bail!("{now}, and the signature has no timestamp"),
            None => bail!("{now}, and one of the CMS messages has no timestamp"),
            Some(Err(error)) => bail!("{now}, and its timestamp does not count: {error:#}"),
            Some(Ok(timestamp)) => at(timestamp.latest_time()).with_context(|| {
                format!("at {}, by its timestamp", humantime::format_rfc3339_seconds(timestamp.time()))
            }),
        });
        match outcome {
            Ok(()) => Ok(self),
            Err(error) if now.downcast_ref().is_some_and(TrustError::is_expiry) => Err(error),
            // It was no different then.
            Err(_) => Err(now),
        }
    }

    /// A line for each that there is.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.messages.iter().flatten().map(|timestamp| match timestamp {
            Ok(timestamp) => format!("timestamp {}", describe(timestamp)),
            Err(error) => format!("its timestamp does not count: {error:#}"),
        })
    }
}
