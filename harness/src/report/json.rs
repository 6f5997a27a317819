//! The report as JSON.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::finding::{Finding, findings};
use super::overhead::Overhead;
use crate::bench::Results;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    results: &'a Results,
    finding: Vec<Finding>,
    overhead: Overhead,
}

/// Writes the results and what follows from them.
pub(super) fn write(results: &Results, mut file: &mut dyn Write) -> Result<()> {
    let document =
        Document { results, finding: findings(&results.cost), overhead: Overhead::of(&results.cost) };
    serde_json::to_writer_pretty(&mut file, &document)?;
    writeln!(file)?;
    Ok(())
}
