//! The report as CSV: first veristat's columns under veristat's names, then ours.

use std::io::Write;

use anyhow::Result;

use crate::bench::{Cost, Results, Summary};

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
    "mode",
    "algorithm",
    "errno",
    "unit",
    "samples",
    "total_median",
    "total_mad",
    "signature_median",
    "signature_mad",
    "message_median",
    "public_key_median",
    "manifest_median",
    "verifier_median",
    "verifier_mad",
];

/// Writes a line per cost.
pub(super) fn write(results: &Results, file: &mut dyn Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(VERISTAT_COLUMNS.iter().chain(&COLUMNS))?;
    let unit = serde_json::to_value(results.environment.unit)?;
    for cost in &results.cost {
        csv.write_record(
            veristat_fields(cost).into_iter().chain(fields(cost, unit.as_str().unwrap_or_default())),
        )?;
    }
    Ok(csv.flush()?)
}

fn veristat_fields(cost: &Cost) -> [String; 12] {
    // Zeros where the verifier was not reached: that is what it did.
    let stats = cost.verifier_stats.unwrap_or_default();
    let duration = cost.verifier.as_ref().map_or(0.0, |verifier| verifier.median / 1000.0);
    [
        cost.source.to_string(),
        cost.program.clone(),
        cost.verdict.to_owned(),
        format!("{duration:.0}"),
        stats.total_insns.to_string(),
        stats.total_states.to_string(),
        stats.peak_states.to_string(),
        stats.max_states_per_insn.to_string(),
        stats.max_mark_read_len.to_string(),
        cost.insns.to_string(),
        cost.jited_size.to_string(),
        stats.stack_depth.to_string(),
    ]
}

fn fields(cost: &Cost, unit: &str) -> [String; 14] {
    let signature = cost.signature.as_ref();
    let median =
        |summary: Option<&Summary>| summary.map_or(String::new(), |summary| summary.median.to_string());
    let mad = |summary: Option<&Summary>| summary.map_or(String::new(), |summary| summary.mad.to_string());
    [
        cost.mode.name().to_owned(),
        cost.algorithm.map_or(String::new(), |algorithm| algorithm.to_string()),
        cost.errno.to_string(),
        unit.to_owned(),
        cost.total.as_ref().map_or(0, |total| total.samples.len()).to_string(),
        median(cost.total.as_ref()),
        mad(cost.total.as_ref()),
        median(signature.map(|signature| &signature.total)),
        mad(signature.map(|signature| &signature.total)),
        median(signature.map(|signature| &signature.message)),
        median(signature.map(|signature| &signature.public_key)),
        median(signature.map(|signature| &signature.manifest)),
        median(cost.verifier.as_ref()),
        mad(cost.verifier.as_ref()),
    ]
}
