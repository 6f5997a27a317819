//! What follows from results.
//!
//! ```text
//! loads   → findings (what a check costs, when it pays), overhead, comparisons of scenarios
//! attacks → sentences
//! ```

mod attacks;
mod finding;
mod overhead;
mod peers;
mod quantity;
mod run;
mod scenarios;

pub use attacks::sentences;
pub use finding::{BreakEven, Finding};
pub use overhead::{ObjectOverhead, Overhead, Spread};
pub use peers::{Compared, added, ratio, trust_ratio};
pub use quantity::{number, percent};
pub use run::Run;
pub use scenarios::{measured, missing};

#[cfg(test)]
pub(crate) use run::fixture;
