//! The report as JSON.

use serde::Serialize;

use super::finding::{Finding, findings};
use super::overhead::Overhead;
use crate::bench::Results;

/// The results and what follows from them.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(flatten)]
    results: &'a Results,
    finding: Vec<Finding>,
    overhead: Overhead,
}

impl<'a> Document<'a> {
    pub fn new(results: &'a Results) -> Self {
        Self { results, finding: findings(&results.cost), overhead: Overhead::of(&results.cost) }
    }
}
