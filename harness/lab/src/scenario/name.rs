//! Scenarios in files.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Scenario;

/// A scenario by its name. Another version of this program may have measured some that this one does not list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ScenarioName {
    /// A row of the table.
    Listed(Scenario),
    /// Another version's.
    Other(String),
}

impl ScenarioName {
    /// Its name in files.
    pub fn as_str(&self) -> &str {
        match self {
            ScenarioName::Listed(scenario) => scenario.name(),
            ScenarioName::Other(name) => name,
        }
    }

    /// What it is, for reports; empty if nothing is known.
    pub fn words(&self) -> &'static str {
        self.listed().map_or("", |scenario| scenario.row().words)
    }

    /// The scenario, if it is a row of the table.
    pub fn listed(&self) -> Option<Scenario> {
        match self {
            ScenarioName::Listed(scenario) => Some(*scenario),
            ScenarioName::Other(_) => None,
        }
    }
}

impl From<Scenario> for ScenarioName {
    fn from(scenario: Scenario) -> ScenarioName {
        ScenarioName::Listed(scenario)
    }
}

impl From<String> for ScenarioName {
    fn from(name: String) -> ScenarioName {
        Scenario::from_str(&name, false).map_or(ScenarioName::Other(name), ScenarioName::Listed)
    }
}

impl From<ScenarioName> for String {
    fn from(name: ScenarioName) -> String {
        name.as_str().to_owned()
    }
}

impl PartialEq<Scenario> for ScenarioName {
    fn eq(&self, scenario: &Scenario) -> bool {
        self.listed() == Some(*scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_stay_readable() {
        let name: ScenarioName = serde_json::from_str(r#""of-tomorrow""#).unwrap();
        assert_eq!((name.listed(), name.as_str(), name.words()), (None, "of-tomorrow", ""));
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""of-tomorrow""#);
        for scenario in Scenario::ALL {
            assert_eq!(ScenarioName::from(scenario.name().to_owned()), *scenario);
        }
    }
}
