//! All programs of a run in a table.

use bpfsig_signing::key::Algorithm;

use super::document::{Column, Table, Text};
use crate::analysis::{Run, number};
use crate::results::{Load, Summary, Unit};
use crate::scenario::Scenario;

/// A column of figures.
enum Figure {
    /// What a load costs in a scenario.
    Load(Scenario),
    /// The part of a signed load that goes into checking its signature.
    Check,
    /// The part of it that goes into verifying.
    Verifier,
}

/// To show another scenario, add a column.
const FIGURES: [(&str, Figure); 12] = [
    ("baseline", Figure::Load(Scenario::Baseline)),
    ("unsigned", Figure::Load(Scenario::Unsigned)),
    ("signed", Figure::Load(Scenario::Signed)),
    ("repeated", Figure::Load(Scenario::Repeated)),
    ("attested", Figure::Load(Scenario::Attested)),
    ("check", Figure::Check),
    ("verifier", Figure::Verifier),
    ("forged", Figure::Load(Scenario::Forged)),
    ("unknown signer", Figure::Load(Scenario::UnknownSigner)),
    ("altered", Figure::Load(Scenario::Altered)),
    ("required", Figure::Load(Scenario::RequiredUnsigned)),
    ("granted", Figure::Load(Scenario::Granted)),
];

/// One row per program and algorithm, with the median of each scenario.
pub(super) fn table(run: &Run) -> Table {
    let about = [
        Column::text("program"),
        Column::number("insns"),
        Column::number("processed"),
        Column::text("algorithm"),
    ];
    let figures = FIGURES.map(|(name, _)| Column::number(name));
    let programs = run.loads().chunk_by(|a, b| a.key.program == b.key.program);
    let rows = programs.flat_map(|program| rows(program, run.unit()));
    Table {
        columns: about.into_iter().chain(figures).collect(),
        rows: rows.map(|row| row.into_iter().map(Text::from).collect()).collect(),
    }
}

/// The rows of one program.
fn rows(loads: &[Load], unit: Unit) -> Vec<Vec<String>> {
    let Some(first) = loads.first() else { return Vec::new() };
    let mut algorithms: Vec<_> =
        loads.iter().filter(|load| is_signed_and_shown(load)).map(|load| load.key.algorithm).collect();
    algorithms.dedup();
    if algorithms.is_empty() {
        algorithms.push(None);
    }
    let row = |algorithm: Option<Algorithm>| {
        let of = |scenario: Scenario| {
            let algorithm = algorithm.filter(|_| scenario.is_signed());
            loads.iter().find(|load| load.key.scenario == scenario && load.key.algorithm == algorithm)
        };
        let signed = of(Scenario::Signed);
        let accepted = signed.or(of(Scenario::Unsigned));
        let figures = FIGURES.iter().map(|(_, figure)| {
            let median = match figure {
                Figure::Load(scenario) => of(*scenario).and_then(Load::prog_load_cost),
                Figure::Check => signed.and_then(|load| Some(load.check.as_ref()?.total.median)),
                Figure::Verifier => accepted.and_then(|load| Some(load.verifier.as_ref()?.median)),
            };
            or_dash(median.map(|median| unit.short(median)))
        });
        let processed = accepted.and_then(|load| load.verifier_stats).map(|stats| stats.total_insns);
        let about =
            [first.key.program.clone(), first.insns.to_string(), or_dash(processed), or_dash(algorithm)];
        about.into_iter().chain(figures).collect()
    };
    algorithms.into_iter().map(row).collect()
}

/// Whether a load is signed and has a column.
fn is_signed_and_shown(load: &Load) -> bool {
    FIGURES.iter().any(|(_, figure)| match figure {
        Figure::Load(scenario) => scenario.is_signed() && load.key.scenario == *scenario,
        Figure::Check | Figure::Verifier => false,
    })
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
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
