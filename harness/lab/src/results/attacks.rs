//! Results of attacks.

use serde::{Deserialize, Serialize};

use super::Figures;

/// What `bpfsig bench --dos` measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attacks {
    /// The time for which victims were watched, in the unit of all figures.
    pub window: u64,
    /// How often each thread of an attacker attempted a load meanwhile, if it could.
    pub attempts_per_second: u32,
    /// Each attack under each policy.
    pub attacks: Vec<AttackResult>,
}

/// What a figure belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttackKey {
    /// The attack.
    pub attack: String,
    /// The kernel's policy on signatures.
    pub policy: Policy,
}

/// The kernel's policy on signatures while it is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Policy {
    /// A kernel without the patches.
    #[serde(rename = "baseline")]
    Baseline,
    /// Signatures are checked where there are any; failed checks are not limited.
    #[serde(rename = "optional")]
    Optional,
    /// Every program must be signed; failed checks are not limited.
    #[serde(rename = "required")]
    Required,
    /// Every program must be signed, and the cost of failed checks has its default limit.
    #[serde(rename = "required+limit")]
    Limited,
}

/// What kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackClass {
    /// No attack: what the others are compared with.
    Reference,
    /// Unsigned programs.
    Unsigned,
    /// Signatures that are not valid for the program.
    Invalid,
    /// Valid signatures.
    Valid,
    /// Valid signatures of programs whose facts are attested.
    Attested,
    /// Unsigned programs and invalid signatures.
    Mixture,
}

/// An attack under a policy. Times are in the unit of the environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackResult {
    /// What it is of.
    #[serde(flatten)]
    pub key: AttackKey,
    /// What kind of attack.
    pub class: AttackClass,
    /// How many users attacked.
    pub users: u32,
    /// How many threads each of them had.
    pub threads: u32,
    /// What one attempt costs; none if the attackers attempt nothing, or more than one thing.
    pub cost: Option<AttemptCost>,
    /// The part of the window that the victims had the CPU.
    pub victim_share: f64,
    /// The same as a part of what they have without an attacker.
    pub victim_share_relative: f64,
    /// Time from when the periodic victim was due until it was done: the median,
    pub victim_p50: u64,
    /// and the 99th percentile.
    pub victim_p99: u64,
    /// The 99th percentile divided by the 99th percentile without an attacker.
    pub victim_p99_relative: f64,
    /// The same of the loading victim: the median,
    pub load_p50: u64,
    /// and the longest.
    pub load_max: u64,
    /// What victims had, as measured.
    pub samples: Harm,
}

/// What one attempt costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptCost {
    /// What the kernel answers once a limit has taken effect: 0 or an errno.
    pub errno: i32,
    /// How many attempts have been measured.
    pub attempts: u64,
    /// The whole cost of one, with the attacker's own work and the kernel's deferred work.
    pub per_attempt: f64,
    /// The kernel's part of it.
    pub per_attempt_kernel: f64,
    /// The kernel's work for each unit of the attacker's own.
    pub amplification: f64,
    /// The number of attempts a second of an attacker who has the machine to himself.
    pub attempts_per_second: f64,
    /// Bytes of memory that are in use at the same time.
    pub peak_memory: u64,
}

/// The victims' share of the machine during the window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Harm {
    /// CPU time of the victim that computes all the time.
    pub batch: u64,
    /// The victim that has little to do, but often.
    pub periodic: Victim,
    /// The victim that loads programs.
    pub loader: Victim,
}

/// The share of a victim with periodic work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// Its CPU time.
    pub cpu: u64,
    /// Latencies: from when the work could have begun until it was done.
    pub latencies: Vec<u64>,
}

impl Figures for Attacks {
    const FIELD: &'static str = "attacks";

    fn is_empty(&self) -> bool {
        self.attacks.is_empty()
    }
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

impl Attacks {
    /// An attack under a policy.
    pub fn get(&self, attack: &str, policy: Policy) -> Option<&AttackResult> {
        self.attacks.iter().find(|result| result.key.attack == attack && result.key.policy == policy)
    }

    /// The names of the attacks, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        // The kernel without the patches does not know all of them.
        for result in self.attacks.iter().rev() {
            if !names.contains(&&*result.key.attack) {
                names.push(&result.key.attack);
            }
        }
        names.reverse();
        names
    }
}
