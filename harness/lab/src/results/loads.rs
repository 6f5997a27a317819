//! The cost of loading a program.

use std::fmt;

use bpfsig_signing::key::Algorithm;
use serde::{Deserialize, Serialize};

use super::Figures;
use super::summary::Summary;
use crate::scenario::{Scenario, ScenarioName};

/// What `bpfsig bench` measures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loads {
    /// Each program in each scenario.
    pub loads: Vec<Load>,
    /// Programs that could not be loaded in a scenario that is meant for them.
    pub unsupported: Vec<Unsupported>,
}

/// What a figure belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The program, or `object` and the object's name.
    pub program: String,
    /// How it was handed to the kernel.
    pub scenario: ScenarioName,
    /// What it was signed with.
    #[serde(with = "algorithm")]
    pub algorithm: Option<Algorithm>,
}

/// The cost of loading one program, or all programs of an object, in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What it is of.
    #[serde(flatten)]
    pub key: Key,
    /// The C file that the program comes from, or `generated`.
    pub source: String,
    /// How many programs: more than one if it is an object.
    pub programs: usize,
    /// Their size in instructions.
    pub insns: u32,
    /// Bytes that a signature check hashes at least: everything that the manifests cover, and the manifests, or
    /// whatever the scenario signs in their place.
    pub hashed_bytes: usize,
    /// Bytes to send to the machine: the object, of a generated program its instructions, or the loader and what it loads;
    /// and the signature, and attested facts.
    pub sent_bytes: usize,
    /// What the kernel answered: an errno, or 0 if it accepted the program.
    pub errno: i32,
    /// `BPF_PROG_LOAD`, and for a loader its run; all of them together, if it is several programs.
    pub prog_load: Option<Summary>,
    /// All system calls of the load, from nothing to loaded: BTF and maps too.
    pub all_syscalls: Option<Summary>,
    /// The signature check.
    pub check: Option<Check>,
    /// The verifier.
    pub verifier: Option<Summary>,
    /// What the verifier counted, if it came to its end.
    pub verifier_stats: Option<VerifierStats>,
    /// Bytes of native code.
    pub jited_bytes: u32,
}

/// The cost of a signature check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// All of it.
    #[serde(flatten)]
    pub total: Summary,
    /// Parsing the CMS message and finding the signer's key.
    pub message: Summary,
    /// The public-key operation.
    pub public_key: Summary,
    /// Building the manifest and looking for it in the statement.
    pub manifest: Summary,
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
    /// Longest chain of states that liveness marks went along.
    pub max_mark_read_len: u64,
    /// Bytes of stack, summed over the subprograms.
    pub stack_depth: u64,
}

/// A program, or an object, that can't be loaded in a scenario, though the scenario is meant for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsupported {
    /// The program, or `object` and the object's name.
    pub program: String,
    /// In which scenario.
    pub scenario: ScenarioName,
    /// What libbpf or the kernel has to say.
    pub reason: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.scenario.as_str())?;
        self.algorithm.map_or(Ok(()), |algorithm| write!(f, " {algorithm}"))
    }
}

impl Figures for Loads {
    const FIELD: &'static str = "loads";

    fn is_empty(&self) -> bool {
        self.loads.is_empty()
    }
}

impl Loads {
    /// What this is of.
    pub fn get(&self, key: &Key) -> Option<&Load> {
        self.loads.iter().find(|load| load.key == *key)
    }

    /// Each single program in a scenario, with the first algorithm that it was signed with.
    pub fn of_programs(&self, scenario: ScenarioName) -> impl Iterator<Item = &Load> {
        let mut last = "";
        self.loads.iter().filter(move |load| {
            let is_of = load.key.scenario == scenario && load.programs == 1;
            let is_first = is_of && load.key.program != last;
            if is_of {
                last = &load.key.program;
            }
            is_first
        })
    }
}

impl Load {
    /// Whether the kernel has accepted the program.
    pub fn is_accepted(&self) -> bool {
        self.errno == 0
    }

    /// Whether it is a program that somebody wrote, by itself.
    pub fn is_real(&self) -> bool {
        self.programs == 1 && self.source != "generated"
    }

    /// The middle of all system calls.
    pub fn cost(&self) -> Option<f64> {
        self.all_syscalls.as_ref().map(|summary| summary.median)
    }

    /// The middle of `BPF_PROG_LOAD` alone.
    pub fn prog_load_cost(&self) -> Option<f64> {
        self.prog_load.as_ref().map(|summary| summary.median)
    }

    /// Whether it is of a single program in this scenario.
    pub fn is_of(&self, scenario: Scenario) -> bool {
        self.programs == 1 && self.key.scenario == scenario
    }
}

impl Unsupported {
    /// Whether this is why there are no figures of a program in a scenario.
    pub fn explains(&self, program: &str, scenario: Scenario) -> bool {
        let carrier = scenario.row().carried_if;
        self.program == program && carrier.is_some_and(|carrier| self.scenario == carrier)
    }
}

/// An algorithm by its name.
mod algorithm {
    use bpfsig_signing::key::Algorithm;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub fn serialize<S: Serializer>(algorithm: &Option<Algorithm>, serializer: S) -> Result<S::Ok, S::Error> {
        algorithm.map(|algorithm| algorithm.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Algorithm>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        name.map(|name| name.parse().map_err(de::Error::custom)).transpose()
    }
}
