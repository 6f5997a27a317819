//! What loading a program costs.

use std::fmt;

use bpfsig_signing::key::Algorithm;
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;
use bpfsig_signing::{manifest, slot};
use serde::{Deserialize, Serialize, Serializer};

use super::matrix::Cell;
use super::mode::{Form, Mode};
use super::subject::Subject;
use super::summary::Summary;
use crate::corpus::Source;
use crate::guest::{AttestedFacts, Load, Measured, Sample, SignatureTimes, VerifierStats};

/// What it takes to hand one program to the kernel in one way.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// The program, or `object` and the object's name.
    pub program: String,
    /// Where it comes from.
    #[serde(serialize_with = "display")]
    pub source: Source,
    /// How many programs: more than one if it is an object.
    pub programs: usize,
    /// Their size in instructions.
    pub insns: u32,
    /// Bytes that a signature check hashes at least: all that the manifests cover, and the manifests, or what the mode signs
    /// in their place.
    pub covered: usize,
    /// How it was presented.
    pub mode: Mode,
    /// What it was signed with.
    #[serde(serialize_with = "display_option")]
    pub algorithm: Option<Algorithm>,
    /// What the kernel answered, 0 if it accepted the program.
    pub errno: i32,
    /// The same in veristat's words: `success` or `failure`.
    pub verdict: &'static str,
    /// The whole system call.
    pub total: Option<Summary>,
    /// All system calls of the load, from nothing to loaded: BTF and maps too.
    pub loaded: Option<Summary>,
    /// Bytes that have to travel to the machine: the object, of a generated program its instructions, or the loader and what
    /// it loads; and the signature.
    pub travels: usize,
    /// The signature check.
    pub signature: Option<SignatureCost>,
    /// The verifier.
    pub verifier: Option<Summary>,
    /// What the verifier counted, if it came to its end.
    pub verifier_stats: Option<VerifierStats>,
    /// Bytes of native code.
    pub jited_size: u32,
}

/// What a signature check takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignatureCost {
    /// All of it.
    #[serde(flatten)]
    pub total: Summary,
    /// Parsing the CMS message and finding the signer's key.
    pub message: Summary,
    /// The public key operation.
    pub public_key: Summary,
    /// Building the manifest and looking for it in the statement.
    pub manifest: Summary,
}

impl Cost {
    /// Summarizes what the guest has measured of a load.
    pub fn new(subject: &Subject, cell: &Cell, load: &Load, measured: &Measured) -> Cost {
        let summary =
            |of: fn(&Sample) -> Option<u64>| Summary::of(measured.samples.iter().filter_map(of).collect());
        Cost {
            program: subject.name.clone(),
            source: subject.source,
            programs: subject.programs.len(),
            insns: subject.programs.iter().map(Program::insn_count).sum(),
            covered: covered(subject, cell.mode),
            mode: cell.mode,
            algorithm: cell.algorithm,
            errno: measured.errno,
            verdict: if measured.errno == 0 { "success" } else { "failure" },
            total: summary(|sample| Some(sample.total)),
            loaded: summary(|sample| Some(sample.loaded)),
            travels: size(subject, cell.mode)
                + load.signatures.first().map_or(0, Vec::len)
                + load.attested.as_ref().map_or(0, attested_size),
            signature: SignatureCost::new(
                measured.samples.iter().filter_map(|sample| sample.signature).collect(),
            ),
            // There, the kernel's figure has the check in it.
            verifier: summary(|sample| sample.verifier).filter(|_| cell.mode != Mode::MainlineDetached),
            verifier_stats: VerifierStats::parse(&measured.log).filter(|_| !subject.is_object()),
            jited_size: measured.jited_size,
        }
    }
}

/// Bytes of what is brought to the machine, without a signature.
fn size(subject: &Subject, mode: Mode) -> usize {
    match (mode.form(), subject.source.object()) {
        (Form::Loader, _) => signed_bytes(subject),
        (Form::Manifests | Form::Instructions, Some(object)) => object.len(),
        (Form::Manifests | Form::Instructions, None) => insns(&subject.programs),
    }
}

/// Bytes of facts and of what attests them.
fn attested_size(attested: &AttestedFacts) -> usize {
    attested.facts.iter().chain(attested.messages.first()).map(Vec::len).sum()
}

fn insns(programs: &[Program]) -> usize {
    programs.iter().map(|program| program.insns.len()).sum()
}

fn signed_bytes(subject: &Subject) -> usize {
    subject.loader.as_ref().map_or(0, |loader| loader.signed_bytes().len())
}

fn covered(subject: &Subject, mode: Mode) -> usize {
    match mode.form() {
        Form::Manifests => covered_by_manifests(&subject.programs),
        Form::Instructions => insns(&subject.programs),
        Form::Loader => signed_bytes(subject),
    }
}

/// Bytes that are hashed once: the BTF and the constants of an object are shared by its programs.
fn covered_by_manifests(programs: &[Program]) -> usize {
    let own = |program: &Program| {
        program.insns.len()
            + program.func_info.bytes.len()
            + program.core_relos.bytes.len()
            + program.slots.len() * slot::SLOT_SIZE
            + manifest::SIZE
    };
    let btf = programs.iter().find_map(|program| program.btf.as_ref()).map_or(0, |btf| btf.len());
    let mut constants: Vec<&MapDefinition> = Vec::new();
    for map in programs.iter().flat_map(|program| &program.slots).filter(|map| map.frozen) {
        if !constants.contains(&&**map) {
            constants.push(map);
        }
    }
    programs.iter().map(own).sum::<usize>()
        + btf
        + constants.iter().map(|map| map.contents.len()).sum::<usize>()
}

impl SignatureCost {
    fn new(times: Vec<SignatureTimes>) -> Option<SignatureCost> {
        let summary = |of: fn(&SignatureTimes) -> u64| Summary::of(times.iter().map(of).collect());
        Some(SignatureCost {
            total: summary(|times| times.total)?,
            message: summary(|times| times.message)?,
            public_key: summary(|times| times.public_key)?,
            manifest: summary(|times| times.manifest)?,
        })
    }
}

/// Serializes a value as it is displayed.
pub fn display<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn display_option<T: fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
