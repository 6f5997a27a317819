//! What a run was asked to measure.

use serde::{Deserialize, Serialize};

use crate::scenario::ScenarioName;

/// What the user asked for. A run can only be resumed with the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Less of everything, in less time.
    pub quick: bool,
    /// Only the programs, or attacks, that this glob pattern matches.
    pub only: Option<String>,
    /// The names of algorithms: these for all programs, instead of one for all and more for a few.
    pub algorithms: Vec<String>,
    /// Only these scenarios, if there are any.
    pub scenarios: Vec<ScenarioName>,
}
