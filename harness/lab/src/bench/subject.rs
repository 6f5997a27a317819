//! What is measured: programs one by one, and whole objects.

use anyhow::Result;
use bpfsig_signing::program::Program;

use super::matrix::{Cell, Selection};
use super::mode::{Machine, Mode};
use crate::corpus::{self, Entry, Source};
use crate::loader::Loader;

/// Programs that are loaded together, and what is measured of them.
pub struct Subject {
    /// Unique among the subjects.
    pub name: String,
    /// One, or all that an object has.
    pub programs: Vec<Program>,
    /// Where they come from.
    pub source: Source,
    /// What is measured.
    pub cells: Vec<Cell>,
    /// What loads them in mainline's way, once it has been made.
    pub loader: Option<Loader>,
    /// What the kernel has learned about each program, once it has been asked.
    pub facts: Option<Vec<Vec<u8>>>,
}

impl Subject {
    /// A program by itself.
    pub fn program(entry: Entry, selection: &Selection) -> Subject {
        Subject::new(entry.name.clone(), vec![entry.program], entry.source, selection.cells(&entry.name))
    }

    fn new(name: String, programs: Vec<Program>, source: Source, mut cells: Vec<Cell>) -> Subject {
        // The compiler's form of these is not loaded by a kernel without the patches.
        if programs.iter().any(Program::has_externs) {
            cells.retain(|cell| {
                !matches!(
                    cell.mode,
                    Mode::Baseline | Mode::MainlineUnsigned | Mode::ApproveList | Mode::ApproveListRefused
                )
            });
        }
        Subject { name, programs, source, cells, loader: None, facts: None }
    }

    /// The objects with several programs that `entries` have; these are ordered by object.
    pub fn objects(entries: &[Entry], selection: &Selection) -> Vec<Subject> {
        let objects = entries.chunk_by(|a, b| a.source == b.source);
        let object = |entries: &[Entry]| match entries {
            [Entry { source: Source::File(path), .. }, _, ..] => {
                let programs = entries.iter().map(|entry| entry.program.clone()).collect();
                let name = format!("object {}", object_name(path));
                Some(Subject::new(name, programs, Source::File(path), selection.cells_of_object()))
            }
            _ => None,
        };
        objects.filter_map(object).collect()
    }

    /// Whether it is an object with several programs.
    pub fn is_object(&self) -> bool {
        self.programs.len() > 1
    }

    /// Makes what loads them in mainline's way.
    ///
    /// # Errors
    /// libbpf can't make it.
    pub fn make_loader(&self) -> Result<Loader> {
        let object = corpus::object(self.source, &self.programs[0])?;
        let names: Vec<_> = self.programs.iter().map(|program| &*program.name).collect();
        Loader::of(&object, &names)
    }

    /// What is measured on one machine.
    pub fn cells_on(&self, machine: Machine) -> impl Iterator<Item = (usize, &Cell)> {
        self.cells.iter().enumerate().filter(move |(_, cell)| cell.mode.machine() == machine)
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
        let objects = Subject::objects(&corpus::select(None).unwrap(), &Selection::default());
        let journal = objects.iter().find(|object| object.name == "object lsm_journal").unwrap();
        assert_eq!(journal.programs.len(), 20);
        assert!(objects.iter().all(Subject::is_object));
        assert!(!objects.iter().any(|object| object.name == "object xdp_acl"));
    }

    #[test]
    fn a_kernel_without_the_patches_is_not_asked_for_what_it_can_not_do() {
        let modes = |name| -> Vec<Mode> {
            let entry = corpus::select(Some(name)).unwrap().remove(0);
            let subject = Subject::program(entry, &Selection::default());
            subject.cells_on(Machine::Baseline).map(|(_, cell)| cell.mode).collect()
        };
        assert_eq!(modes("xdp_acl"), [Mode::Baseline]);
        assert_eq!(modes("kfunc_affinity"), []);
    }
}
