//! SHA-256, the only digest in all formats.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest. Shown and serialised as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(#[serde(with = "hex::serde")] pub [u8; Digest::SIZE]);

impl Digest {
    /// Bytes in a digest.
    pub const SIZE: usize = 32;

    /// Stands for something that is absent.
    pub const ZERO: Digest = Digest([0; Digest::SIZE]);

    /// The digest of `data`.
    pub fn of(data: impl AsRef<[u8]>) -> Self {
        Digest(Sha256::digest(data.as_ref()).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
