//! The report as a table.

use super::plain;
use super::quantity::number;
use crate::bench::{Cost, Mode, Results, Summary};
use crate::engine::Unit;

const HEADER: [&str; 14] = [
    "program",
    "insns",
    "processed",
    "algorithm",
    "baseline",
    "unsigned",
    "signed",
    "repeated",
    "check",
    "verifier",
    "forged",
    "unknown signer",
    "altered",
    "required",
];

/// Columns with text; all others have numbers.
const TEXT: [usize; 2] = [0, 3];

/// One row per program and algorithm, with the median of each mode.
pub(super) fn render(results: &Results) -> String {
    let programs = results.cost.chunk_by(|a, b| a.program == b.program);
    let rows = programs.flat_map(|program| rows(program, results.environment.unit));
    let table = plain::table(HEADER.map(str::to_owned), rows, |index| TEXT.contains(&index));
    format!("{}\n\n{}\n", table, caption(results))
}

/// The rows of one program.
fn rows(costs: &[Cost], unit: Unit) -> Vec<Vec<String>> {
    let Some(first) = costs.first() else { return Vec::new() };
    let without = |mode| costs.iter().find(|cost| cost.mode == mode);
    let unsigned = without(Mode::Unsigned);
    let mut algorithms: Vec<_> = costs.iter().filter_map(|cost| cost.algorithm).collect();
    algorithms.dedup();
    let row = |algorithm| {
        let mode = |mode| costs.iter().find(|cost| cost.mode == mode && cost.algorithm == algorithm);
        let show =
            |summary: Option<&Summary>| summary.map_or("-".to_owned(), |summary| unit.short(summary.median));
        let total = |cost: Option<&Cost>| show(cost.and_then(|cost| cost.total.as_ref()));
        let signed = mode(Mode::Signed);
        let accepted = signed.or(unsigned);
        vec![
            first.program.clone(),
            first.insns.to_string(),
            accepted
                .and_then(|cost| cost.verifier_stats)
                .map_or("-".to_owned(), |stats| stats.total_insns.to_string()),
            algorithm.map_or("-".to_owned(), |algorithm| algorithm.to_string()),
            total(without(Mode::Baseline)),
            total(unsigned),
            total(signed),
            total(mode(Mode::Repeated)),
            show(signed.and_then(|cost| Some(&cost.signature.as_ref()?.total))),
            show(accepted.and_then(|cost| cost.verifier.as_ref())),
            total(mode(Mode::Forged)),
            total(mode(Mode::UnknownSigner)),
            total(mode(Mode::Altered)),
            total(without(Mode::RequiredUnsigned)),
        ]
    };
    if algorithms.is_empty() {
        return vec![row(None)];
    }
    algorithms.into_iter().map(|algorithm| row(Some(algorithm))).collect()
}

/// How the figures came about.
fn caption(results: &Results) -> String {
    let totals: Vec<&Summary> = results.cost.iter().filter_map(|cost| cost.total.as_ref()).collect();
    let most = totals.iter().map(|total| total.samples.len()).max().unwrap_or_default();
    let fewer = totals.iter().filter(|total| total.samples.len() < most).count();
    let least = totals.iter().map(|total| total.samples.len()).min().unwrap_or_default();
    let worst = totals.iter().map(|total| total.relative_mad()).fold(0.0, f64::max);
    let mut text = format!(
        "Medians of {most} samples, in {} of a whole load; `check` and `verifier` are parts of `signed`. \
         `baseline`: unsigned, without the patches; `required`: unsigned, where signatures are required.",
        results.environment.unit.plural()
    );
    if fewer > 0 {
        text += &format!(
            " The {fewer} costliest of {} figures have fewer samples, at least {least}.",
            totals.len()
        );
    }
    text + &format!(" Largest median absolute deviation: {} %.", percent(worst))
}

fn percent(part: f64) -> String {
    if part == 0.0 { number(0.0) } else { format!("{:.3}", 100.0 * part) }
}
