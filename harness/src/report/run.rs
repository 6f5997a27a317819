//! Reading what `bpfsig bench` has written: of each figure, its median.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::engine::Unit;

/// One run.
#[derive(Deserialize)]
pub(super) struct Run {
    pub environment: Environment,
    pub cost: Vec<Cost>,
}

/// Where it was measured.
#[derive(Deserialize)]
pub(super) struct Environment {
    pub engine: String,
    pub unit: Unit,
}

/// What loading a program cost in one mode.
#[derive(Deserialize)]
pub(super) struct Cost {
    pub program: String,
    pub mode: String,
    pub algorithm: Option<String>,
    pub total: Option<Figure>,
    pub signature: Option<Figure>,
    pub verifier: Option<Figure>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Figure {
    pub median: f64,
}

impl Run {
    /// # Errors
    /// The file can't be read, or is of another kind.
    pub fn read(path: &Path) -> Result<Run> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is no result of `bpfsig bench` (without --dos)", path.display()))
    }

    /// What a program cost in a mode, signed with an algorithm.
    pub fn cost(&self, program: &str, mode: &str, algorithm: Option<&str>) -> Option<&Cost> {
        let is_it = |cost: &&Cost| {
            (&*cost.program, &*cost.mode, cost.algorithm.as_deref()) == (program, mode, algorithm)
        };
        self.cost.iter().find(is_it)
    }
}
