//! The CPU time of many hosts in a year.

use super::pairs::trust;
use super::run::Run;
use crate::results::{Load, Unit};
use crate::scenario::ScenarioName;

/// How many hosts.
pub const HOSTS: u32 = 1000;

/// How often each of them loads each program in a year: once a day.
pub const LOADS: u32 = 365;

/// How many instructions a processor is assumed to execute in a nanosecond.
pub const PER_NANOSECOND: f64 = 3.0;

/// The CPU time of a year, compared with the same loads without any proof of trust.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Year {
    /// How many real programs are loaded.
    pub programs: usize,
    /// Hours of CPU time that all hosts spend; less than 0: that they save.
    pub hours: f64,
}

/// The cost of a way to load, for hosts that load all real programs that it carries; none if it is not compared with
/// another.
pub fn year(run: &Run, scenario: &ScenarioName) -> Option<Year> {
    let real = |program: &str| {
        let mut loads = run.results.figures.of_programs(scenario.clone()).filter(|load| Load::is_real(load));
        loads.any(|load| load.key.program == program)
    };
    let added: Vec<f64> = trust(run, scenario)
        .into_iter()
        .filter(|(program, _)| real(program))
        .map(|(_, added)| added)
        .collect();
    let nanoseconds = match run.unit() {
        Unit::Nanoseconds => 1.0,
        Unit::Instructions => 1.0 / PER_NANOSECOND,
    };
    let seconds = added.iter().sum::<f64>() * nanoseconds / 1e9;
    let hours = f64::from(HOSTS) * f64::from(LOADS) * seconds / 3600.0;
    (!added.is_empty()).then_some(Year { programs: added.len(), hours })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, load};
    use crate::scenario::Scenario;

    #[test]
    fn real_programs_of_all_hosts_are_added_up() {
        let loads = vec![
            load("one", "unsigned", 4_000_000),
            load("one", "signed", 10_000_000),
            load("two", "unsigned", 2_000_000),
            load("two", "signed", 1_000_000),
            // Nobody wrote it.
            load("straight-2", "unsigned", 0),
            load("straight-2", "signed", 1_000_000),
        ];
        // 5 M more: 365,000 times, at 3 a nanosecond or as they are.
        let hours =
            |engine: &str| year(&fixture::run(engine, loads.clone()), &Scenario::Signed.into()).unwrap();
        assert_eq!(hours("tcg").programs, 2);
        assert!((hours("tcg").hours - 365_000.0 * 0.005 / 3.0 / 3600.0).abs() < 1e-9);
        assert!((hours("uml").hours - 365_000.0 * 0.005 / 3600.0).abs() < 1e-9);
        assert_eq!(year(&fixture::run("tcg", loads), &Scenario::Baseline.into()), None);
    }
}
