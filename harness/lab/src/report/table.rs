//! All programs of a run in a table.

use bpfsig_signing::key::Algorithm;

use super::document::{Column, Table, Text};
use crate::analysis::{Run, number};
use crate::results::{Load, Summary, Unit};
use crate::scenario::Scenario;

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

/// One row per program and algorithm, with the median of each scenario.
pub(super) fn table(run: &Run) -> Table {
    let programs = run.loads().chunk_by(|a, b| a.key.program == b.key.program);
    let rows = programs.flat_map(|program| rows(program, run.unit()));
    Table { columns: COLUMNS.into(), rows: rows.map(|row| row.map(Text::from).into()).collect() }
}

/// The rows of one program.
fn rows(loads: &[Load], unit: Unit) -> Vec<[String; 15]> {
    let Some(first) = loads.first() else { return Vec::new() };
    let without = |scenario: Scenario| loads.iter().find(|load| load.key.scenario == scenario);
    let unsigned = without(Scenario::Unsigned);
    const OURS: [Scenario; 6] = [
        Scenario::Signed,
        Scenario::Repeated,
        Scenario::Attested,
        Scenario::Forged,
        Scenario::UnknownSigner,
        Scenario::Altered,
    ];
    let is_ours = |load: &&Load| OURS.iter().any(|scenario| load.key.scenario == *scenario);
    let mut algorithms: Vec<_> = loads.iter().filter(is_ours).map(|load| load.key.algorithm).collect();
    algorithms.dedup();
    if algorithms.is_empty() {
        algorithms.push(None);
    }
    let row = |algorithm: Option<Algorithm>| {
        let of = |scenario: Scenario| {
            loads.iter().find(|load| load.key.scenario == scenario && load.key.algorithm == algorithm)
        };
        let show = |median: Option<f64>| median.map_or("-".to_owned(), |median| unit.short(median));
        let median = |figure: &Option<Summary>| figure.as_ref().map(|figure| figure.median);
        let prog_load = |load: Option<&Load>| show(load.and_then(Load::prog_load_cost));
        let signed = of(Scenario::Signed);
        let accepted = signed.or(unsigned);
        [
            first.key.program.clone(),
            first.insns.to_string(),
            accepted
                .and_then(|load| load.verifier_stats)
                .map_or("-".to_owned(), |stats| stats.total_insns.to_string()),
            algorithm.map_or("-".to_owned(), |algorithm| algorithm.to_string()),
            prog_load(without(Scenario::Baseline)),
            prog_load(unsigned),
            prog_load(signed),
            prog_load(of(Scenario::Repeated)),
            prog_load(of(Scenario::Attested)),
            show(signed.and_then(|load| Some(load.check.as_ref()?.total.median))),
            show(accepted.and_then(|load| median(&load.verifier))),
            prog_load(of(Scenario::Forged)),
            prog_load(of(Scenario::UnknownSigner)),
            prog_load(of(Scenario::Altered)),
            prog_load(without(Scenario::RequiredUnsigned)),
        ]
    };
    algorithms.into_iter().map(row).collect()
}

/// How the figures came about.
pub(super) fn caption(run: &Run) -> String {
    let summaries: Vec<&Summary> = run.loads().iter().filter_map(|load| load.prog_load.as_ref()).collect();
    let most = summaries.iter().map(|summary| summary.samples.len()).max().unwrap_or_default();
    let fewer = summaries.iter().filter(|summary| summary.samples.len() < most).count();
    let least = summaries.iter().map(|summary| summary.samples.len()).min().unwrap_or_default();
    let worst = summaries.iter().map(|summary| summary.relative_mad()).fold(0.0, f64::max);
    let mut text = format!(
        "Medians of {most} samples, in {} of a whole `BPF_PROG_LOAD`; `check` and `verifier` are parts of `signed`. \
         `baseline`: unsigned, without the patches; `required`: unsigned, where signatures are required.",
        run.unit().plural()
    );
    if fewer > 0 {
        text += &format!(
            " The {fewer} costliest of {} figures have fewer samples, at least {least}.",
            summaries.len()
        );
    }
    text + &format!(" Largest median absolute deviation: {} %.", percent(worst))
}

fn percent(part: f64) -> String {
    if part == 0.0 { number(0.0) } else { format!("{:.3}", 100.0 * part) }
}
