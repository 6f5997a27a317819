//! What host and guest say to each other.

use std::ops::Add;

use bpfsig_signing::program::Program;
use serde::{Deserialize, Serialize};

use crate::loader::Loader;

/// What the guest is to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Who loads.
    pub listing: Listing,
    /// Certificates (DER) for the secondary trusted keyring.
    pub certificates: Vec<Vec<u8>>,
    /// Certificates (DER) for the keyring of attesters.
    pub attesters: Vec<Vec<u8>>,
    /// The programs that [`Form::Programs`] refers to.
    pub programs: Vec<Program>,
    /// The loaders that [`Form::Loader`] refers to.
    pub loaders: Vec<Loader>,
    /// Groups of loads. The loads of a group take turns, so that whatever drifts in the kernel's state hits all of
    /// them alike.
    pub groups: Vec<Vec<Load>>,
}

/// Whether the program that loads is on an approve-list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// No list is enforced.
    #[default]
    NoList,
    /// It is.
    Listed,
    /// It is not.
    Unlisted,
}

/// One thing to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// What to call it in messages.
    pub name: String,
    /// What is handed to the kernel.
    pub form: Form,
    /// CMS messages, of which each sample takes the next; none: an unsigned load.
    pub signatures: Vec<Vec<u8>>,
    /// An instruction that replaces one of the first program's: index and encoding.
    pub replacement: Option<(usize, [u8; 8])>,
    /// What is attested of the programs; none: the kernel verifies them.
    pub attested: Option<AttestedFacts>,
}

/// Facts about the programs of a load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttestedFacts {
    /// For each program.
    pub facts: Vec<Vec<u8>>,
    /// CMS messages that attest all of them, of which each sample takes the next.
    pub messages: Vec<Vec<u8>>,
}

/// What is handed to the kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Form {
    /// Programs, by their indices in [`Plan::programs`]: they are loaded one after the other, and make up one sample
    /// together.
    Programs(Vec<usize>),
    /// A program that loads them, by its index in [`Plan::loaders`].
    Loader(usize),
}

/// What the guest found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Release and version of the running kernel.
    pub kernel: String,
    /// For each load of each group.
    pub groups: Vec<Vec<Measured>>,
}

/// What one load was found to do and to take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// 0, or why the kernel refused the program.
    pub errno: i32,
    /// The verifier log of the last load, and of the last program that was loaded then.
    pub log: String,
    /// Bytes of JITed code, of all programs; 0 if they were refused or not JITed.
    pub jited_size: u32,
    /// Each measured load, in order.
    pub samples: Vec<Sample>,
}

/// One load. Nanoseconds of the guest's clock; with the TCG engine that is instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The whole system call, or all of them if it is several programs; for a loader, also its run.
    pub total: u64,
    /// All system calls of the load, from nothing to the end of that one: BTF and maps too.
    pub loaded: u64,
    /// The signature check, if there was one.
    pub signature: Option<SignatureTimes>,
    /// The verifier, if it ran to the end; whole microseconds. Of a loader, that of the program that it loads.
    pub verifier: Option<u64>,
}

/// Where the time of a signature check went, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureTimes {
    /// All of it.
    pub total: u64,
    /// Parsing the CMS message and finding the signer's key.
    pub message: u64,
    /// The public key operation.
    pub public_key: u64,
    /// Building the manifest and looking for it in the statement.
    pub manifest: u64,
}

impl Add for SignatureTimes {
    type Output = SignatureTimes;

    fn add(self, other: SignatureTimes) -> SignatureTimes {
        SignatureTimes {
            total: self.total + other.total,
            message: self.message + other.message,
            public_key: self.public_key + other.public_key,
            manifest: self.manifest + other.manifest,
        }
    }
}

/// The verifier's figures on its own work, in veristat's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifierStats {
    /// Instructions processed, each as often as it was visited.
    pub total_insns: u64,
    /// States kept, all told.
    pub total_states: u64,
    /// States kept at the same time.
    pub peak_states: u64,
    /// States kept at one instruction.
    pub max_states_per_insn: u64,
    /// Longest chain of states that liveness marks travelled.
    pub max_mark_read_len: u64,
    /// Bytes of stack, summed over the subprograms.
    pub stack_depth: u64,
}
