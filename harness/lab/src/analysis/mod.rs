//! Conclusions from results.
//!
//! ```text
//! loads   → findings (the cost of a check, the break-even), overhead, comparisons of scenarios, a fleet's year
//! attacks → sentences
//! both    → headlines
//! ```

mod attacks;
mod finding;
pub mod fleet;
mod headline;
mod overhead;
mod pairs;
mod quantity;
mod run;
mod scenarios;

pub use attacks::sentences;
pub use finding::{BreakEven, Finding};
pub use headline::{Headline, headlines};
pub use overhead::{ObjectOverhead, Overhead, Spread};
pub use pairs::{Beside, Compared, added, beside, ratio};
pub use quantity::{number, percent, times};
pub use run::Run;
pub use scenarios::{measured, missing};

#[cfg(test)]
pub(crate) use run::fixture;
