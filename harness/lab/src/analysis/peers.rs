//! What loads of the same program take in one scenario and in another.

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

/// What trust adds in scenario `a`, divided by what it adds to a load of the same program in scenario `b`.
pub fn trust_ratio(run: &Run, a: Scenario, b: Scenario) -> Option<Compared> {
    let others = trust(run, &b.into());
    let other = |program| others.iter().find(|(other, added)| *other == program && *added > 0.0);
    let ratio = |(program, added)| Some(added / other(program)?.1);
    Compared::of(trust(run, &a.into()).into_iter().filter_map(ratio))
}

fn trust<'a>(run: &'a Run, scenario: &ScenarioName) -> Vec<(&'a str, f64)> {
    let compared_with = scenario.listed().and_then(|scenario| scenario.row().compared_with);
    let pairs = compared_with.map_or(Vec::new(), |other| pairs(run, scenario, other));
    pairs.into_iter().map(|(program, a, b)| (program, a - b)).collect()
}

/// Whole loads of the same program in two scenarios, both of which the kernel accepted.
fn pairs<'a>(run: &'a Run, a: &ScenarioName, b: Scenario) -> Vec<(&'a str, f64, f64)> {
    let loads = &run.results.figures;
    let cost = |load: &Load| load.cost().filter(|_| load.is_accepted());
    let others: Vec<(&str, f64)> =
        loads.of_programs(b.into()).filter_map(|load| Some((&*load.key.program, cost(load)?))).collect();
    let pair = |load: &'a Load| {
        let (_, other) = others.iter().find(|(program, _)| *program == load.key.program)?;
        Some((&*load.key.program, cost(load)?, *other))
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
        // 50 of 200, and 100 of 400.
        assert_eq!(trust_ratio(&run, Scenario::Signed, Scenario::Mainline), compared(0.25, 0.25));
        assert_eq!(ratio(&run, &signed, Scenario::Attested), None);
        assert_eq!(added(&run, &Scenario::Baseline.into()), None);
    }
}
