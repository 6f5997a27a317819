//! The environment that figures come from.

use serde::{Deserialize, Serialize};

/// Follows the commit if the sources have changed since.
pub const DIRTY: &str = "-dirty";

/// The environment of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// What executed the guest.
    pub engine: String,
    /// What all figures count.
    pub unit: Unit,
    /// The measured kernels.
    pub kernels: Vec<KernelIdentity>,
    /// QEMU's version; none: it did not run there.
    pub qemu: Option<String>,
    /// The host's processor.
    pub cpu: String,
    /// This project's commit, with [`DIRTY`] and a digest of the changes if the sources have been changed since; none if that
    /// is not known.
    pub commit: Option<String>,
    /// When the run began, in UTC.
    pub date: String,
    /// The arguments of `bpfsig`.
    pub command: String,
    /// How long the run took, in seconds, with kernels that had to be built first.
    pub seconds: u64,
}

/// What figures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Instructions that the guest executed, in kernel and system call alike.
    #[serde(rename = "guest instructions")]
    Instructions,
    /// Real nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
}

/// A measured kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelIdentity {
    /// The variant, as `bpfsig kernel build` calls it.
    pub variant: String,
    /// Release and version.
    pub version: String,
    /// SHA-256 of its configuration.
    pub config_sha256: String,
    /// SHA-256 of its patches; none: it is not patched.
    pub patches_sha256: Option<String>,
}
