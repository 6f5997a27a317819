//! The messages between host and guest.

use std::time::Duration;

use bpfsig_signing::program::Program;
use serde::{Deserialize, Serialize};

use super::super::measure::AttestedFacts;
use crate::results::{AttackKey, Harm, Policy};

/// The guest's task.
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
    /// The time for which the victims are watched.
    pub window: Duration,
}

/// One attack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedAttack {
    /// Its name in messages.
    pub name: String,
    /// The action of the attackers.
    pub action: Action,
    /// Whether a limit on failures stops it.
    pub is_limited: bool,
    /// How many users attack.
    pub users: u32,
    /// How many threads each of them has.
    pub threads: u32,
}

/// The action of an attacker.
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
    /// A CMS message; none for an unsigned load.
    pub signature: Option<Vec<u8>>,
    /// Attested facts; none if the kernel verifies the program.
    pub attested: Option<AttestedFacts>,
    /// Whether the verifier is told to log each instruction and state.
    pub trace: bool,
}

/// The guest's findings.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Release and version of the running kernel.
    pub kernel: String,
    /// For each attack under each policy.
    pub attacks: Vec<Measured>,
}

/// The samples of one attack, in nanoseconds of the guest's clock; with the TCG engine these are instructions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The attack and the policy.
    pub key: AttackKey,
    /// The cost of an attempt; none unless there is exactly one kind of attempt.
    pub cost: Option<Attempts>,
    /// The harm to the victims.
    pub harm: Harm,
}

/// The cost of attempts on a machine that is idle otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// The kernel's answer to the first attempt: 0 or an errno.
    pub first_errno: i32,
    /// Its answer to the last attempts, after a limit has taken effect.
    pub errno: i32,
    /// Number of measured attempts.
    pub attempts: u64,
    /// CPU time of the attacker's process during all of them.
    pub attacker: u64,
    /// The part of it outside of the kernel.
    pub user: u64,
    /// CPU time of deferred work in the kernel, meanwhile and shortly after.
    pub deferred: u64,
    /// Bytes by which memory use grew at most.
    pub peak_memory: u64,
}
