//! The ways to hand a program to the kernel.

use serde::Serialize;

/// How a program is presented, which decides what the kernel has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Without a signature.
    Unsigned,
    /// With a valid signature by a known signer.
    Signed,
    /// A known signer, but the signature is broken.
    Forged,
    /// A valid signature by a signer that the kernel does not know.
    UnknownSigner,
    /// A valid signature by a known signer, but one instruction has been changed since.
    Altered,
}

impl Mode {
    /// All modes with a signature.
    pub const WITH_SIGNATURE: [Mode; 4] = [Mode::Signed, Mode::Forged, Mode::UnknownSigner, Mode::Altered];

    /// How a kernel that checks signatures must answer: an errno, or 0 if it must accept.
    pub fn errno(self) -> i32 {
        match self {
            Mode::Unsigned | Mode::Signed => 0,
            Mode::Forged | Mode::Altered => libc::EKEYREJECTED,
            Mode::UnknownSigner => libc::ENOKEY,
        }
    }

    /// As it is called in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Unsigned => "unsigned",
            Mode::Signed => "signed",
            Mode::Forged => "forged",
            Mode::UnknownSigner => "unknown-signer",
            Mode::Altered => "altered",
        }
    }
}
