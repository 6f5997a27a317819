//! The finding: short sentences, the most important first, with one number each.

use std::fmt;

use super::attacks::{at_once, dearest_refused, least_share, shrinks_by};
use super::finding::BreakEven;
use super::pairs::ratio;
use super::quantity::{number, percent, times};
use super::run::Run;
use crate::results::{Attacks, Results};
use crate::scenario::Scenario;

/// A finding has no more sentences than this.
const MOST: usize = 5;

/// A sentence with one number.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// The words before the number.
    pub before: String,
    /// The number, with its unit.
    pub number: String,
    /// The words after it.
    pub after: String,
}

impl Headline {
    fn new(before: impl Into<String>, number: String, after: impl Into<String>) -> Headline {
        Headline { before: before.into(), number, after: after.into() }
    }
}

impl fmt::Display for Headline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.before, self.number, self.after)
    }
}

/// The finding of a run, of attacks, or of both: as much of it as was measured.
pub fn headlines(run: Option<&Run>, attacks: Option<&Results<Attacks>>) -> Vec<Headline> {
    let mut of_run = run.map(of_run).unwrap_or_default();
    let mut of_attacks = attacks.map(of_attacks).unwrap_or_default();
    of_attacks.truncate(if of_run.is_empty() { MOST } else { 1 });
    of_run.truncate(MOST - of_attacks.len());
    of_run.into_iter().chain(of_attacks).collect()
}

fn of_run(run: &Run) -> Vec<Headline> {
    let first = run.findings.first();
    let median = |a: Scenario, b: Scenario| Some(times(ratio(run, &a.into(), b)?.median));
    let unit = run.unit();
    let sentences = [
        first.map(|finding| {
            let cost = unit.in_words(finding.message + finding.public_key);
            Headline::new(format!("Checking a signature ({}) takes ", finding.algorithm), cost, ".")
        }),
        first.and_then(|finding| pays(finding.break_even_insns)),
        median(Scenario::Unsigned, Scenario::Baseline).map(|times| {
            Headline::new("An unsigned load takes ", times, " times as much as without the patches.")
        }),
        median(Scenario::Signed, Scenario::Mainline).map(|times| {
            Headline::new("A signed load takes ", times, " times as much as with mainline's signed loader.")
        }),
        run.overhead.required_unsigned.as_ref().map(|cost| {
            let cost = unit.short(cost.median);
            Headline::new("Where signatures are required, an unsigned program is refused after ", cost, ".")
        }),
        run.overhead.repeated_beyond_hash.as_ref().map(|cost| {
            Headline::new("Checking the same signature again takes ", unit.short(cost.median), ".")
        }),
        first
            .and_then(|finding| finding.unknown_signer)
            .map(|cost| Headline::new("An unknown signer is refused after ", unit.short(cost), ".")),
    ];
    sentences.into_iter().flatten().collect()
}

fn pays(break_even: BreakEven) -> Option<Headline> {
    const SIZE: &str = " straight-line instructions";
    Some(match break_even {
        BreakEven::Unknown => return None,
        BreakEven::From(size) => Headline::new(
            "That is cheaper than verifying a program from ",
            number(size),
            format!("{SIZE} on."),
        ),
        BreakEven::BelowSmallest(size) => {
            Headline::new("That is cheaper than verifying even ", number(size), format!("{SIZE}."))
        }
        BreakEven::AboveLargest(size) => {
            Headline::new("That is dearer than verifying ", number(size), format!("{SIZE}."))
        }
    })
}

fn of_attacks(attacks: &Results<Attacks>) -> Vec<Headline> {
    let sentences = [
        shrinks_by(attacks).map(|factor| {
            Headline::new("The dearest refused load costs ", number(factor), " times less than before.")
        }),
        dearest_refused(attacks).map(|cost| {
            let cost = attacks.environment.unit.in_words(cost);
            Headline::new("The dearest refused load costs ", cost, " where failures are limited.")
        }),
        least_share(attacks).map(|share| {
            Headline::new(
                "Other work keeps ",
                percent(share),
                " of its CPU time under the worst such attack.",
            )
        }),
        at_once(attacks).map(|share| {
            Headline::new("Under all attacks at once, it keeps ", percent(share), " of its CPU time.")
        }),
    ];
    sentences.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, check, load};

    fn said(run: &Run) -> Vec<String> {
        headlines(Some(run), None).iter().map(Headline::to_string).collect()
    }

    #[test]
    fn only_measured_figures_are_told() {
        assert!(said(&fixture::run("tcg", vec![load("one", "signed", 150)])).is_empty());
        let loads =
            vec![load("one", "unsigned", 100), load("one", "signed", 150), load("one", "mainline", 600)];
        assert_eq!(
            said(&fixture::run("tcg", loads)),
            ["A signed load takes 0.250 times as much as with mainline's signed loader."]
        );
    }

    #[test]
    fn the_most_important_sentences_come_first_and_are_few() {
        let program = |name: &str, insns: u32, scenario: &str, cost: u64| {
            let mut load = load(name, scenario, cost);
            load.insns = insns;
            load.hashed_bytes = 8 * insns as usize;
            load.check = load.key.algorithm.is_some().then(|| check([10, 990, insns.into()]));
            load.verifier = Some(fixture::summary(10 * u64::from(insns)));
            load
        };
        let mut loads = Vec::new();
        for (name, insns) in [("straight-2", 2), ("straight-1002", 1002)] {
            for scenario in [
                "baseline",
                "unsigned",
                "signed",
                "repeated",
                "unknown-signer",
                "required-unsigned",
                "mainline",
            ] {
                loads.push(program(name, insns, scenario, 1000));
            }
        }
        let said = said(&fixture::run("tcg", loads));
        assert_eq!(said.len(), MOST);
        assert_eq!(said[0], "Checking a signature (p-256) takes 1.00 k instructions.");
        // 10 n against 1000 + n.
        assert_eq!(
            said[1],
            "That is cheaper than verifying a program from 111 straight-line instructions on."
        );
        assert_eq!(said[2], "An unsigned load takes 1.000 times as much as without the patches.");
    }
}
