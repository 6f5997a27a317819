//! Which programs are measured in which scenario, signed with which algorithm.

use anyhow::Result;
use bpfsig_signing::key::Algorithm;

use crate::corpus::{self, Entry};
use crate::jobs::measure::Case;
use crate::results::Selection;
use crate::scenario::Scenario;

/// Every program that is measured takes this one.
const COMMON: &[Algorithm] = &[Algorithm::Rsa2048];

/// The programs that are measured with more algorithms. The cost of an algorithm depends on the statement, which always
/// has the same length, and not on the program: two programs are enough to show that.
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

/// The selected programs, in the order of the corpus.
///
/// # Errors
/// The pattern matches none, or the corpus can't be read.
pub(super) fn entries(selection: &Selection) -> Result<Vec<Entry>> {
    let mut entries = corpus::select(selection.only.as_deref())?;
    if selection.quick && selection.only.is_none() {
        entries.retain(|entry| QUICK.iter().any(|pattern| matches(pattern, &entry.name)));
    }
    Ok(entries)
}

/// What is measured of the program `name`.
///
/// # Errors
/// There is no such algorithm.
pub(super) fn cases(selection: &Selection, name: &str) -> Result<Vec<Case>> {
    let chosen = algorithms(selection)?;
    let is_reference = REFERENCES.contains(&name) || selection.only.is_some();
    let algorithms = match (&chosen[..], is_reference, selection.quick) {
        ([], false, _) => COMMON,
        ([], true, true) => &[Algorithm::Rsa2048, Algorithm::P256],
        ([], true, false) => &Algorithm::ALL,
        (chosen, ..) => chosen,
    };
    Ok(combine(selection, algorithms, |_| true))
}

/// What is measured of an object with several programs.
///
/// # Errors
/// There is no such algorithm.
pub(super) fn cases_of_objects(selection: &Selection) -> Result<Vec<Case>> {
    let chosen = algorithms(selection)?;
    let algorithms = if chosen.is_empty() { COMMON } else { &chosen };
    Ok(combine(selection, algorithms, |scenario| scenario.row().objects))
}

fn algorithms(selection: &Selection) -> Result<Vec<Algorithm>> {
    selection.algorithms.iter().map(|name| Ok(name.parse()?)).collect()
}

/// The wanted scenarios: first without a signature, then with each algorithm.
fn combine(selection: &Selection, algorithms: &[Algorithm], is_meant: fn(Scenario) -> bool) -> Vec<Case> {
    let is_wanted = |scenario: &Scenario| {
        let chosen = &selection.scenarios;
        is_meant(*scenario) && (chosen.is_empty() || chosen.iter().any(|name| name == scenario))
    };
    let wanted = |is_signed: bool| {
        let scenarios = Scenario::ALL.iter().copied();
        scenarios.filter(move |scenario| scenario.is_signed() == is_signed).filter(is_wanted)
    };
    let unsigned = wanted(false).map(|scenario| Case { scenario, algorithm: None });
    let signed = algorithms.iter().flat_map(|algorithm| {
        wanted(true).map(move |scenario| Case { scenario, algorithm: Some(*algorithm) })
    });
    unsigned.chain(signed).collect()
}

/// Whether `name` matches `pattern`, whose only wildcard is a `*` at the end.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn algorithms(cases: &[Case]) -> Vec<Option<Algorithm>> {
        let mut algorithms: Vec<_> = cases.iter().map(|case| case.algorithm).collect();
        algorithms.dedup();
        algorithms
    }

    #[test]
    fn scenarios_that_are_not_wanted_are_not_measured() {
        let scenarios = vec![Scenario::Attested.into(), Scenario::Unsigned.into()];
        let selection = Selection { scenarios, ..Selection::default() };
        let scenarios = |cases: Vec<Case>| cases.iter().map(|case| case.scenario).collect::<Vec<_>>();
        let wanted = [Scenario::Unsigned, Scenario::Attested];
        assert_eq!(scenarios(cases(&selection, "xdp_acl").unwrap()), wanted);
        assert_eq!(scenarios(cases_of_objects(&selection).unwrap()), wanted);
    }

    #[test]
    fn a_program_is_measured_unsigned_once_and_in_each_other_scenario_with_each_algorithm() {
        let names = ["p-256", "rsa-4096"].map(str::to_owned).to_vec();
        let cases = cases(&Selection { algorithms: names, ..Selection::default() }, "xdp_acl").unwrap();
        assert_eq!(algorithms(&cases), [None, Some(Algorithm::P256), Some(Algorithm::Rsa4096)]);
        let signed = Scenario::ALL.iter().filter(|scenario| scenario.is_signed()).count();
        assert_eq!(cases.len(), Scenario::ALL.len() + signed);
        assert_eq!(cases.iter().filter(|case| case.scenario == Scenario::Unsigned).count(), 1);
    }

    #[test]
    fn only_reference_programs_take_all_algorithms_by_default() {
        let full = Selection::default();
        assert_eq!(algorithms(&cases(&full, "xdp_acl").unwrap()), [None, Some(Algorithm::Rsa2048)]);
        assert_eq!(algorithms(&cases(&full, "straight-2").unwrap()).len(), 1 + Algorithm::ALL.len());
        let quick = Selection { quick: true, ..Selection::default() };
        assert_eq!(algorithms(&cases(&quick, "straight-2").unwrap()).len(), 3);
    }

    #[test]
    fn quick_is_a_part_of_everything() {
        let names = |selection: Selection| -> Vec<String> {
            entries(&selection).unwrap().into_iter().map(|entry| entry.name).collect()
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
