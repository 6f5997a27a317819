//! The figures of a load, from its samples.

use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;
use bpfsig_signing::{manifest, slot};

use super::super::guest::{CheckTimes, verifier_stats};
use super::plan::{AttestedFacts, Measured, PlannedLoad, Sample};
use super::workload::Workload;
use crate::results::{Check, Load, Summary};
use crate::scenario::{Form, Scenario};

/// Summarizes what the guest has measured of a load.
pub fn figures(workload: &Workload, load: &PlannedLoad, measured: &Measured, scenario: Scenario) -> Load {
    let summary =
        |of: fn(&Sample) -> Option<u64>| Summary::of(measured.samples.iter().filter_map(of).collect());
    let form = scenario.row().form;
    let sent_bytes = program_bytes(workload, form)
        + load.signatures.first().map_or(0, Vec::len)
        + load.attested.as_ref().map_or(0, attested_bytes);
    Load {
        key: measured.key.clone(),
        source: workload.source.to_string(),
        programs: workload.programs.len(),
        insns: workload.programs.iter().map(Program::insn_count).sum(),
        hashed_bytes: hashed_bytes(workload, form),
        sent_bytes,
        errno: measured.errno,
        prog_load: summary(|sample| Some(sample.prog_load)),
        all_syscalls: summary(|sample| Some(sample.all_syscalls)),
        check: check(measured.samples.iter().filter_map(|sample| sample.check).collect()),
        // There, the kernel's figure includes the check.
        verifier: summary(|sample| sample.verifier).filter(|_| scenario != Scenario::MainlineDetached),
        verifier_stats: verifier_stats(&measured.log).filter(|_| !workload.is_object()),
        jited_bytes: measured.jited_bytes,
    }
}

fn check(times: Vec<CheckTimes>) -> Option<Check> {
    let summary = |of: fn(&CheckTimes) -> u64| Summary::of(times.iter().map(of).collect());
    Some(Check {
        total: summary(|times| times.total)?,
        message: summary(|times| times.message)?,
        public_key: summary(|times| times.public_key)?,
        manifest: summary(|times| times.manifest)?,
    })
}

/// Bytes that are sent to the machine, without a signature.
fn program_bytes(workload: &Workload, form: Form) -> usize {
    match (form, workload.source.object()) {
        (Form::Loader, _) => loader_bytes(workload),
        (Form::Manifests | Form::Instructions, Some(object)) => object.len(),
        (Form::Manifests | Form::Instructions, None) => insn_bytes(&workload.programs),
    }
}

/// Bytes of facts and their attestations.
fn attested_bytes(attested: &AttestedFacts) -> usize {
    attested.facts.iter().chain(attested.messages.first()).map(Vec::len).sum()
}

fn insn_bytes(programs: &[Program]) -> usize {
    programs.iter().map(|program| program.insns.len()).sum()
}

fn loader_bytes(workload: &Workload) -> usize {
    workload.loader.as_ref().map_or(0, |loader| loader.signed_bytes().len())
}

fn hashed_bytes(workload: &Workload, form: Form) -> usize {
    match form {
        Form::Manifests => covered_by_manifests(&workload.programs),
        Form::Instructions => insn_bytes(&workload.programs),
        Form::Loader => loader_bytes(workload),
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
