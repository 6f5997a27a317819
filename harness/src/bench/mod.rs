//! The main job: measures what a signature check costs, next to what verification costs.
//!
//! ```text
//! corpus → subjects → plan (signed) ──VM──> measured → verdicts checked → results
//! ```

mod cost;
mod environment;
mod matrix;
mod mode;
mod plan;
mod signers;
mod summary;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::engine::{Choice, Machine};
use crate::guest::{self, Measured, Outcome, Plan, Survey};
use crate::kernel::Kernel;
use crate::progress::{Progress, Total};

use plan::Subject;
use signers::Signers;

pub use cost::{Cost, SignatureCost, display};
pub use environment::Environment;
pub use matrix::Selection;
pub use mode::Mode;
pub use summary::{Summary, median};

/// Everything that a run of the bench has found.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where it was measured.
    pub environment: Environment,
    /// What was measured.
    pub cost: Vec<Cost>,
}

/// Runs the bench.
///
/// # Errors
/// Nothing matches, the kernel can't be built or booted, the guest dies, the kernel gives a wrong verdict, or the user
/// interrupts.
pub fn run(selection: &Selection, engine: Choice, progress: &Progress) -> Result<Results> {
    let subjects = subjects(selection, progress)?;
    let kernel = engine.kernel(progress)?;
    let engine = engine.engine(&kernel.image, progress)?;
    let machine = engine.machine(&kernel.image, "")?;
    let subjects =
        if engine.takes_all_programs() { subjects } else { loadable(subjects, &*machine, progress)? };
    let signers = signers(&subjects, &kernel, progress)?;
    let plan = plan::plan(&subjects, &signers)?;
    let loads = plan.groups.iter().flatten().count() as u64;
    let outcome = guest::hand_over(&plan, &*machine, loads, progress)?;
    is_whole(&plan, &outcome)?;
    plan::check(&subjects, &outcome.groups)?;
    Ok(Results {
        environment: Environment::of(engine, &kernel, outcome.kernel)?,
        cost: costs(&subjects, &outcome.groups),
    })
}

/// What is measured: each program that can be loaded by itself.
fn subjects(selection: &Selection, progress: &Progress) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for entry in selection.entries()? {
        match entry.needs() {
            None => subjects.push(Subject { cells: selection.cells(&entry.name), entry }),
            Some(needs) => progress.line(&format!("{} is not measured: it needs {needs}", entry.name)),
        }
    }
    ensure!(!subjects.is_empty(), "no program is left to measure");
    Ok(subjects)
}

/// Those that the kernel can load at all; says what becomes of the others.
fn loadable(subjects: Vec<Subject>, machine: &dyn Machine, progress: &Progress) -> Result<Vec<Subject>> {
    let survey = Survey { programs: subjects.iter().map(|subject| subject.entry.program.clone()).collect() };
    let obstacles = guest::hand_over(&survey, machine, subjects.len() as u64, progress)?;
    ensure!(obstacles.len() == subjects.len(), "the guest has not tried all programs");
    let mut loadable = Vec::new();
    for (subject, obstacle) in subjects.into_iter().zip(obstacles) {
        match obstacle {
            None => loadable.push(subject),
            Some(why) => progress
                .line(&format!("{} is not measured: this kernel can't load it: {why}", subject.entry.name)),
        }
    }
    ensure!(!loadable.is_empty(), "no program is left to measure");
    Ok(loadable)
}

/// Signers for each algorithm that occurs.
fn signers(subjects: &[Subject], kernel: &Kernel, progress: &Progress) -> Result<Vec<Signers>> {
    let mut algorithms = Vec::new();
    for algorithm in subjects.iter().flat_map(|subject| &subject.cells).filter_map(|cell| cell.algorithm) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    let mut task = progress.task("Keys", Total::Items(algorithms.len() as u64));
    let signers = algorithms
        .into_iter()
        .map(|algorithm| {
            task.note(&algorithm.to_string());
            let signers = Signers::obtain(kernel, algorithm)?;
            task.advance();
            Ok(signers)
        })
        .collect();
    task.done();
    signers
}

/// A partial result must not pass for a whole one.
fn is_whole(plan: &Plan, outcome: &Outcome) -> Result<()> {
    let planned = plan.groups.iter().map(Vec::len);
    let measured = outcome.groups.iter().map(Vec::len);
    let sampled = outcome.groups.iter().flatten().all(|measured| !measured.samples.is_empty());
    if !planned.eq(measured) || !sampled {
        bail!("the guest has not measured everything");
    }
    Ok(())
}

fn costs(subjects: &[Subject], measured: &[Vec<Measured>]) -> Vec<Cost> {
    let cost = |(subject, group): (&Subject, &Vec<Measured>)| -> Vec<Cost> {
        let cells = subject.cells.iter().zip(group);
        cells.map(|(cell, measured)| Cost::new(&subject.entry, cell, measured)).collect()
    };
    subjects.iter().zip(measured).flat_map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::{Load, Sample};

    #[test]
    fn a_result_is_whole_if_each_load_has_samples() {
        let load = || Load { name: String::new(), program: 0, signature: None, replacement: None };
        let plan = Plan { groups: vec![vec![load(), load()], vec![load()]], ..Plan::default() };
        let sample = Sample { total: 1, signature: None, verifier: None };
        let measured = Measured { samples: vec![sample], ..Measured::default() };
        let outcome = |groups| Outcome { kernel: String::new(), groups };

        let whole = outcome(vec![vec![measured.clone(), measured.clone()], vec![measured.clone()]]);
        is_whole(&plan, &whole).unwrap();
        let partial = [
            outcome(vec![vec![measured.clone(), measured.clone()]]),
            outcome(vec![vec![measured.clone()], vec![measured.clone()]]),
            outcome(vec![vec![measured.clone(), Measured::default()], vec![measured.clone()]]),
        ];
        for outcome in partial {
            is_whole(&plan, &outcome).unwrap_err();
        }
    }
}
