//! The main job: measures what a signature check costs, next to what verification costs, and next to other ways to sign.
//!
//! ```text
//! corpus → subjects, with loaders and facts → a plan for each machine (signed) ──VM──> measured → verdicts checked → results
//! ```

mod cost;
mod environment;
mod facts;
mod matrix;
pub mod message;
mod mode;
mod plan;
mod signers;
mod subject;
mod summary;
mod unsupported;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::engine::{self, Choice};
use crate::guest::{self, Outcome, Plan, Survey};
use crate::kernel::{self, Kernel};
use crate::progress::{Progress, Total};

use mode::Machine;
use subject::Subject;

pub use cost::{Cost, SignatureCost, display};
pub use environment::{Environment, KernelIdentity, command};
pub use matrix::Selection;
pub use mode::Mode;
pub use signers::Signers;
pub use summary::{Summary, median};
pub use unsupported::Unsupported;

/// Everything that a run of the bench has found.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where it was measured.
    pub environment: Environment,
    /// What was measured.
    pub cost: Vec<Cost>,
    /// What other ways to sign can't carry.
    pub unsupported: Vec<Unsupported>,
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
    let mut subjects = match engine.takes_all_programs() {
        true => subjects,
        false => loadable(subjects, &*engine.machine(&patched.image, "", 1)?, progress)?,
    };
    let machines = Machine::on(engine);
    let is_measured = |subject: &Subject| machines.iter().any(|on| subject.cells_on(*on).next().is_some());
    ensure!(subjects.iter().any(is_measured), "the engine {engine} measures in none of these modes");
    let mut environment = Environment::of(engine)?;
    let mut unsupported = match machines.contains(&Machine::Mainline) {
        true => unsupported::make_loaders(&mut subjects),
        false => Vec::new(),
    };
    unsupported.extend(facts::learn(&mut subjects, &*engine.machine(&patched.image, "", 1)?, progress)?);
    let mut costs = Vec::new();
    for &machine in machines {
        if subjects.iter().all(|subject| subject.cells_on(machine).next().is_none()) {
            continue;
        }
        let other = machine.variant().map(|variant| kernel::obtain(variant, None, progress)).transpose()?;
        let kernel = other.as_ref().unwrap_or(&patched);
        // Each kernel has an authority of its own.
        let signers = signers(&subjects, machine, kernel, progress)?;
        let plan = plan::plan(&subjects, machine, &signers)?;
        let booted = engine.machine(&kernel.image, machine.kernel_args(), 1)?;
        let loads = plan.groups.iter().flatten().count() as u64;
        let outcome = guest::hand_over(&plan, &*booted, loads, progress)?;
        is_whole(&plan, &outcome)?;
        unsupported.extend(unsupported::refused(&subjects, machine, &outcome.groups));
        plan::check(&subjects, machine, &outcome.groups, &unsupported)?;
        environment.add(kernel, outcome.kernel);
        for (at, subject) in subjects.iter().enumerate() {
            let loads = plan.groups[at].iter().zip(&outcome.groups[at]);
            for ((nr, cell), (load, measured)) in subject.cells_on(machine).zip(loads) {
                if !unsupported.iter().any(|row| row.explains(subject, cell)) {
                    costs.push(((at, nr), Cost::new(subject, cell, load, measured)));
                }
            }
        }
    }
    // In the order of the subjects, wherever it was measured.
    costs.sort_by_key(|(place, _)| *place);
    let cost = costs.into_iter().map(|(_, cost)| cost).collect();
    Ok(Results { environment, cost, unsupported })
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
    let objects = Subject::objects(&entries, selection);
    let programs = entries.into_iter().map(|entry| Subject::program(entry, selection));
    let subjects: Vec<_> = programs.chain(objects).filter(|subject| !subject.cells.is_empty()).collect();
    ensure!(!subjects.is_empty(), "no program is left to measure");
    Ok(subjects)
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

/// Signers for each algorithm that occurs on a machine.
fn signers(
    subjects: &[Subject],
    machine: Machine,
    kernel: &Kernel,
    progress: &Progress,
) -> Result<Vec<Signers>> {
    let mut algorithms = Vec::new();
    let cells = subjects.iter().flat_map(|subject| subject.cells_on(machine));
    for algorithm in cells.filter_map(|(_, cell)| cell.algorithm) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    if algorithms.is_empty() {
        return Ok(Vec::new());
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
    use crate::guest::{Form, Load, Measured, Sample};

    #[test]
    fn a_result_is_whole_if_each_load_has_samples() {
        let load = || Load {
            name: String::new(),
            form: Form::Programs(vec![0]),
            signatures: Vec::new(),
            replacement: None,
            attested: None,
        };
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
