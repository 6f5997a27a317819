//! What can be wrong with a timestamp.

use super::asn1::StatusInfo;
use crate::Error;
use crate::trust::TrustError;

/// Why there is no timestamp, or why one does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// No random numbers.
    #[error("no random numbers for a request: {0}")]
    Nonce(String),
    /// Something that is not an answer of an authority.
    #[error("not a timestamp authority's answer (RFC 3161, DER)")]
    Response(#[source] der::Error),
    /// An answer without a timestamp.
    #[error("the authority has not made a timestamp: {0}")]
    Refused(String),
    /// Something that is not a timestamp, or not DER encoded.
    #[error("not a DER encoded timestamp")]
    Encoding(#[from] der::Error),
    /// A timestamp that is put together in another way.
    #[error("timestamp: {0}")]
    Profile(&'static str),
    /// A timestamp of something else.
    #[error("the timestamp is of another signature")]
    Other,
    /// A timestamp that the authority has not signed like this.
    #[error("the timestamp's own signature is wrong: it has been altered")]
    Wrong,
    /// An authority whose certificate does not make it one.
    #[error(
        "the certificate of `{subject}` is not for timestamps: its extended key usage has to be timeStamping alone, and critical"
    )]
    Usage {
        /// The certificate's subject.
        subject: String,
    },
    /// An authority whose certificate can't be used.
    #[error("the timestamp authority's certificate")]
    Certificate(#[source] Error),
    /// An authority that is not trusted.
    #[error("the timestamp authority is not trusted")]
    Authority(#[from] TrustError),
}

impl TimestampError {
    /// In the authority's words, or else in those of RFC 3161, 2.4.2.
    pub(super) fn refused(status: &StatusInfo) -> Self {
        let statuses = [
            "it says that it has, but there is none in its answer",
            "it says that it has, but there is none in its answer",
            "it rejects the request",
            "it will do so later",
            "it warns of a revocation",
            "it has revoked something",
        ];
        let failures = [
            (0, "it does not know the digest algorithm"),
            (2, "it does not allow the request"),
            (5, "it can't read the request"),
            (14, "it does not know what time it is"),
            (15, "it does not know the policy"),
            (16, "it does not know an extension"),
            (17, "it can't say more"),
            (25, "it has failed"),
        ];
        let status_words = statuses.get(usize::from(status.status)).copied();
        let mut words = vec![status_words.unwrap_or("its answer has an unknown status").to_owned()];
        let is_set = |bit| {
            let bits = status.failure.as_ref();
            bits.is_some_and(|failure| failure.bits().nth(bit) == Some(true))
        };
        words.extend(failures.iter().filter(|(bit, _)| is_set(*bit)).map(|(_, text)| (*text).to_owned()));
        // It is a stranger's text, and goes to a terminal.
        let quoted = |text: &String| format!("`{}`", text.escape_debug());
        words.extend(status.text.iter().flatten().map(quoted));
        TimestampError::Refused(words.join(", "))
    }
}
