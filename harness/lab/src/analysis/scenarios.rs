//! The scenarios that a run has measured.

use super::run::Run;
use crate::scenario::{Scenario, ScenarioName};

/// Scenarios in which anything was loaded or was to be, in the order of the table; at the end, scenarios that it does not
/// list.
pub fn measured(run: &Run) -> Vec<ScenarioName> {
    let loaded = run.loads().iter().filter(|load| load.is_accepted()).map(|load| &load.key.scenario);
    let unsupported = run.results.figures.unsupported.iter().map(|row| &row.scenario);
    let mut measured: Vec<ScenarioName> = Vec::new();
    for name in loaded.chain(unsupported) {
        if !measured.contains(name) {
            measured.push(name.clone());
        }
    }
    measured.sort_by_key(|name| name.listed().map_or(usize::MAX, |scenario| scenario as usize));
    measured
}

/// Scenarios in which something could have been loaded, but that were not measured.
pub fn missing(run: &Run) -> Vec<Scenario> {
    let measured = measured(run);
    let is_missing =
        |scenario: &Scenario| scenario.row().errno == 0 && !measured.iter().any(|name| name == scenario);
    Scenario::ALL.iter().copied().filter(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    #[test]
    fn scenarios_are_those_in_which_something_was_loaded() {
        let mut refused = fixture::load("one", "forged", 5);
        refused.errno = libc::EKEYREJECTED;
        let loads = vec![
            fixture::load("one", "brand-new", 5),
            fixture::load("one", "signed", 5),
            fixture::load("one", "unsigned", 5),
            refused,
        ];
        let run = fixture::run("tcg", loads);
        let names: Vec<_> = measured(&run).iter().map(|name| name.as_str().to_owned()).collect();
        assert_eq!(names, ["unsigned", "signed", "brand-new"]);
        assert!(missing(&run).contains(&Scenario::Mainline) && !missing(&run).contains(&Scenario::Signed));
    }
}
