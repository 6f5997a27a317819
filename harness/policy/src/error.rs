//! What can go wrong.

/// Why something about a policy failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The policy file is not TOML, or has something in it that a policy can't have.
    #[error("not a policy")]
    Toml(#[from] toml::de::Error),
    /// The policy is not valid.
    #[error("{0}")]
    Invalid(String),
    /// It is not an object that a policy has been compiled into.
    #[error("not a policy's object: {0}")]
    Object(&'static str),
    /// A program could not be loaded or attached.
    #[error(transparent)]
    Loading(#[from] bpfsig_loading::Error),
    /// The output of the report program could not be read.
    #[error("reading what the report program says")]
    Ring(#[source] libbpf_rs::Error),
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;
