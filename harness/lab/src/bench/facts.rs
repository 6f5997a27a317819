//! What the kernel learns about the programs, for modes in which it is told instead of verifying them.

use std::collections::BTreeMap;

use anyhow::Result;
use bpfsig_signing::Digest;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;

use super::mode::Mode;
use super::subject::Subject;
use super::unsupported::Unsupported;
use crate::engine::Machine;
use crate::guest::{self, Export, Learned};
use crate::progress::Progress;

/// Has the kernel verify the programs of all subjects, and keeps what it learns. Subjects that facts can't say enough
/// about are not measured in the modes that need them.
///
/// # Errors
/// The machine does not boot, or the kernel refuses a program.
pub fn learn(
    subjects: &mut [Subject],
    machine: &dyn Machine,
    progress: &Progress,
) -> Result<Vec<Unsupported>> {
    let needs_them = |subject: &Subject| subject.cells.iter().any(|cell| cell.mode.is_attested());
    let mut programs: BTreeMap<Digest, Program> = BTreeMap::new();
    for program in subjects.iter().filter(|subject| needs_them(subject)).flat_map(|subject| &subject.programs)
    {
        programs.insert(Manifest::of(program)?.digest(), program.clone());
    }
    if programs.is_empty() {
        return Ok(Vec::new());
    }
    let (digests, programs): (Vec<_>, Vec<_>) = programs.into_iter().unzip();
    let export = Export::new(programs)?;
    let exported = guest::hand_over(&export, machine, digests.len() as u64, progress)?;
    let learned: BTreeMap<_, _> = digests.into_iter().zip(exported.programs).collect();

    let mut unsupported = Vec::new();
    for subject in subjects.iter_mut().filter(|subject| needs_them(subject)) {
        let facts_of = |program: &Program| match &learned[&Manifest::of(program)?.digest()] {
            Learned::Facts(facts) => Ok(Ok(facts.clone())),
            Learned::Nothing(reason) => Ok(Err(reason.clone())),
        };
        match subject.programs.iter().map(facts_of).collect::<Result<Result<_, _>>>()? {
            Ok(facts) => subject.facts = Some(facts),
            Err(reason) => {
                subject.cells.retain(|cell| !cell.mode.is_attested());
                unsupported.push(Unsupported { program: subject.name.clone(), mode: Mode::Attested, reason });
            }
        }
    }
    Ok(unsupported)
}
