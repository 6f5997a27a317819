//! Measures the cost of loads.
//!
//! ```text
//! workloads × scenarios ── prepare (signs) ──> plan ──guest──> outcome ── verdict, figures ──> results
//! ```

mod approve_list;
mod attempt;
mod figures;
mod guest;
mod plan;
mod policy;
mod prepare;
mod verdict;
mod workload;

use anyhow::Result;

use super::Job;
use crate::scenario::Loader;

pub use figures::figures;
pub use plan::{AttestedFacts, Measured, Outcome, Plan, PlannedForm, PlannedLoad, Sample};
pub use prepare::plan;
pub use verdict::{check, refused};
pub use workload::{Case, Workload};

impl Job for Plan {
    const NAME: &'static str = "measure";

    const ACTIVITY: &'static str = "Measure";

    type Outcome = Outcome;

    fn items(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    fn carry_out(&self) -> Result<Outcome> {
        match self.loader {
            Loader::Any => guest::run(self),
            Loader::Listed => approve_list::run_listed(self),
            Loader::Unlisted => approve_list::run_unlisted(self),
        }
    }
}
