//! The finding, in a minute.

use super::super::collection::Collection;
use super::super::document::{Block, Text};
use super::warnings::warnings;
use crate::analysis::{self, Finding, Run, number, ratio, trust_ratio};
use crate::results::Unit;
use crate::scenario::Scenario;

pub(super) fn blocks(results: &Collection) -> Vec<Block> {
    let of_run = results.runs.first().into_iter().flat_map(|run| of_run(&run.result));
    let of_attacks = results
        .attacks
        .first()
        .into_iter()
        .flat_map(|attacks| analysis::sentences(&attacks.result).into_iter().next());
    let sentences: Vec<Text> = of_run.chain(of_attacks).map(Text::from).collect();
    let mut blocks = vec![Block::Heading("The finding".to_owned()), Block::List(sentences)];
    match warnings(results).len() {
        0 => {}
        count => blocks.push(Block::Paragraph(
            format!("Before you rely on it, see the warnings ({count}) under \"How it was measured\".")
                .into(),
        )),
    }
    blocks
}

/// What one run has found: a sentence on the check, on when it pays, on refusals, and on other ways.
fn of_run(run: &Run) -> Vec<String> {
    let unit = run.unit();
    [check(run, unit), pays(&run.findings), refusals(run, unit), others(run)].into_iter().flatten().collect()
}

fn check(run: &Run, unit: Unit) -> Option<String> {
    let first = run.findings.first()?;
    let costs = run.findings.iter().map(|finding| {
        format!("{} with {}", unit.short(finding.message + finding.public_key), finding.algorithm)
    });
    let mut text = format!(
        "A signature check takes, in {}, {}: that is the public-key operation, but for {}",
        unit.plural(),
        costs.collect::<Vec<_>>().join(", "),
        unit.short(first.message),
    );
    if let Some(per_insn) = first.manifest_per_insn {
        text += &format!("; and {} for each instruction of the program, to hash it", unit.short(per_insn));
    }
    if let Some(known) = &run.overhead.repeated_beyond_hash {
        text += &format!("; if the kernel knows the statement, {} and the hash", unit.short(known.median));
    }
    Some(text + ".")
}

fn pays(findings: &[Finding]) -> Option<String> {
    let one = |finding: &Finding| {
        let size = finding.break_even_insns.in_words("straight-line instructions");
        let real = (finding.real_programs > 0).then(|| {
            format!("for {} of {} real programs", finding.real_programs_cheaper, finding.real_programs)
        });
        let parts: Vec<String> = size.into_iter().chain(real).collect();
        (!parts.is_empty()).then(|| format!("with {}, {}", finding.algorithm, parts.join(" and ")))
    };
    let all: Vec<String> = findings.iter().filter_map(one).collect();
    (!all.is_empty()).then(|| format!("It is cheaper than verification: {}.", all.join("; ")))
}

fn refusals(run: &Run, unit: Unit) -> Option<String> {
    let first = run.findings.first()?;
    let required = run.overhead.required_unsigned.as_ref();
    let parts = [
        first
            .forged
            .map(|cost| format!("a forged signature after {} ({})", unit.short(cost), first.algorithm)),
        first.unknown_signer.map(|cost| format!("an unknown signer after {}", unit.short(cost))),
        required.map(|cost| {
            format!("an unsigned program, where signatures are required, after {}", unit.short(cost.median))
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("The kernel refuses {}.", parts.join("; ")))
}

/// What loads take in terms of other loads of the same program, in the median.
fn others(run: &Run) -> Option<String> {
    let load = |a: Scenario, b: Scenario, what: &str, of: &str| {
        Some(format!("{what} takes {} times what {of}", times(ratio(run, &a.into(), b)?.median)))
    };
    let trust = |a: Scenario, b: Scenario| {
        let part = times(trust_ratio(run, a, b)?.median);
        Some(format!("trust adds to a repeated one {part} times what it adds to mainline's"))
    };
    let parts = [
        load(Scenario::Unsigned, Scenario::Baseline, "unsigned, it", "it takes without the patches"),
        load(Scenario::Signed, Scenario::Unsigned, "signed, the first", "an unsigned one takes"),
        load(Scenario::Repeated, Scenario::Unsigned, "a repeated one", "an unsigned one takes"),
        load(Scenario::Attested, Scenario::Unsigned, "an attested one", "an unsigned one takes"),
        load(Scenario::ApproveList, Scenario::Baseline, "one by an approved loader", "any other takes"),
        load(Scenario::Signed, Scenario::Mainline, "our first signed one", "mainline's takes"),
        trust(Scenario::Repeated, Scenario::Mainline),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty())
        .then(|| format!("A whole load of the same program, in the median: {}.", parts.join("; ")))
}

/// A ratio with three digits.
pub(super) fn times(ratio: f64) -> String {
    match ratio {
        large if large >= 99.95 => number(large),
        large if large >= 9.995 => format!("{large:.1}"),
        large if large >= 1.1 => format!("{large:.2}"),
        small => format!("{small:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, load};

    #[test]
    fn nothing_is_said_of_what_was_not_measured() {
        let run = |loads| fixture::run("tcg", loads);
        assert!(of_run(&run(vec![load("one", "signed", 150)])).is_empty());
        let loads =
            vec![load("one", "unsigned", 100), load("one", "signed", 150), load("one", "mainline", 600)];
        let [sentence] = &of_run(&run(loads))[..] else { panic!() };
        assert!(sentence.contains("the first takes 1.50 times what an unsigned one takes"), "{sentence}");
        assert!(sentence.contains("takes 0.250 times what mainline's takes"), "{sentence}");
        assert!(!sentence.contains("repeated") && !sentence.contains("approved"), "{sentence}");
    }

    #[test]
    fn ratios() {
        assert_eq!(
            [0.4999, 1.0004, 1.256, 12.34, 1234.0].map(times),
            ["0.500", "1.000", "1.26", "12.3", "1.23 k"]
        );
    }
}
