//! `bpfsig bench`: the cost of a signature check, next to verification and to other ways to sign.
//!
//! ```text
//! corpus → workloads, with loader programs and facts → a plan for each machine → measured, checked → loads
//! ```

use std::collections::{BTreeMap, HashMap};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use bpfsig_signing::Digest;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;

use super::builds::Builds;
use super::record::{Keep, Planned, Record};
use super::select;
use super::testbed::Testbed;
use crate::engine::Engine;
use crate::interrupt;
use crate::jobs::export::{Export, Learned};
use crate::jobs::measure::{self, Workload};
use crate::jobs::probe::Probe;
use crate::jobs::{Signers, hand_over, policy_signer};
use crate::kernel::{Kernel, Variant};
use crate::progress::Progress;
use crate::results::{Key, Loads, Results, Selection, Unsupported};
use crate::scenario::{Form, Scenario, Setup};

/// The machines of an engine, those of the patched kernel first. User-mode Linux is only built with the patches, and has no LSM
/// programs, so no policy; a host runs the kernel that it runs, and can't go back once it requires signatures.
pub(super) fn setups(engine: Engine) -> &'static [Setup] {
    match engine {
        Engine::Tcg | Engine::Kvm => &[
            Setup::Unsigned,
            Setup::Signed,
            Setup::Required,
            Setup::Granted,
            Setup::Baseline,
            Setup::Mainline,
            Setup::Listed,
            Setup::Unlisted,
        ],
        Engine::Uml => &[Setup::Unsigned, Setup::Signed, Setup::Required],
        Engine::Host => &[Setup::Unsigned, Setup::Signed],
    }
}

/// Measures loads. After each machine, and when the run fails, `keep` gets the results so far. Results of an `earlier`
/// run that ended early are not measured again.
///
/// # Errors
/// Nothing matches, the earlier run does not belong to this one, a kernel can't be built or booted, a guest dies, a kernel
/// gives a wrong answer, or the user interrupts.
pub fn measure<'a>(
    selection: &Selection,
    testbed: &dyn Testbed,
    earlier: Option<Results<Loads>>,
    keep: &'a mut Keep<'a, Loads>,
    progress: &Progress,
) -> Result<Results<Loads>> {
    let workloads = workloads(selection, progress)?;
    let engine = testbed.engine();
    let is_measured =
        |setup: &Setup| workloads.iter().any(|workload| workload.cases_on(*setup).next().is_some());
    let setups: Vec<Setup> = setups(engine).iter().copied().filter(is_measured).collect();
    ensure!(!setups.is_empty(), "the engine {engine} measures none of these scenarios");
    let results = Results::new(testbed.environment()?, selection.clone(), Loads::default());
    let planned = |setup: &Setup| Planned { name: setup.name().to_owned(), is_patched: setup.is_patched() };
    let machines = setups.iter().map(planned).collect();
    let mut record = Record::new(results, earlier, machines, testbed, keep)?;
    let outcome = measure_all(workloads, &setups, testbed, &mut record, progress);
    record.end(outcome)
}

fn measure_all(
    workloads: Vec<Workload>,
    setups: &[Setup],
    testbed: &dyn Testbed,
    record: &mut Record<'_, Loads>,
    progress: &Progress,
) -> Result<()> {
    let order = order(&workloads);
    let wanted: Vec<Setup> = setups.iter().copied().filter(|setup| record.wants(setup.name())).collect();
    thread::scope(|scope| {
        let mut builds = Builds::start(scope, testbed, others(&wanted));
        let mut workloads = match testbed.engine().takes_all_programs() {
            true => workloads,
            false => loadable(workloads, testbed, progress)?,
        };
        // Results of an earlier run are recomputed.
        let mut prepared = Vec::new();
        if wanted.contains(&Setup::Mainline) {
            prepared.extend(make_loaders(&mut workloads));
        }
        if wanted.contains(&Setup::Signed) {
            prepared.extend(learn(&mut workloads, testbed, progress)?);
        }
        for row in prepared {
            add_unsupported(&mut record.results.figures, row);
        }
        for setup in wanted {
            let kernel = match setup.is_patched() {
                true => Ok(testbed.patched()),
                false => builds.get(setup.variant()),
            };
            kernel
                .and_then(|kernel| measure_on(setup, kernel, &workloads, testbed, record, &order, progress))
                .with_context(|| setup.name())?;
        }
        Ok(())
    })
}

/// The kernels that these machines need besides the patched one, in order.
pub(super) fn others(setups: &[Setup]) -> Vec<Variant> {
    let mut others = Vec::new();
    for setup in setups.iter().filter(|setup| !setup.is_patched()) {
        if !others.contains(&setup.variant()) {
            others.push(setup.variant());
        }
    }
    others
}

/// Measures everything on one machine.
fn measure_on(
    setup: Setup,
    kernel: &Kernel,
    workloads: &[Workload],
    testbed: &dyn Testbed,
    record: &mut Record<'_, Loads>,
    order: &HashMap<Key, usize>,
    progress: &Progress,
) -> Result<()> {
    interrupt::check()?;
    // Each kernel has an authority of its own.
    let signers = Signers::obtain_all(kernel, &algorithms(workloads, setup), progress)?;
    let mut plan = measure::plan(workloads, setup, &signers)?;
    if setup == Setup::Granted {
        plan.grant(&policy_signer(kernel)?)?;
    }
    let machine = testbed.machine(&kernel.image, setup.kernel_args())?;
    let outcome = hand_over(&plan, &*machine, setup.name(), progress)?;
    let refused = measure::refused(&outcome);
    let unsupported = [&record.results.figures.unsupported[..], &refused].concat();
    measure::check(&plan, &outcome, &unsupported)?;

    let figures = &mut record.results.figures;
    refused.into_iter().for_each(|row| add_unsupported(figures, row));
    for (workload, group) in workloads.iter().zip(&plan.groups) {
        for (case, load) in workload.cases_on(setup).zip(group) {
            let measured =
                outcome.get(&load.key).with_context(|| format!("{} was not measured", load.key))?;
            if !figures.unsupported.iter().any(|row| row.explains(&workload.name, case.scenario)) {
                figures.loads.push(measure::figures(workload, load, measured, case.scenario));
            }
        }
    }
    // In the order of the workloads, wherever they were measured.
    figures.loads.sort_by_key(|load| order.get(&load.key));
    record.finish(setup.name(), kernel, outcome.kernel)
}

/// Where each figure stands among all.
fn order(workloads: &[Workload]) -> HashMap<Key, usize> {
    let keys = workloads.iter().flat_map(|workload| workload.cases.iter().map(|case| workload.key(*case)));
    keys.enumerate().map(|(place, key)| (key, place)).collect()
}

fn add_unsupported(figures: &mut Loads, row: Unsupported) {
    if !figures.unsupported.contains(&row) {
        figures.unsupported.push(row);
    }
}

/// What is measured: each program that can be loaded by itself, and the objects with several.
pub(super) fn workloads(selection: &Selection, progress: &Progress) -> Result<Vec<Workload>> {
    let mut entries = select::entries(selection)?;
    entries.retain(|entry| match entry.needs() {
        None => true,
        Some(needs) => {
            progress.line(&format!("{} is not measured: it needs {needs}", entry.name));
            false
        }
    });
    let mut workloads = Vec::new();
    let objects = Workload::objects(&entries, &select::cases_of_objects(selection)?);
    for entry in entries {
        let cases = select::cases(selection, &entry.name)?;
        workloads.push(Workload::program(entry, cases));
    }
    workloads.extend(objects);
    workloads.retain(|workload| !workload.cases.is_empty());
    ensure!(!workloads.is_empty(), "no program is left to measure");
    Ok(workloads)
}

/// The workloads that the kernel can load at all; says why the others are left out.
fn loadable(workloads: Vec<Workload>, testbed: &dyn Testbed, progress: &Progress) -> Result<Vec<Workload>> {
    let (objects, single): (Vec<_>, Vec<_>) = workloads.into_iter().partition(Workload::is_object);
    let probe = Probe { programs: single.iter().map(|workload| workload.programs[0].clone()).collect() };
    let machine = testbed.machine(&testbed.patched().image, "")?;
    let probed = hand_over(&probe, &*machine, "patched", progress)?;
    let (mut loadable, mut left_out) = (Vec::new(), Vec::new());
    for workload in single {
        let name = &workload.programs[0].name;
        match probed.iter().find(|probed| probed.program == *name) {
            None => bail!("the guest has not tried {name}"),
            Some(probed) => match &probed.obstacle {
                None => loadable.push(workload),
                Some(why) => {
                    progress.line(&format!("{name} is not measured: this kernel can't load it: {why}"));
                    left_out.push(name.clone());
                }
            },
        }
    }
    ensure!(!loadable.is_empty(), "no program is left to measure");
    let is_whole = |object: &Workload| !object.programs.iter().any(|part| left_out.contains(&part.name));
    loadable.extend(objects.into_iter().filter(is_whole));
    Ok(loadable)
}

/// The algorithms that occur on a machine.
fn algorithms(workloads: &[Workload], setup: Setup) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    let cases = workloads.iter().flat_map(|workload| workload.cases_on(setup));
    for algorithm in cases.filter_map(|case| case.algorithm) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    algorithms
}

/// Makes the loader programs of all workloads. Workloads without one, because libbpf can't make it, are not measured in
/// the scenarios that need it.
fn make_loaders(workloads: &mut [Workload]) -> Vec<Unsupported> {
    let mut unsupported = Vec::new();
    let needs_one =
        |workload: &Workload| workload.cases.iter().any(|case| case.scenario.row().form == Form::Loader);
    for workload in workloads.iter_mut().filter(|workload| needs_one(workload)) {
        match workload.make_loader() {
            Ok(loader) => workload.loader = Some(loader),
            Err(error) => {
                workload.cases.retain(|case| case.scenario.row().form != Form::Loader);
                let (program, reason) = (workload.name.clone(), format!("{error:#}"));
                unsupported.push(Unsupported { program, scenario: Scenario::Mainline.into(), reason });
            }
        }
    }
    unsupported
}

/// Has the kernel verify the programs of all workloads, and keeps what it learns. Workloads that facts can't describe
/// are not measured in the scenarios that need facts.
fn learn(workloads: &mut [Workload], testbed: &dyn Testbed, progress: &Progress) -> Result<Vec<Unsupported>> {
    let needs_them = |workload: &Workload| workload.cases.iter().any(|case| case.scenario.row().attested);
    let mut programs: BTreeMap<Digest, Program> = BTreeMap::new();
    let in_need = workloads.iter().filter(|workload| needs_them(workload));
    for program in in_need.flat_map(|workload| &workload.programs) {
        programs.insert(Manifest::of(program)?.digest(), program.clone());
    }
    if programs.is_empty() {
        return Ok(Vec::new());
    }
    let (digests, programs): (Vec<_>, Vec<_>) = programs.into_iter().unzip();
    let machine = testbed.machine(&testbed.patched().image, "")?;
    let exported = hand_over(&Export::new(programs, Vec::new())?, &*machine, "patched", progress)?;
    ensure!(exported.programs.len() == digests.len(), "the guest has not verified all programs");
    let learned: BTreeMap<_, _> = digests.into_iter().zip(exported.programs).collect();

    let mut unsupported = Vec::new();
    for workload in workloads.iter_mut().filter(|workload| needs_them(workload)) {
        let facts_of = |program: &Program| match &learned[&Manifest::of(program)?.digest()] {
            Learned::Facts { facts, .. } => Ok(Ok(facts.clone())),
            Learned::Nothing(reason) => Ok(Err(reason.clone())),
        };
        match workload.programs.iter().map(facts_of).collect::<Result<Result<_, _>>>()? {
            Ok(facts) => workload.facts = Some(facts),
            Err(reason) => {
                workload.cases.retain(|case| !case.scenario.row().attested);
                let (program, scenario) = (workload.name.clone(), Scenario::Attested.into());
                unsupported.push(Unsupported { program, scenario, reason });
            }
        }
    }
    Ok(unsupported)
}
