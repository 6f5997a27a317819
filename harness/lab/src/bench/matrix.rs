//! Which programs are measured in which mode, signed with which algorithm.

use anyhow::Result;
use bpfsig_signing::key::Algorithm;

use super::mode::Mode;
use crate::corpus::{self, Entry};

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Less of everything, in less time.
    pub quick: bool,
    /// Only the programs that this glob pattern matches.
    pub only: Option<String>,
    /// These algorithms for all programs, instead of one for all and more for a few.
    pub algorithms: Vec<Algorithm>,
    /// Only in these modes, if there are any.
    pub modes: Vec<Mode>,
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How the program is presented.
    pub mode: Mode,
    /// What it is signed with.
    pub algorithm: Option<Algorithm>,
}

impl Cell {
    fn without_signature(mode: Mode) -> Cell {
        Cell { mode, algorithm: None }
    }
}

/// Every program that is measured takes this one.
const COMMON: &[Algorithm] = &[Algorithm::Rsa2048];

/// The programs that are measured with more algorithms. What an algorithm costs depends on the statement, which is
/// always as long, and not on the program: two programs are enough to show that.
const REFERENCES: &[&str] = &["straight-2", "straight-4096"];

/// Enough for each kind of program, and for both sides of the break-even.
const QUICK: &[&str] = &[
    "straight-2",
    "straight-64",
    "straight-512",
    "straight-4096",
    "straight-65536",
    "loop-64",
    "loop-1024",
    "loop-16384",
    "xdp_*",
    "lsm_*",
];

impl Selection {
    /// The programs, in the order of the corpus.
    ///
    /// # Errors
    /// There are none that the pattern matches, or the corpus can't be read.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = corpus::select(self.only.as_deref())?;
        if self.quick && self.only.is_none() {
            entries.retain(|entry| QUICK.iter().any(|pattern| matches(pattern, &entry.name)));
        }
        Ok(entries)
    }

    /// What is measured of the program `name`.
    pub fn cells(&self, name: &str) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Mode::WITHOUT_SIGNATURE.map(Cell::without_signature).into();
        for algorithm in self.algorithms_for(name) {
            cells.extend(Mode::WITH_SIGNATURE.map(|mode| Cell { mode, algorithm: Some(*algorithm) }));
        }
        self.wanted(cells)
    }

    /// What is measured of an object with several programs.
    pub fn cells_of_object(&self) -> Vec<Cell> {
        let algorithms = if self.algorithms.is_empty() { COMMON } else { &self.algorithms };
        let mut cells: Vec<Cell> =
            [Mode::Unsigned, Mode::MainlineUnsigned].map(Cell::without_signature).into();
        for algorithm in algorithms {
            cells.extend(
                [Mode::Signed, Mode::Repeated, Mode::AttestedFirst, Mode::Attested, Mode::Mainline]
                    .map(|mode| Cell { mode, algorithm: Some(*algorithm) }),
            );
        }
        self.wanted(cells)
    }

    fn wanted(&self, mut cells: Vec<Cell>) -> Vec<Cell> {
        cells.retain(|cell| self.modes.is_empty() || self.modes.contains(&cell.mode));
        cells
    }

    fn algorithms_for(&self, name: &str) -> &[Algorithm] {
        let is_reference = REFERENCES.contains(&name) || self.only.is_some();
        match (&self.algorithms[..], is_reference, self.quick) {
            ([], false, _) => COMMON,
            ([], true, true) => &[Algorithm::Rsa2048, Algorithm::P256],
            ([], true, false) => &Algorithm::ALL,
            (chosen, ..) => chosen,
        }
    }
}

/// Whether `name` is `pattern`, or begins with what stands before its `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn algorithms(cells: &[Cell]) -> Vec<Option<Algorithm>> {
        let mut algorithms: Vec<_> = cells.iter().map(|cell| cell.algorithm).collect();
        algorithms.dedup();
        algorithms
    }

    #[test]
    fn modes_that_are_not_wanted_are_not_measured() {
        let selection = Selection { modes: vec![Mode::Attested, Mode::Unsigned], ..Selection::default() };
        let modes = |cells: Vec<Cell>| cells.iter().map(|cell| cell.mode).collect::<Vec<_>>();
        assert_eq!(modes(selection.cells("xdp_acl")), [Mode::Unsigned, Mode::Attested]);
        assert_eq!(modes(selection.cells_of_object()), [Mode::Unsigned, Mode::Attested]);
    }

    #[test]
    fn a_program_is_measured_unsigned_once_and_in_each_other_mode_with_each_algorithm() {
        let selection =
            Selection { algorithms: vec![Algorithm::P256, Algorithm::Rsa4096], ..Selection::default() };
        let cells = selection.cells("xdp_acl");
        assert_eq!(algorithms(&cells), [None, Some(Algorithm::P256), Some(Algorithm::Rsa4096)]);
        assert_eq!(cells.len(), 6 + 2 * 12);
        assert_eq!(cells.iter().filter(|cell| cell.mode == Mode::Unsigned).count(), 1);
    }

    #[test]
    fn only_reference_programs_take_all_algorithms_by_default() {
        let full = Selection::default();
        assert_eq!(algorithms(&full.cells("xdp_acl")), [None, Some(Algorithm::Rsa2048)]);
        assert_eq!(algorithms(&full.cells("straight-2")).len(), 1 + Algorithm::ALL.len());
        let quick = Selection { quick: true, ..Selection::default() };
        assert_eq!(algorithms(&quick.cells("straight-2")).len(), 3);
    }

    #[test]
    fn quick_is_a_part_of_everything() {
        let names = |selection: Selection| -> Vec<String> {
            selection.entries().unwrap().into_iter().map(|entry| entry.name).collect()
        };
        let all = names(Selection::default());
        let quick = names(Selection { quick: true, ..Selection::default() });
        assert!(quick.len() < all.len());
        assert!(quick.iter().all(|name| all.contains(name)));
        // Each pattern is still good for something.
        assert!(QUICK.iter().all(|pattern| quick.iter().any(|name| matches(pattern, name))));
        assert!(REFERENCES.iter().all(|name| quick.iter().any(|quick| quick == name)));
    }
}
