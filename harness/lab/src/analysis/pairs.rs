//! Loads of the same program, in one scenario and in another.

use super::run::Run;
use crate::results::{Load, median};
use crate::scenario::{Scenario, ScenarioName};

/// The ratios or differences of many programs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub most: f64,
    /// How many programs.
    pub programs: usize,
}

impl Compared {
    fn of(figures: impl Iterator<Item = f64>) -> Option<Compared> {
        let figures: Vec<f64> = figures.collect();
        let most = figures.iter().copied().max_by(f64::total_cmp)?;
        let programs = figures.len();
        Some(Compared { median: median(figures)?, most, programs })
    }
}

/// What a whole load takes in scenario `a`, divided by what a load of the same program takes in scenario `b`.
pub fn ratio(run: &Run, a: &ScenarioName, b: Scenario) -> Option<Compared> {
    Compared::of(pairs(run, a, b).into_iter().map(|(_, a, b)| a / b))
}

/// What trust adds to a whole load.
pub fn added(run: &Run, scenario: &ScenarioName) -> Option<Compared> {
    Compared::of(trust(run, scenario).into_iter().map(|(_, added)| added))
}

/// Two ways to load the same programs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// The median of the first.
    pub a: f64,
    /// The median of the second.
    pub b: f64,
    /// The first divided by the second.
    pub ratio: Compared,
}

/// Whole loads in scenario `a` and in scenario `b`, of the programs that were tried in both, with the same outcome.
pub fn beside(run: &Run, a: Scenario, b: Scenario) -> Option<Beside> {
    let pairs = pairs(run, &a.into(), b);
    let middle = |of: fn(&(&str, f64, f64)) -> f64| median(pairs.iter().map(of).collect());
    Some(Beside { a: middle(|pair| pair.1)?, b: middle(|pair| pair.2)?, ratio: ratio(run, &a.into(), b)? })
}

/// What trust adds to a whole load of each program.
pub(super) fn trust<'a>(run: &'a Run, scenario: &ScenarioName) -> Vec<(&'a str, f64)> {
    let compared_with = scenario.listed().and_then(|scenario| scenario.row().compared_with);
    let pairs = compared_with.map_or(Vec::new(), |other| pairs(run, scenario, other));
    pairs.into_iter().map(|(program, a, b)| (program, a - b)).collect()
}

/// Whole loads of the same program in two scenarios, with the same outcome: it was accepted in both, or refused.
fn pairs<'a>(run: &'a Run, a: &ScenarioName, b: Scenario) -> Vec<(&'a str, f64, f64)> {
    let loads = &run.results.figures;
    let others: Vec<&Load> = loads.of_programs(b.into()).collect();
    let pair = |load: &'a Load| {
        let is_peer = |other: &&&Load| {
            other.key.program == load.key.program && other.is_accepted() == load.is_accepted()
        };
        Some((&*load.key.program, load.cost()?, others.iter().find(is_peer)?.cost()?))
    };
    loads.of_programs(a.clone()).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, load};

    #[test]
    fn figures_are_compared_within_a_program() {
        let loads = vec![
            load("one", "unsigned", 100),
            load("one", "signed", 150),
            load("one", "baseline", 200),
            load("one", "mainline", 400),
            load("two", "unsigned", 1000),
            load("two", "signed", 1100),
            load("two", "baseline", 1000),
            load("two", "mainline", 1400),
            load("three", "signed", 9),
        ];
        let run = fixture::run("tcg", loads);
        let signed = Scenario::Signed.into();
        let compared = |median, most| Some(Compared { median, most, programs: 2 });
        assert_eq!(ratio(&run, &signed, Scenario::Unsigned), compared(1.3, 1.5));
        assert_eq!(added(&run, &signed), compared(75.0, 100.0));
        let beside = beside(&run, Scenario::Signed, Scenario::Mainline).unwrap();
        assert_eq!((beside.a, beside.b, beside.ratio.programs), (625.0, 900.0, 2));
        assert_eq!(ratio(&run, &signed, Scenario::Attested), None);
        assert_eq!(added(&run, &Scenario::Baseline.into()), None);
    }
}
