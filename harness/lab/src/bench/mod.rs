//! Whole runs: what is selected, machine after machine, and results that are kept as each machine finishes.
//!
//! ```text
//! selection + testbed ── job for each machine ──> outcome, checked ──> record ──> results file
//! ```

mod attacks;
mod environment;
#[cfg(test)]
mod fake;
mod loads;
mod record;
mod select;
mod testbed;
#[cfg(test)]
mod tests;

pub use attacks::attack;
pub use environment::command;
pub use loads::measure;
pub use record::Keep;
pub use testbed::{RealTestbed, Testbed};
