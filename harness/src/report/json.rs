//! The report as JSON.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::Report;
use super::finding::{Finding, findings};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    finding: Vec<Finding>,
}

/// Writes the report.
pub(super) fn write(report: &Report, mut file: &mut dyn Write) -> Result<()> {
    let document = Document { report, finding: findings(&report.cost) };
    serde_json::to_writer_pretty(&mut file, &document)?;
    writeln!(file)?;
    Ok(())
}
