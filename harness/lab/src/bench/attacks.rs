//! `bpfsig bench --dos`: the harm that an attacker who may load programs can do to his neighbours.
//!
//! ```text
//! signers → prepared attacks → a job for each kernel → measured, checked → attacks
//! ```

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bpfsig_signing::program::Program;

use super::builds::Builds;
use super::record::{Keep, Planned, Record};
use super::testbed::Testbed;
use crate::engine::Engine;
use crate::interrupt;
use crate::jobs::attack::{
    self, ALGORITHMS, ATTEMPTS_PER_SECOND, Action, Attack, AttackJob, PreparedAttacks,
};
use crate::jobs::export::{Export, Learned};
use crate::jobs::{Signers, hand_over};
use crate::kernel::{Kernel, Variant};
use crate::progress::Progress;
use crate::results::{AttackKey, Attacks, Policy, Results, Selection};

/// A kernel, and the policies that are tried on it, from the laxest on.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub machine: &'static str,
    pub policies: &'static [Policy],
}

const BASELINE: Target = Target { machine: "baseline", policies: &[Policy::Baseline] };
const PATCHED: Target =
    Target { machine: "patched", policies: &[Policy::Optional, Policy::Required, Policy::Limited] };

impl Target {
    pub fn is_baseline(self) -> bool {
        self.policies == [Policy::Baseline]
    }
}

/// The kernels of an engine, the patched one first. User-mode Linux is only built with the patches, and a host that
/// requires signatures can't go back.
pub(super) fn targets(engine: Engine) -> &'static [Target] {
    match engine {
        Engine::Tcg | Engine::Kvm => &[PATCHED, BASELINE],
        Engine::Uml => &[PATCHED],
        Engine::Host => &[Target { machine: "patched", policies: &[Policy::Optional] }],
    }
}

/// The time for which victims are watched.
const WINDOW: Duration = Duration::from_secs(1);
const QUICK_WINDOW: Duration = Duration::from_millis(500);

/// Attacks each kernel. After each machine, and when the run fails, `keep` gets the results so far. Results of an
/// `earlier` run that ended early are not measured again.
///
/// # Errors
/// No attack matches, the earlier run does not belong to this one, a kernel can't be built or booted, the guest dies, a
/// kernel gives a wrong answer, or the user interrupts.
pub fn attack<'a>(
    selection: &Selection,
    testbed: &dyn Testbed,
    earlier: Option<Results<Attacks>>,
    keep: &'a mut Keep<'a, Attacks>,
    progress: &Progress,
) -> Result<Results<Attacks>> {
    let targets = targets(testbed.engine());
    let window = if selection.quick { QUICK_WINDOW } else { WINDOW };
    let figures = Attacks {
        window: window.as_nanos() as u64,
        attempts_per_second: ATTEMPTS_PER_SECOND,
        attacks: Vec::new(),
    };
    let results = Results::new(testbed.environment()?, selection.clone(), figures);
    let planned =
        |target: &Target| Planned { name: target.machine.to_owned(), is_patched: !target.is_baseline() };
    let machines = targets.iter().map(planned).collect();
    let mut record = Record::new(results, earlier, machines, testbed, keep)?;
    let outcome = attack_all(selection, targets, testbed, &mut record, progress);
    record.end(outcome)
}

fn attack_all(
    selection: &Selection,
    targets: &[Target],
    testbed: &dyn Testbed,
    record: &mut Record<'_, Attacks>,
    progress: &Progress,
) -> Result<()> {
    let targets: Vec<Target> =
        targets.iter().copied().filter(|target| record.wants(target.machine)).collect();
    let others =
        if targets.iter().any(|target| target.is_baseline()) { vec![Variant::Baseline] } else { Vec::new() };
    thread::scope(|scope| {
        let mut builds = Builds::start(scope, testbed, others);
        let signers = Signers::obtain_all(testbed.patched(), &ALGORITHMS, progress)?;
        let mut prepared = PreparedAttacks::new(&signers, selection.only.as_deref())?;
        prepared.attest(&signers[0].attester, |program| learn(program, testbed, progress))?;
        for target in targets {
            let kernel = match target.is_baseline() {
                true => builds.get(Variant::Baseline),
                false => Ok(testbed.patched()),
            };
            kernel
                .and_then(|kernel| attack_kernel(target, kernel, &prepared, testbed, record, progress))
                .context(target.machine)?;
        }
        Ok(())
    })
}

/// What the kernel learns about a program.
fn learn(program: &Program, testbed: &dyn Testbed, progress: &Progress) -> Result<Vec<u8>> {
    let machine = testbed.machine(&testbed.patched().image, "")?;
    let export = Export::new(vec![program.clone()], Vec::new())?;
    match hand_over(&export, &*machine, &format!("patched: {}", program.name), progress)?.programs.pop() {
        Some(Learned::Facts { facts, .. }) => Ok(facts),
        Some(Learned::Nothing(reason)) => bail!("nothing can be attested of {}: {reason}", program.name),
        None => bail!("the guest has learned nothing"),
    }
}

/// Tries all policies of one kernel.
fn attack_kernel(
    target: Target,
    kernel: &Kernel,
    prepared: &PreparedAttacks,
    testbed: &dyn Testbed,
    record: &mut Record<'_, Attacks>,
    progress: &Progress,
) -> Result<()> {
    interrupt::check()?;
    let (Target { machine: name, policies }, is_baseline) = (target, target.is_baseline());
    // All policies of a kernel know the same attacks.
    let action = |attack: &Attack| attack.action(policies[0]);
    let known = prepared.attacks.iter().filter_map(|attack| Some((attack, action(attack)?)));
    let (attacks, actions): (Vec<&Attack>, Vec<Action>) = known.unzip();
    let mut legitimate = prepared.legitimate.clone();
    if is_baseline {
        legitimate.signature = None;
    }
    let job = AttackJob {
        certificates: if is_baseline { Vec::new() } else { prepared.certificates.clone() },
        attesters: if is_baseline { Vec::new() } else { prepared.attesters.clone() },
        programs: prepared.programs.clone(),
        policies: policies.to_vec(),
        attacks: attacks.iter().zip(actions).map(|(attack, action)| attack.planned(action)).collect(),
        legitimate,
        window: Duration::from_nanos(record.results.figures.window),
    };
    let outcome = hand_over(&job, &*testbed.machine(&kernel.image, "")?, name, progress)?;
    attack::check(&job, &attacks, &outcome)?;
    for policy in policies {
        let measured = |attack: &Attack| {
            let key = AttackKey { attack: attack.name.to_owned(), policy: *policy };
            outcome.attacks.iter().find(|measured| measured.key == key).with_context(|| attack.name)
        };
        let idle = attacks.iter().find(|attack| matches!(attack.action, Action::Nothing));
        let none = &measured(idle.context("no reference without an attacker")?)?.harm;
        for attack in &attacks {
            let figures = attack::figures(attack, measured(attack)?, none, record.results.figures.window);
            record.results.figures.attacks.push(figures);
        }
    }
    // In the order of the policies, wherever they were tried.
    record.results.figures.attacks.sort_by_key(|result| result.key.policy);
    record.finish(name, kernel, outcome.kernel)
}
