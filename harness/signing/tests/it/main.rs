//! Known answers that other tools agree with, and bad input. Needs `openssl` and compilers.

mod artifact;
mod attestation;
mod authenticode;
mod certificate;
mod cms;
mod compilers;
mod description;
mod difference;
mod embed;
mod facts;
mod key;
mod kinds;
mod manifest;
mod ml_dsa;
mod openssl;
mod package;
mod parameter;
mod signature;
mod statement;
mod timestamp;
mod trust;

/// An error with its sources, as the command prints it.
fn words(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
