//! Whole runs: a selection, machine after machine, and results that are kept as each machine finishes. The patched kernel comes
//! first; the others are built while it is measured.
//!
//! ```text
//! selection ──> forecast
//! selection + testbed ── job for each machine ──> outcome, checked ──> record ──> results file
//! ```

mod attacks;
mod builds;
mod environment;
#[cfg(test)]
mod fake;
mod forecast;
mod loads;
mod record;
mod select;
mod testbed;
#[cfg(test)]
mod tests;

pub use attacks::attack;
pub use environment::command;
pub use forecast::Forecast;
pub use loads::measure;
pub use record::{Keep, Stage};
pub use testbed::{RealTestbed, Testbed};
