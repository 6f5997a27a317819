//! The main job: measures what a signature check costs, next to what verification costs.
//!
//! ```text
//! corpus → subjects → a plan for each machine (signed) ──VM──> measured → verdicts checked → results
//! ```

mod cost;
mod environment;
mod matrix;
pub mod message;
mod mode;
mod plan;
mod signers;
mod subject;
mod summary;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::engine::{self, Choice};
use crate::guest::{self, Outcome, Plan, Survey};
use crate::kernel::{self, Kernel, Variant};
use crate::progress::{Progress, Total};

use mode::Machine;
use subject::Subject;

pub use cost::{Cost, SignatureCost, display};
pub use environment::{Environment, KernelIdentity, command};
pub use matrix::Selection;
pub use mode::Mode;
pub use signers::Signers;
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
/// Nothing matches, a kernel can't be built or booted, a guest dies, a kernel gives a wrong verdict, or the user
/// interrupts.
pub fn run(selection: &Selection, engine: Choice, progress: &Progress) -> Result<Results> {
    let subjects = subjects(selection, progress)?;
    let patched = engine.kernel(progress)?;
    let engine = engine.engine(&patched.image, progress)?;
    let subjects = match engine.takes_all_programs() {
        true => subjects,
        false => loadable(subjects, &*engine.machine(&patched.image, "")?, progress)?,
    };
    let signers = signers(&subjects, &patched, progress)?;
    let mut environment = Environment::of(engine)?;
    let mut costs = Vec::new();
    for &machine in Machine::on(engine) {
        let plan = plan::plan(&subjects, machine, &signers)?;
        if plan.groups.iter().all(Vec::is_empty) {
            continue;
        }
        let baseline = match machine {
            Machine::Baseline => Some(kernel::obtain(Variant::Baseline, None, progress)?),
            Machine::Unsigned | Machine::Signed | Machine::Required => None,
        };
        let kernel = baseline.as_ref().unwrap_or(&patched);
        let booted = engine.machine(&kernel.image, machine.kernel_args())?;
        let loads = plan.groups.iter().flatten().count() as u64;
        let outcome = guest::hand_over(&plan, &*booted, loads, progress)?;
        is_whole(&plan, &outcome)?;
        plan::check(&subjects, machine, &outcome.groups)?;
        environment.add(kernel, outcome.kernel);
        for (at, (subject, (loads, group))) in
            subjects.iter().zip(plan.groups.iter().zip(&outcome.groups)).enumerate()
        {
            let cells = subject.cells_on(machine).zip(loads.iter().zip(group));
            costs.extend(
                cells.map(|((nr, cell), (load, measured))| {
                    ((at, nr), Cost::new(subject, cell, load, measured))
                }),
            );
        }
    }
    // In the order of the subjects, wherever it was measured.
    costs.sort_by_key(|(place, _)| *place);
    Ok(Results { environment, cost: costs.into_iter().map(|(_, cost)| cost).collect() })
}

/// What is measured: each program that can be loaded by itself, and the objects with several.
fn subjects(selection: &Selection, progress: &Progress) -> Result<Vec<Subject>> {
    let mut entries = selection.entries()?;
    entries.retain(|entry| match entry.needs() {
        None => true,
        Some(needs) => {
            progress.line(&format!("{} is not measured: it needs {needs}", entry.name));
            false
        }
    });
    ensure!(!entries.is_empty(), "no program is left to measure");
    let objects = Subject::objects(&entries, selection);
    Ok(entries.into_iter().map(|entry| Subject::program(entry, selection)).chain(objects).collect())
}

/// Those whose programs the kernel can load at all; says what becomes of the others.
fn loadable(
    subjects: Vec<Subject>,
    machine: &dyn engine::Machine,
    progress: &Progress,
) -> Result<Vec<Subject>> {
    let (objects, single): (Vec<_>, Vec<_>) = subjects.into_iter().partition(Subject::is_object);
    let survey = Survey { programs: single.iter().map(|subject| subject.programs[0].clone()).collect() };
    let obstacles = guest::hand_over(&survey, machine, single.len() as u64, progress)?;
    ensure!(obstacles.len() == single.len(), "the guest has not tried all programs");
    let (mut loadable, mut left_out) = (Vec::new(), Vec::new());
    for (subject, obstacle) in single.into_iter().zip(obstacles) {
        match obstacle {
            None => loadable.push(subject),
            Some(why) => {
                progress.line(&format!("{} is not measured: this kernel can't load it: {why}", subject.name));
                left_out.push(subject.name);
            }
        }
    }
    ensure!(!loadable.is_empty(), "no program is left to measure");
    let is_whole = |object: &Subject| !object.programs.iter().any(|part| left_out.contains(&part.name));
    loadable.extend(objects.into_iter().filter(is_whole));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::{Load, Measured, Sample};

    #[test]
    fn a_result_is_whole_if_each_load_has_samples() {
        let load =
            || Load { name: String::new(), programs: vec![0], signatures: Vec::new(), replacement: None };
        let plan = Plan { groups: vec![vec![load(), load()], vec![load()]], ..Plan::default() };
        let sample = Sample { total: 1, ..Sample::default() };
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
