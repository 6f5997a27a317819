//! Messages between host and guest.

use crate::loader::Loader as LoaderProgram;
use bpfsig_signing::program::{INSN_SIZE, Program};
use serde::{Deserialize, Serialize};

use super::super::guest::CheckTimes;
use crate::results::Key;
use crate::scenario::Loader;

/// What the guest is to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Who loads.
    pub loader: Loader,
    /// Certificates (DER) for the secondary trusted keyring.
    pub certificates: Vec<Vec<u8>>,
    /// Certificates (DER) for the keyring of attesters.
    pub attesters: Vec<Vec<u8>>,
    /// A policy that is in force.
    pub policy: Option<SignedPolicy>,
    /// The programs that [`PlannedForm::Programs`] refers to.
    pub programs: Vec<Program>,
    /// The loader programs that [`PlannedForm::Loader`] refers to.
    pub loaders: Vec<LoaderProgram>,
    /// Groups of loads. The loads of a group take turns, so that any drift in the kernel's state affects all of them alike.
    pub groups: Vec<Vec<PlannedLoad>>,
}

/// A policy, by a signer whose certificate is among [`Plan::certificates`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedPolicy {
    /// The object of its program.
    pub object: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
}

/// One thing to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedLoad {
    /// Program, scenario and algorithm.
    pub key: Key,
    /// What is handed to the kernel.
    pub form: PlannedForm,
    /// CMS messages, of which each sample takes the next; none: an unsigned load.
    pub signatures: Vec<Vec<u8>>,
    /// An instruction that replaces an instruction of the first program: index and encoding.
    pub replacement: Option<(usize, [u8; INSN_SIZE])>,
    /// Attested facts about the programs; none: the kernel verifies them.
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
pub enum PlannedForm {
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
    /// For each load of the plan.
    pub loads: Vec<Measured>,
}

/// Outcome and cost of one load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Program, scenario and algorithm.
    pub key: Key,
    /// What the kernel answered: an errno, or 0 if it accepted the program.
    pub errno: i32,
    /// The verifier log of the last load, and of the last program that was loaded then.
    pub log: String,
    /// Bytes of JITed code, of all programs; 0 if they were refused or not JITed.
    pub jited_bytes: u32,
    /// Each measured load, in order.
    pub samples: Vec<Sample>,
}

/// One load. Nanoseconds of the guest's clock; with the TCG engine that is instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// `BPF_PROG_LOAD`, of all programs; for a loader program, also its run.
    pub prog_load: u64,
    /// All system calls of the load, from nothing to the end of `BPF_PROG_LOAD`: BTF and maps too.
    pub all_syscalls: u64,
    /// The signature check, if there was one.
    pub check: Option<CheckTimes>,
    /// The verifier, if it ran to the end; whole microseconds. With a loader program, of the program that it loads.
    pub verifier: Option<u64>,
}

impl Plan {
    /// The loads of all groups.
    pub fn loads(&self) -> impl Iterator<Item = &PlannedLoad> {
        self.groups.iter().flatten()
    }
}

impl Outcome {
    /// The guest's findings on this load.
    pub fn get(&self, key: &Key) -> Option<&Measured> {
        self.loads.iter().find(|measured| measured.key == *key)
    }
}
