//! The results as JSON.

use anyhow::Result;
use serde::Serialize;

use super::finding::{Finding, findings};
use super::overhead::Overhead;
use crate::bench::Results;

/// The results and what follows from them.
#[derive(Serialize)]
pub struct Document<'a> {
    #[serde(flatten)]
    results: &'a Results,
    finding: Vec<Finding>,
    overhead: Overhead,
}

impl<'a> Document<'a> {
    /// Draws the conclusions.
    pub fn new(results: &'a Results) -> Self {
        Self { results, finding: findings(&results.cost), overhead: Overhead::of(&results.cost) }
    }
}

/// A value as lines of JSON.
///
/// # Errors
/// It has something that JSON does not know.
pub fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    Ok(json)
}
