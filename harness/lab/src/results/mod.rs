//! What was measured: the one schema of the files that `bpfsig bench` writes and that reports are made of.
//!
//! Files hold measurements only. Conclusions are drawn when they are shown.

mod attacks;
mod environment;
mod errno;
mod loads;
mod selection;
mod summary;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use attacks::{AttackClass, AttackKey, AttackResult, Attacks, AttemptCost, Harm, Policy, Victim};
pub use environment::{DIRTY, Environment, KernelIdentity, Unit};
pub use errno::answer;
pub use loads::{Check, Key, Load, Loads, Unsupported, VerifierStats};
pub use selection::Selection;
pub use summary::{Summary, median};

/// The version of the schema: it changes when files of one version can't be read as files of another.
const SCHEMA: u64 = 2;

/// The results of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results<F> {
    schema: u64,
    /// Where it was measured.
    pub environment: Environment,
    /// What was asked for.
    pub selection: Selection,
    /// The machines whose results are here.
    pub finished: Vec<String>,
    /// What is missing; none: the results are whole.
    pub partial: Option<Partial>,
    /// What was measured.
    #[serde(flatten)]
    pub figures: F,
}

/// Why not all results are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// What ended the run.
    pub reason: String,
    /// The machines whose results are missing.
    pub missing: Vec<String>,
}

/// What a run measures: [`Loads`] or [`Attacks`].
pub trait Figures: Serialize + DeserializeOwned {
    /// The field of a file that they are in.
    const FIELD: &'static str;

    /// Whether nothing has been measured yet.
    fn is_empty(&self) -> bool;
}

impl<F: Figures> Results<F> {
    /// Results that are still to come.
    pub fn new(environment: Environment, selection: Selection, figures: F) -> Results<F> {
        Results { schema: SCHEMA, environment, selection, finished: Vec::new(), partial: None, figures }
    }

    /// Reads a file that `bpfsig bench` has written.
    ///
    /// # Errors
    /// It can't be read, is of another kind or schema, or has no figures.
    pub fn read(path: &Path) -> Result<Results<F>> {
        let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Results::parse(&json).with_context(|| not_a_result(path))
    }

    /// Reads the contents of such a file.
    ///
    /// # Errors
    /// It is of another kind or schema, or has no figures.
    pub fn parse(json: &[u8]) -> Result<Results<F>> {
        ensure!(value(json)?.get(F::FIELD).is_some(), "it has no {}", F::FIELD);
        Results::from_json(json)
    }

    fn from_json(json: &[u8]) -> Result<Results<F>> {
        let results: Results<F> = serde_json::from_slice(json)?;
        ensure!(!results.figures.is_empty(), "it has no figures");
        Ok(results)
    }

    /// As a file.
    ///
    /// # Errors
    /// There is a figure that JSON does not know.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }
}

/// The results of a run of either kind.
#[derive(Clone, Debug)]
pub enum AnyResults {
    /// Of `bpfsig bench`.
    Loads(Results<Loads>),
    /// Of `bpfsig bench --dos`.
    Attacks(Results<Attacks>),
}

impl From<Results<Loads>> for AnyResults {
    fn from(results: Results<Loads>) -> AnyResults {
        AnyResults::Loads(results)
    }
}

impl From<Results<Attacks>> for AnyResults {
    fn from(results: Results<Attacks>) -> AnyResults {
        AnyResults::Attacks(results)
    }
}

impl AnyResults {
    /// Reads a file that `bpfsig bench` has written.
    ///
    /// # Errors
    /// It can't be read, is something else or of another schema, or has no figures.
    pub fn read(path: &Path) -> Result<AnyResults> {
        let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let parse = || {
            let value = value(&json)?;
            if value.get(Loads::FIELD).is_some() {
                Results::from_json(&json).map(AnyResults::Loads)
            } else if value.get(Attacks::FIELD).is_some() {
                Results::from_json(&json).map(AnyResults::Attacks)
            } else {
                bail!("it has neither loads nor attacks")
            }
        };
        parse().with_context(|| not_a_result(path))
    }
}

fn not_a_result(path: &Path) -> String {
    format!("{} is not a result of `bpfsig bench` that can be used here", path.display())
}

/// The contents of a file of this schema.
fn value(json: &[u8]) -> Result<Value> {
    let value: Value = serde_json::from_slice(json)?;
    match value.get("schema").map(Value::as_u64) {
        Some(Some(SCHEMA)) => Ok(value),
        Some(_) => {
            bail!("its schema is {}, and this version of bpfsig reads schema {SCHEMA}", value["schema"])
        }
        None if value.get("cost").is_some() || value.get("dos").is_some() => bail!(
            "an earlier version of bpfsig has written it (schema 1), and this one reads schema {SCHEMA}: measure again"
        ),
        None => bail!("it has neither loads nor attacks"),
    }
}
