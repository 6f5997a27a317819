//! What host and guest say to each other.

use std::time::Duration;

use bpfsig_signing::program::Program;
use serde::{Deserialize, Serialize};

use crate::guest::AttestedFacts;

/// What the kernel demands of signatures while it is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Policy {
    /// A kernel without the patches.
    #[serde(rename = "baseline")]
    Baseline,
    /// Signatures are checked where there are any; their failures are not limited.
    #[serde(rename = "optional")]
    Optional,
    /// Every program must be signed; failures are not limited.
    #[serde(rename = "required")]
    Required,
    /// Every program must be signed, and what failures cost is limited as it is by default.
    #[serde(rename = "required+limit")]
    Limited,
}

impl Policy {
    /// As it is called in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Baseline => "baseline",
            Policy::Optional => "optional",
            Policy::Required => "required",
            Policy::Limited => "required+limit",
        }
    }
}

/// What the guest is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// Certificates (DER) for the secondary trusted keyring.
    pub certificates: Vec<Vec<u8>>,
    /// Certificates (DER) for the keyring of attesters.
    pub attesters: Vec<Vec<u8>>,
    /// The programs that [`Attempt::program`] refers to.
    pub programs: Vec<Program>,
    /// Under which policies, from the laxest on: a machine can't go back.
    pub policies: Vec<Policy>,
    /// The attacks; each under each policy.
    pub attacks: Vec<Attack>,
    /// A load by somebody who means no harm.
    pub legitimate: Attempt,
    /// For how long the victims are watched.
    pub window: Duration,
}

/// One attack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attack {
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
    /// Index into [`Job::programs`].
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
    /// For each policy, for each attack.
    pub measured: Vec<Vec<Measured>>,
}

/// What came of one attack. Nanoseconds of the guest's clock; with the TCG engine that is instructions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// What one attempt costs; none if there is more than one kind of attempt, or none.
    pub cost: Option<Cost>,
    /// What the victims had.
    pub harm: Harm,
}

/// What attempts cost, when nobody else is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// What the kernel said to the first attempt of all: 0 or an errno.
    pub first_errno: i32,
    /// What it said in the end, when a limit had taken effect.
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

/// What the victims had of the machine in a window of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Harm {
    /// CPU time of the one who computes all the time.
    pub batch: u64,
    /// The one who has little to do, but often.
    pub periodic: Victim,
    /// The one who loads programs.
    pub loader: Victim,
}

/// What a victim had that does the same again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// Its CPU time.
    pub cpu: u64,
    /// Each time from when it could have begun until it was done.
    pub latencies: Vec<u64>,
}
