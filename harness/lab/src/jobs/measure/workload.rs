//! The loads of a run: programs one by one, and whole objects.

use anyhow::Result;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::Program;

use crate::corpus::{self, Entry, Source};
use crate::loader::Loader;
use crate::results::Key;
use crate::scenario::{Scenario, Setup};

/// Programs that are loaded together, and what is measured of them.
pub struct Workload {
    /// Unique among the workloads.
    pub name: String,
    /// One program, or all of an object.
    pub programs: Vec<Program>,
    /// Where they come from.
    pub source: Source,
    /// What is measured.
    pub cases: Vec<Case>,
    /// The loader program that loads them in mainline's way, once it has been made.
    pub loader: Option<Loader>,
    /// What the kernel has learned about each program, once it has been asked.
    pub facts: Option<Vec<Vec<u8>>>,
}

/// A scenario, and the algorithm of its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// How the programs are presented.
    pub scenario: Scenario,
    /// The algorithm of their signature.
    pub algorithm: Option<Algorithm>,
}

impl Workload {
    /// A program by itself.
    pub fn program(entry: Entry, cases: Vec<Case>) -> Workload {
        Workload::new(entry.name, vec![entry.program], entry.source, cases)
    }

    /// The objects with several programs that `entries` have; these are ordered by object.
    pub fn objects(entries: &[Entry], cases: &[Case]) -> Vec<Workload> {
        let objects = entries.chunk_by(|a, b| a.source == b.source);
        let object = |entries: &[Entry]| match entries {
            [Entry { source: Source::File(path), .. }, _, ..] => {
                let programs = entries.iter().map(|entry| entry.program.clone()).collect();
                let name = format!("object {}", object_name(path));
                Some(Workload::new(name, programs, Source::File(path), cases.to_vec()))
            }
            _ => None,
        };
        objects.filter_map(object).collect()
    }

    fn new(name: String, programs: Vec<Program>, source: Source, mut cases: Vec<Case>) -> Workload {
        if programs.iter().any(Program::has_externs) {
            cases.retain(|case| case.scenario.takes_externs());
        }
        Workload { name, programs, source, cases, loader: None, facts: None }
    }

    /// Whether it is an object with several programs.
    pub fn is_object(&self) -> bool {
        self.programs.len() > 1
    }

    /// Makes the loader program that loads them in mainline's way.
    ///
    /// # Errors
    /// libbpf can't make it.
    pub fn make_loader(&self) -> Result<Loader> {
        let object = corpus::object(self.source, &self.programs[0])?;
        let names: Vec<_> = self.programs.iter().map(|program| &*program.name).collect();
        Loader::of(&object, &names)
    }

    /// What is measured on one machine.
    pub fn cases_on(&self, setup: Setup) -> impl Iterator<Item = Case> {
        self.cases.iter().copied().filter(move |case| case.scenario.row().setup == setup)
    }

    /// The key of a case's figures.
    pub fn key(&self, case: Case) -> Key {
        Key { program: self.name.clone(), scenario: case.scenario.into(), algorithm: case.algorithm }
    }
}

/// The name of the source without directory and suffix.
fn object_name(path: &str) -> &str {
    path.trim_start_matches("progs/").trim_end_matches(".bpf.c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn objects_have_all_their_programs_and_more_than_one() {
        let objects = Workload::objects(&corpus::select(None).unwrap(), &[]);
        let journal = objects.iter().find(|object| object.name == "object lsm_journal").unwrap();
        assert_eq!(journal.programs.len(), 20);
        assert!(objects.iter().all(Workload::is_object));
        assert!(!objects.iter().any(|object| object.name == "object xdp_acl"));
    }

    #[test]
    fn a_kernel_without_the_patches_is_not_asked_for_what_it_can_not_do() {
        let cases = Scenario::ALL.iter().map(|scenario| Case { scenario: *scenario, algorithm: None });
        let scenarios = |name| -> Vec<Scenario> {
            let entry = corpus::select(Some(name)).unwrap().remove(0);
            let workload = Workload::program(entry, cases.clone().collect());
            workload.cases_on(Setup::Baseline).map(|case| case.scenario).collect()
        };
        assert_eq!(scenarios("xdp_acl"), [Scenario::Baseline]);
        assert_eq!(scenarios("kfunc_affinity"), []);
    }
}
