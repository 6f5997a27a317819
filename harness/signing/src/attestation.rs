//! Attestations: an attester vouches that a kernel's verifier learned these facts about a program.

use serde::{Deserialize, Serialize};

use crate::facts::BuildId;
use crate::statement::{Entry, Kind};
use crate::{Digest, Error, Result};

/// Bytes in an encoded attestation.
pub const SIZE: usize = 76;

const MAGIC: [u8; 8] = *b"BPFSIGAT";
const VERSION: u32 = 1;

/// States that these are the facts about this program (`struct bpf_sig_attestation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The digest of the program's manifest.
    pub manifest: Digest,
    /// The digest of the facts.
    pub facts: Digest,
}

impl Attestation {
    /// The attestation as the kernel lays it out.
    pub fn to_bytes(&self) -> [u8; SIZE] {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.manifest.0);
        bytes.extend(self.facts.0);
        bytes.try_into().expect("the fields add up to SIZE")
    }

    /// Its entry in a statement.
    pub fn entry(&self) -> Entry {
        Entry { kind: Kind::ATTESTATION, digest: Digest::of(self.to_bytes()) }
    }
}

/// Suffix of the file with an object's [`Attestations`].
pub const SUFFIX: &str = ".attest";

/// All attestations of an object's programs: a JSON file beside the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attestations {
    /// At most one for each kernel.
    pub kernels: Vec<KernelAttestation>,
}

/// One attester's attestation for one kernel. In JSON, binary data is hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelAttestation {
    /// The kernel.
    pub build_id: BuildId,
    /// Its release and version as `uname` has them, for people.
    pub release: String,
    /// The CMS message whose statement lists an attestation for each program.
    #[serde(with = "hex::serde")]
    pub message: Vec<u8>,
    /// The programs; those that the kernel has no facts about are missing.
    pub programs: Vec<AttestedProgram>,
}

/// A program and the facts about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestedProgram {
    /// The program's name, for people.
    pub name: String,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The facts, see [`Facts`](crate::facts::Facts).
    #[serde(with = "hex::serde")]
    pub facts: Vec<u8>,
}

impl AttestedProgram {
    /// What an attester signs.
    pub fn attestation(&self) -> Attestation {
        Attestation { manifest: self.manifest, facts: Digest::of(&self.facts) }
    }
}

impl KernelAttestation {
    /// The facts about a program, by the digest of its manifest.
    pub fn facts(&self, manifest: &Digest) -> Option<&[u8]> {
        self.programs.iter().find(|program| program.manifest == *manifest).map(|program| &*program.facts)
    }
}

/// The version of the file format.
const FILE_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<K> {
    version: u32,
    kernels: K,
}

impl Attestations {
    /// The attestation for a kernel.
    pub fn kernel(&self, build_id: &BuildId) -> Option<&KernelAttestation> {
        self.kernels.iter().find(|kernel| kernel.build_id == *build_id)
    }

    /// Adds an attestation, in place of an earlier one for the same kernel.
    pub fn insert(&mut self, attestation: KernelAttestation) {
        self.kernels.retain(|kernel| kernel.build_id != attestation.build_id);
        self.kernels.push(attestation);
    }

    /// The content of the file: `{"version": 1, "kernels": […]}`.
    pub fn to_json(&self) -> String {
        let file = File { version: FILE_VERSION, kernels: &self.kernels };
        serde_json::to_string_pretty(&file).expect("an attestation has no keys but names") + "\n"
    }

    /// Reads the content of such a file. Messages and facts are not checked.
    ///
    /// # Errors
    ///
    /// [`Error::Attestations`], [`Error::AttestationsVersion`], [`Error::AttestationsTwice`].
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let file: File<serde_json::Value> = serde_json::from_slice(json).map_err(Error::Attestations)?;
        if file.version != FILE_VERSION {
            return Err(Error::AttestationsVersion(file.version));
        }
        let kernels: Vec<KernelAttestation> =
            serde_json::from_value(file.kernels).map_err(Error::Attestations)?;
        for (index, kernel) in kernels.iter().enumerate() {
            if kernels[..index].iter().any(|other| other.build_id == kernel.build_id) {
                return Err(Error::AttestationsTwice(kernel.build_id));
            }
        }
        Ok(Attestations { kernels })
    }
}
