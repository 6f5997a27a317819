//! The report as CSV: first veristat's columns under veristat's names, then ours.

use std::io::Write;

use anyhow::Result;

use crate::results::{Load, Loads, Results, Summary};

/// As `veristat -o csv` names them. Its `duration` is the verifier's, in microseconds.
const VERISTAT_COLUMNS: [&str; 12] = [
    "file_name",
    "prog_name",
    "verdict",
    "duration",
    "total_insns",
    "total_states",
    "peak_states",
    "max_states_per_insn",
    "max_mark_read_len",
    "prog_size",
    "prog_size_jited",
    "stack_depth",
];

const COLUMNS: [&str; 14] = [
    "scenario",
    "algorithm",
    "errno",
    "unit",
    "samples",
    "prog_load_median",
    "prog_load_mad",
    "check_median",
    "check_mad",
    "message_median",
    "public_key_median",
    "manifest_median",
    "verifier_median",
    "verifier_mad",
];

/// Writes a line per load.
pub(super) fn write(results: &Results<Loads>, file: &mut dyn Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(VERISTAT_COLUMNS.iter().chain(&COLUMNS))?;
    let unit = serde_json::to_value(results.environment.unit)?;
    for load in &results.figures.loads {
        csv.write_record(
            veristat_fields(load).into_iter().chain(fields(load, unit.as_str().unwrap_or_default())),
        )?;
    }
    Ok(csv.flush()?)
}

fn veristat_fields(load: &Load) -> [String; 12] {
    // Zeros where the verifier was not reached: that is what it did.
    let stats = load.verifier_stats.unwrap_or_default();
    let duration = load.verifier.as_ref().map_or(0.0, |verifier| verifier.median / 1000.0);
    [
        load.source.clone(),
        load.key.program.clone(),
        if load.is_accepted() { "success" } else { "failure" }.to_owned(),
        format!("{duration:.0}"),
        stats.total_insns.to_string(),
        stats.total_states.to_string(),
        stats.peak_states.to_string(),
        stats.max_states_per_insn.to_string(),
        stats.max_mark_read_len.to_string(),
        load.insns.to_string(),
        load.jited_bytes.to_string(),
        stats.stack_depth.to_string(),
    ]
}

fn fields(load: &Load, unit: &str) -> [String; 14] {
    let check = load.check.as_ref();
    let median =
        |summary: Option<&Summary>| summary.map_or(String::new(), |summary| summary.median.to_string());
    let mad = |summary: Option<&Summary>| summary.map_or(String::new(), |summary| summary.mad.to_string());
    [
        load.key.scenario.as_str().to_owned(),
        load.key.algorithm.map_or(String::new(), |algorithm| algorithm.to_string()),
        load.errno.to_string(),
        unit.to_owned(),
        load.prog_load.as_ref().map_or(0, |total| total.samples.len()).to_string(),
        median(load.prog_load.as_ref()),
        mad(load.prog_load.as_ref()),
        median(check.map(|check| &check.total)),
        mad(check.map(|check| &check.total)),
        median(check.map(|check| &check.message)),
        median(check.map(|check| &check.public_key)),
        median(check.map(|check| &check.manifest)),
        median(load.verifier.as_ref()),
        mad(load.verifier.as_ref()),
    ]
}
