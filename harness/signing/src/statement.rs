//! The statement: what a signature vouches for, one per package.

use std::fmt;

use crate::fields::Fields;
use crate::{Digest, Error, Result};

const MAGIC: [u8; 8] = *b"BPFSIGST";
const VERSION: u16 = 1;
const ALGORITHM_SHA256: u16 = 1;
const HEADER_SIZE: usize = 32;
const ENTRY_SIZE: usize = 4 + Digest::SIZE;

/// The kind of thing that an entry's digest covers. Other numbers are allowed and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(pub u32);

impl Kind {
    /// The manifest of a Linux program.
    pub const PROGRAM: Kind = Kind(1);
    /// A whole file.
    pub const FILE: Kind = Kind(2);
    /// A PE image, as Authenticode computes it.
    pub const PE_IMAGE: Kind = Kind(3);
    /// An attestation.
    pub const ATTESTATION: Kind = Kind(4);
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Kind::PROGRAM => f.write_str("program"),
            Kind::FILE => f.write_str("file"),
            Kind::PE_IMAGE => f.write_str("PE image"),
            Kind::ATTESTATION => f.write_str("attestation"),
            Kind(number) => write!(f, "kind {number}"),
        }
    }
}

/// One thing that a statement vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The kind of thing that it covers.
    pub kind: Kind,
    /// Its SHA-256 digest.
    pub digest: Digest,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Seconds since the epoch after which it no longer counts; 0: never.
    pub expiry: u64,
    /// What it vouches for.
    pub entries: Vec<Entry>,
}

impl Statement {
    /// Whether the statement vouches for `entry`.
    pub fn lists(&self, entry: &Entry) -> bool {
        self.entries.contains(entry)
    }

    /// Whether the statement no longer counts at `now`, in seconds since the epoch.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expiry != 0 && now > self.expiry
    }

    /// The statement as it is signed: `32 + 36 × entries` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::StatementEmpty`] or [`Error::StatementTooLong`].
    pub fn encode(&self) -> Result<Vec<u8>> {
        if self.entries.is_empty() {
            return Err(Error::StatementEmpty);
        }
        let count =
            u32::try_from(self.entries.len()).map_err(|_| Error::StatementTooLong(self.entries.len()))?;

        let mut bytes = Vec::with_capacity(HEADER_SIZE + ENTRY_SIZE * self.entries.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(ALGORITHM_SHA256.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(self.expiry.to_le_bytes());
        bytes.extend([0; 8]);
        for Entry { kind, digest } in &self.entries {
            bytes.extend(kind.0.to_le_bytes());
            bytes.extend(digest.0);
        }
        Ok(bytes)
    }

    /// Reads a statement, as strictly as the kernel does.
    ///
    /// # Errors
    ///
    /// One of the `Error::Statement*`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields(bytes);
        let (Some(magic), Some(version), Some(algorithm), Some(count), Some(expiry), Some(reserved)) =
            (fields.take(), fields.u16(), fields.u16(), fields.u32(), fields.u64(), fields.take())
        else {
            return Err(Error::StatementSize { expected: HEADER_SIZE as u64, actual: bytes.len() as u64 });
        };

        if magic != MAGIC {
            return Err(Error::StatementMagic);
        }
        if version != VERSION {
            return Err(Error::StatementVersion(version));
        }
        if algorithm != ALGORITHM_SHA256 {
            return Err(Error::StatementAlgorithm(algorithm));
        }
        if reserved != [0; 8] {
            return Err(Error::StatementReserved);
        }
        if count == 0 {
            return Err(Error::StatementEmpty);
        }
        let expected = HEADER_SIZE as u64 + ENTRY_SIZE as u64 * u64::from(count);
        if bytes.len() as u64 != expected {
            return Err(Error::StatementSize { expected, actual: bytes.len() as u64 });
        }

        let mut entries = Vec::with_capacity(count as usize);
        while let (Some(kind), Some(digest)) = (fields.u32(), fields.take()) {
            entries.push(Entry { kind: Kind(kind), digest: Digest(digest) });
        }
        Ok(Statement { expiry, entries })
    }
}
