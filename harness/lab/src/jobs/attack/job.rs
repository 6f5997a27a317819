//! What host and guest say to each other.

use std::time::Duration;

use bpfsig_signing::program::Program;
use serde::{Deserialize, Serialize};

use super::super::measure::AttestedFacts;
use crate::results::{AttackKey, Harm, Policy};

/// What the guest is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttackJob {
    /// Certificates (DER) for the secondary trusted keyring.
    pub certificates: Vec<Vec<u8>>,
    /// Certificates (DER) for the keyring of attesters.
    pub attesters: Vec<Vec<u8>>,
    /// The programs that [`Attempt::program`] refers to.
    pub programs: Vec<Program>,
    /// The policies, from the laxest on: a machine can't go back.
    pub policies: Vec<Policy>,
    /// The attacks; each under each policy.
    pub attacks: Vec<PlannedAttack>,
    /// The load of the victim that loads programs.
    pub legitimate: Attempt,
    /// For how long the victims are watched.
    pub window: Duration,
}

/// One attack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedAttack {
    /// What to call it in messages.
    pub name: String,
    /// What the attackers do.
    pub action: Action,
    /// Whether a limit on failures concerns it.
    pub is_limited: bool,
    /// How many users attack.
    pub users: u32,
    /// How many threads each of them has.
    pub threads: u32,
}

/// What an attacker does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Action {
    /// There is no attacker.
    Nothing,
    /// Computes, without the kernel.
    Compute,
    /// Makes a system call that fails at once, as often as it would attempt a load.
    FailAtOnce,
    /// Attempts these loads in turn.
    Load(Vec<Attempt>),
}

/// One load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Index into [`AttackJob::programs`].
    pub program: usize,
    /// A CMS message; none: an unsigned load.
    pub signature: Option<Vec<u8>>,
    /// What is attested of the program; none: the kernel verifies it.
    pub attested: Option<AttestedFacts>,
    /// Whether the verifier is told to log each instruction and state.
    pub trace: bool,
}

/// What the guest found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Release and version of the running kernel.
    pub kernel: String,
    /// For each attack under each policy.
    pub attacks: Vec<Measured>,
}

/// What came of one attack. Nanoseconds of the guest's clock; with the TCG engine that is instructions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// What it is of.
    pub key: AttackKey,
    /// What one attempt costs; none if there is more than one kind of attempt, or none.
    pub cost: Option<Attempts>,
    /// What the victims had.
    pub harm: Harm,
}

/// What attempts cost, when nobody else is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// What the kernel answered to the first attempt of all: 0 or an errno.
    pub first_errno: i32,
    /// What it answered in the end, when a limit had taken effect.
    pub errno: i32,
    /// How many attempts have been measured, one after the other.
    pub attempts: u64,
    /// CPU time of the attacker for all of them.
    pub attacker: u64,
    /// Of it, what the attacker spent outside of the kernel.
    pub user: u64,
    /// CPU time that others spent meanwhile and shortly after: what the kernel puts off.
    pub deferred: u64,
    /// Bytes of memory that were in use at the same time, beyond what was before.
    pub peak_memory: u64,
}
