//! What can go wrong.

/// Why something about a policy failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The policy file is not TOML, or says something other than a policy can say.
    #[error("not a policy")]
    Toml(#[from] toml::de::Error),
    /// The policy can't be as it is.
    #[error("{0}")]
    Invalid(String),
    /// It is not an object that a policy has been compiled into.
    #[error("not a policy's object: {0}")]
    Object(&'static str),
    /// A program could not be loaded or attached.
    #[error(transparent)]
    Loading(#[from] bpfsig_loading::Error),
    /// What the report program says could not be read.
    #[error("reading what the report program says")]
    Ring(#[source] libbpf_rs::Error),
}

/// The result of what can go wrong.
pub type Result<T, E = Error> = std::result::Result<T, E>;
