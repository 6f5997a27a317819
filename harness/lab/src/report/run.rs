//! Reading what `bpfsig bench` has written.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::finding::Finding;
use super::overhead::Overhead;
use crate::bench::{Environment, SignatureCost, Summary};
use crate::guest::VerifierStats;

/// One run.
#[derive(Deserialize)]
pub(super) struct Run {
    pub environment: Environment,
    pub cost: Vec<Cost>,
    /// What it says of each algorithm.
    #[serde(default)]
    pub finding: Vec<Finding>,
    /// What it says of the patches.
    #[serde(default)]
    pub overhead: Overhead,
    /// What can't be loaded in some mode.
    #[serde(default)]
    pub unsupported: Vec<Unsupported>,
}

/// What loading a program cost in one mode.
#[derive(Deserialize)]
pub(super) struct Cost {
    pub program: String,
    pub source: String,
    pub programs: usize,
    pub insns: u64,
    pub mode: String,
    pub algorithm: Option<String>,
    pub errno: i32,
    /// `BPF_PROG_LOAD`.
    pub total: Option<Summary>,
    /// All system calls that the load takes.
    pub loaded: Option<Summary>,
    /// Bytes that have to get to the machine.
    pub travels: Option<u64>,
    pub signature: Option<SignatureCost>,
    pub verifier: Option<Summary>,
    pub verifier_stats: Option<VerifierStats>,
}

/// What a mode can't carry.
#[derive(Deserialize)]
pub(super) struct Unsupported {
    pub program: String,
    pub mode: String,
    pub reason: String,
}

impl Run {
    /// # Errors
    /// The file can't be read, or is of another kind.
    pub fn read(path: &Path) -> Result<Run> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Run::parse(&bytes)
            .with_context(|| format!("{} is no result of `bpfsig bench` (without --dos)", path.display()))
    }

    /// # Errors
    /// It is of another kind.
    pub fn parse(json: &[u8]) -> Result<Run> {
        let run: Run = serde_json::from_slice(json)?;
        ensure!(!run.cost.is_empty(), "it has no figures");
        Ok(run)
    }

    /// What a program cost in a mode, signed with an algorithm.
    pub fn cost(&self, program: &str, mode: &str, algorithm: Option<&str>) -> Option<&Cost> {
        let is_it = |cost: &&Cost| {
            (&*cost.program, &*cost.mode, cost.algorithm.as_deref()) == (program, mode, algorithm)
        };
        self.cost.iter().find(is_it)
    }

    /// What each single program cost in a mode, with the first algorithm that it was signed with.
    pub fn in_mode(&self, mode: &str) -> impl Iterator<Item = &Cost> {
        let mut last = "";
        self.cost.iter().filter(move |cost| {
            let is_first = cost.mode == mode && cost.programs == 1 && cost.program != last;
            if cost.mode == mode {
                last = &cost.program;
            }
            is_first
        })
    }

    /// What a whole load cost: all system calls if they were measured, otherwise `BPF_PROG_LOAD`.
    pub fn load(&self, cost: &Cost) -> Option<f64> {
        let figure = if self.has_loaded() { &cost.loaded } else { &cost.total };
        figure.as_ref().map(|figure| figure.median)
    }

    /// Whether all system calls were measured.
    pub fn has_loaded(&self) -> bool {
        self.cost.iter().any(|cost| cost.loaded.is_some())
    }
}

impl Cost {
    /// Whether it is a program that somebody wrote, by itself.
    pub fn is_real(&self) -> bool {
        self.programs == 1 && self.source != "generated"
    }
}

#[cfg(test)]
pub(super) mod fixture {
    use serde_json::{Value, json};

    /// A run without figures.
    pub fn run(engine: &str, cost: Vec<Value>) -> Value {
        let unit = if engine == "tcg" { "guest instructions" } else { "ns" };
        json!({
            "environment": {
                "engine": engine, "unit": unit, "kernels": [], "qemu": null, "cpu": "a CPU", "commit": "0123456789abcdef",
                "date": "2026-11-27T13:00:00Z", "command": null, "seconds": null,
            },
            "cost": cost,
        })
    }

    /// One sample.
    pub fn figure(sample: u64) -> Value {
        json!({ "median": sample, "mad": 0, "samples": [sample] })
    }

    /// A load that was accepted.
    pub fn cost(program: &str, mode: &str, total: u64) -> Value {
        let is_signed = !["baseline", "unsigned"].contains(&mode);
        json!({
            "program": program, "source": "progs/x.bpf.c", "programs": 1, "insns": 2, "mode": mode,
            "algorithm": is_signed.then_some("p-256"), "errno": 0, "total": figure(total), "signature": null,
            "verifier": null, "verifier_stats": null,
        })
    }

    /// The parts of a signature check.
    pub fn signature([message, public_key, manifest]: [u64; 3]) -> Value {
        let mut signature = figure(message + public_key + manifest);
        signature["message"] = figure(message);
        signature["public_key"] = figure(public_key);
        signature["manifest"] = figure(manifest);
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(costs: Vec<serde_json::Value>) -> Result<Run> {
        Run::parse(fixture::run("tcg", costs).to_string().as_bytes())
    }

    #[test]
    fn a_mode_has_each_program_once() {
        let mut other = fixture::cost("one", "signed", 7);
        other["algorithm"] = "p-384".into();
        let mut object = fixture::cost("object", "signed", 9);
        object["programs"] = 2.into();
        let unsigned = fixture::cost("one", "unsigned", 3);
        let run = parse(vec![
            unsigned,
            fixture::cost("one", "signed", 5),
            other,
            fixture::cost("two", "signed", 6),
            object,
        ])
        .unwrap();
        let totals: Vec<_> = run.in_mode("signed").filter_map(|cost| run.load(cost)).collect();
        assert_eq!(totals, [5.0, 6.0]);
    }

    #[test]
    fn a_load_is_all_system_calls_if_they_were_measured() {
        let mut cost = fixture::cost("one", "signed", 5);
        assert_eq!(parse(vec![cost.clone()]).map(|run| run.load(&run.cost[0])).unwrap(), Some(5.0));
        cost["loaded"] = fixture::figure(8);
        let run = parse(vec![cost, fixture::cost("one", "unsigned", 5)]).unwrap();
        assert_eq!(run.load(&run.cost[0]), Some(8.0));
        // That would be like and unlike.
        assert_eq!(run.load(&run.cost[1]), None);
    }

    #[test]
    fn a_run_without_figures_is_none() {
        assert!(parse(Vec::new()).err().unwrap().to_string().contains("no figures"));
    }
}
