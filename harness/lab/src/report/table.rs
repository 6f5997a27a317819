//! All programs of a run in a table.

use super::document::{Column, Table, Text};
use super::quantity::number;
use super::run::{Cost, Run};
use crate::bench::Summary;
use crate::engine::Unit;

const COLUMNS: [Column; 15] = [
    Column::text("program"),
    Column::number("insns"),
    Column::number("processed"),
    Column::text("algorithm"),
    Column::number("baseline"),
    Column::number("unsigned"),
    Column::number("signed"),
    Column::number("repeated"),
    Column::number("attested"),
    Column::number("check"),
    Column::number("verifier"),
    Column::number("forged"),
    Column::number("unknown signer"),
    Column::number("altered"),
    Column::number("required"),
];

/// One row per program and algorithm, with the median of each mode.
pub(super) fn table(run: &Run) -> Table {
    let programs = run.cost.chunk_by(|a, b| a.program == b.program);
    let rows = programs.flat_map(|program| rows(program, run.environment.unit));
    Table { columns: COLUMNS.into(), rows: rows.map(|row| row.map(Text::from).into()).collect() }
}

/// The rows of one program.
fn rows(costs: &[Cost], unit: Unit) -> Vec<[String; 15]> {
    let Some(first) = costs.first() else { return Vec::new() };
    let without = |mode| costs.iter().find(|cost| cost.mode == mode);
    let unsigned = without("unsigned");
    const OURS: [&str; 6] = ["signed", "repeated", "attested", "forged", "unknown-signer", "altered"];
    let is_ours = |cost: &&Cost| OURS.contains(&&*cost.mode);
    let mut algorithms: Vec<_> = costs.iter().filter(is_ours).map(|cost| cost.algorithm.as_deref()).collect();
    algorithms.dedup();
    if algorithms.is_empty() {
        algorithms.push(None);
    }
    let row = |algorithm: Option<&str>| {
        let mode =
            |mode| costs.iter().find(|cost| cost.mode == mode && cost.algorithm.as_deref() == algorithm);
        let show = |median: Option<f64>| median.map_or("-".to_owned(), |median| unit.short(median));
        let median = |figure: &Option<Summary>| figure.as_ref().map(|figure| figure.median);
        let total = |cost: Option<&Cost>| show(cost.and_then(|cost| median(&cost.total)));
        let signed = mode("signed");
        let accepted = signed.or(unsigned);
        [
            first.program.clone(),
            first.insns.to_string(),
            accepted
                .and_then(|cost| cost.verifier_stats)
                .map_or("-".to_owned(), |stats| stats.total_insns.to_string()),
            algorithm.unwrap_or("-").to_owned(),
            total(without("baseline")),
            total(unsigned),
            total(signed),
            total(mode("repeated")),
            total(mode("attested")),
            show(signed.and_then(|cost| Some(cost.signature.as_ref()?.total.median))),
            show(accepted.and_then(|cost| median(&cost.verifier))),
            total(mode("forged")),
            total(mode("unknown-signer")),
            total(mode("altered")),
            total(without("required-unsigned")),
        ]
    };
    algorithms.into_iter().map(row).collect()
}

/// How the figures came about.
pub(super) fn caption(run: &Run) -> String {
    let totals: Vec<&Summary> = run.cost.iter().filter_map(|cost| cost.total.as_ref()).collect();
    let most = totals.iter().map(|total| total.samples.len()).max().unwrap_or_default();
    let fewer = totals.iter().filter(|total| total.samples.len() < most).count();
    let least = totals.iter().map(|total| total.samples.len()).min().unwrap_or_default();
    let worst = totals.iter().map(|total| total.relative_mad()).fold(0.0, f64::max);
    let mut text = format!(
        "Medians of {most} samples, in {} of a whole `BPF_PROG_LOAD`; `check` and `verifier` are parts of `signed`. \
         `baseline`: unsigned, without the patches; `required`: unsigned, where signatures are required.",
        run.environment.unit.plural()
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
