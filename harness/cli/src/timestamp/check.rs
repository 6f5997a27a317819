//! Whether timestamps count.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Error, Result, bail, ensure};
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::Message;
use bpfsig_signing::timestamp::Timestamp;
use bpfsig_signing::trust::TrustError;
use clap::Args;

use super::describe;
use crate::files;

/// Whose timestamps count.
#[derive(Args)]
pub struct TsaOptions {
    /// Certificates of CAs of timestamp authorities that are trusted, PEM or DER: what was signed while the signer's certificate was
    /// valid, by their timestamps, still counts when it has expired
    #[arg(long, value_name = "FILE")]
    tsa: Vec<PathBuf>,
}

impl TsaOptions {
    pub fn certificates(&self) -> Result<Vec<Certificate>> {
        files::all_certificates(&self.tsa)
    }
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

    /// Checks that a signer is trusted now, or else was when all messages were signed. `at` says whether it is at some time.
    pub fn check<E: Into<Error>>(
        &self,
        now: SystemTime,
        at: impl Fn(SystemTime) -> Result<(), E>,
    ) -> Result<()> {
        let at = |time| at(time).map_err(Into::into);
        at(now).or_else(|error| self.excuse(error, at))
    }

    /// Checks that a signer was trusted when all messages were signed, although `now` is against it.
    fn excuse(&self, now: Error, at: impl Fn(SystemTime) -> Result<()>) -> Result<()> {
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
            Ok(()) => Ok(()),
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
