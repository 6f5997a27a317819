//! What loads of the same program take in one way and in another.

use super::mode::Mode;
use super::run::{Cost, Run};
use crate::bench::median;

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

/// What a whole load takes in mode `a`, divided by what one of the same program takes in mode `b`.
pub fn ratio(run: &Run, a: &str, b: &str) -> Option<Compared> {
    Compared::of(pairs(run, a, b).map(|(_, a, b)| a / b))
}

/// What trust adds to a whole load.
pub fn added(run: &Run, mode: &Mode<'_>) -> Option<Compared> {
    Compared::of(trust(run, mode).map(|(_, added)| added))
}

/// What trust adds in mode `a`, divided by what it adds to a load of the same program in mode `b`.
pub fn trust_ratio(run: &Run, a: &Mode<'_>, b: &Mode<'_>) -> Option<Compared> {
    let others: Vec<(&str, f64)> = trust(run, b).collect();
    let other = |program| others.iter().find(|(other, added)| *other == program && *added > 0.0);
    Compared::of(trust(run, a).filter_map(|(program, added)| Some(added / other(program)?.1)))
}

fn trust<'a>(run: &'a Run, mode: &Mode<'a>) -> impl Iterator<Item = (&'a str, f64)> {
    let without = mode.without.into_iter();
    let name = mode.name;
    without.flat_map(move |without| pairs(run, name, without).map(|(program, a, b)| (program, a - b)))
}

/// Whole loads of the same program in two modes, both of which the kernel accepted.
fn pairs<'a>(run: &'a Run, a: &'a str, b: &'a str) -> impl Iterator<Item = (&'a str, f64, f64)> {
    let load = |cost: &Cost| run.load(cost).filter(|_| cost.errno == 0);
    let others: Vec<(&str, f64)> =
        run.in_mode(b).filter_map(|cost| Some((&*cost.program, load(cost)?))).collect();
    run.in_mode(a).filter_map(move |cost| {
        let (_, other) = others.iter().find(|(program, _)| *program == cost.program)?;
        Some((&*cost.program, load(cost)?, *other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run::fixture::{self, cost};

    fn mode(name: &'static str, without: &'static str) -> Mode<'static> {
        Mode { name, what: "", without: Some(without) }
    }

    #[test]
    fn figures_are_compared_within_a_program() {
        let costs = vec![
            cost("one", "unsigned", 100),
            cost("one", "signed", 150),
            cost("one", "mainline-unsigned", 200),
            cost("one", "mainline", 400),
            cost("two", "unsigned", 1000),
            cost("two", "signed", 1100),
            cost("two", "mainline-unsigned", 1000),
            cost("two", "mainline", 1400),
            cost("three", "signed", 9),
        ];
        let run = Run::parse(fixture::run("tcg", costs).to_string().as_bytes()).unwrap();
        let (ours, mainline) = (mode("signed", "unsigned"), mode("mainline", "mainline-unsigned"));
        assert_eq!(ratio(&run, "signed", "unsigned"), Some(Compared { median: 1.3, most: 1.5, programs: 2 }));
        assert_eq!(added(&run, &ours), Some(Compared { median: 75.0, most: 100.0, programs: 2 }));
        // 50 of 200, and 100 of 400.
        assert_eq!(
            trust_ratio(&run, &ours, &mainline),
            Some(Compared { median: 0.25, most: 0.25, programs: 2 })
        );
        assert_eq!(ratio(&run, "signed", "attested"), None);
        assert_eq!(added(&run, &Mode { without: None, ..ours }), None);
    }
}
