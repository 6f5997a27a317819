//! The other job: what does an attacker get who may load programs, and what do his neighbours have left?
//!
//! ```text
//! signers → attacks → a job for each kernel ──VM──> measured → verdicts checked → results → table, sentences
//! ```

mod attack;
mod exhaust;
mod message;
mod results;
mod sentence;
mod table;
mod verdict;

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bpfsig_signing::program::Program;

use crate::bench::{Environment, Signers};
use crate::engine::{Choice, Engine, Machine};
use crate::guest::dos::{Action, Job};
use crate::guest::{self, Export, Learned};
use crate::kernel::{self, Kernel, Variant};
use crate::progress::{Progress, Total};

use attack::{ALGORITHMS, Arsenal, Attack};
use results::Cell;

pub use crate::guest::dos::Policy;
pub use results::Results;
pub use sentence::sentences;
pub use table::{caption, percent, table};
pub use verdict::verdict;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Watch victims for a shorter time.
    pub quick: bool,
    /// Only the attacks that this glob pattern matches.
    pub only: Option<String>,
}

/// The policies that are tried on an engine: for each kernel that it has, from the laxest on. User-mode Linux is only built
/// with the patches, and nothing leads out of requiring signatures on a host.
fn policies(engine: Engine) -> &'static [&'static [Policy]] {
    const PATCHED: &[Policy] = &[Policy::Optional, Policy::Required, Policy::Limited];
    match engine {
        Engine::Tcg | Engine::Kvm => &[&[Policy::Baseline], PATCHED],
        Engine::Uml => &[PATCHED],
        Engine::Host => &[&[Policy::Optional]],
    }
}

/// For how long victims are watched.
const WINDOW: Duration = Duration::from_secs(1);
const QUICK_WINDOW: Duration = Duration::from_millis(500);

/// Attacks each kernel in a virtual machine.
///
/// # Errors
/// No attack matches, a kernel can't be built or booted, the guest dies, a kernel gives a wrong verdict, or the user
/// interrupts.
pub fn run(selection: &Selection, engine: Choice, progress: &Progress) -> Result<Results> {
    let patched = engine.kernel(progress)?;
    let signers = signers(&patched, progress)?;
    let mut arsenal = attack::arsenal(&signers, selection.only.as_deref())?;
    let engine = engine.engine(&patched.image, progress)?;
    let learn = |program: &Program| learn(program, &*engine.machine(&patched.image, "", 1)?, progress);
    arsenal.attest(&signers[0].attester, learn)?;
    let window = if selection.quick { QUICK_WINDOW } else { WINDOW };
    let mut results = Results::new(Environment::of(engine)?, window);
    for policies in policies(engine) {
        let baseline = match policies {
            [Policy::Baseline] => Some(kernel::obtain(Variant::Baseline, None, progress)?),
            _ => None,
        };
        let kernel = baseline.as_ref().unwrap_or(&patched);
        attack_kernel(kernel, policies, &arsenal, engine, &mut results, progress)?;
    }
    Ok(results)
}

fn signers(kernel: &Kernel, progress: &Progress) -> Result<[Signers; ALGORITHMS.len()]> {
    let task = progress.task("Keys", Total::Unknown);
    let [rsa, p256, p384] = ALGORITHMS.map(|algorithm| Signers::obtain(kernel, algorithm));
    task.done();
    Ok([rsa?, p256?, p384?])
}

/// What the kernel learns about a program.
fn learn(program: &Program, machine: &dyn Machine, progress: &Progress) -> Result<Vec<u8>> {
    let export = Export::new(vec![program.clone()])?;
    match guest::hand_over(&export, machine, 1, progress)?.programs.pop() {
        Some(Learned::Facts(facts)) => Ok(facts),
        Some(Learned::Nothing(reason)) => bail!("nothing can be attested of {}: {reason}", program.name),
        None => bail!("the guest has learned nothing"),
    }
}

/// Tries all policies of one kernel.
fn attack_kernel(
    kernel: &Kernel,
    policies: &[Policy],
    arsenal: &Arsenal,
    engine: Engine,
    results: &mut Results,
    progress: &Progress,
) -> Result<()> {
    // All policies of a kernel know the same attacks.
    let action = |attack: &Attack| attack.action(policies[0]);
    let known = arsenal.attacks.iter().filter_map(|attack| Some((attack, action(attack)?)));
    let (attacks, actions): (Vec<&Attack>, Vec<Action>) = known.unzip();
    let is_baseline = policies == [Policy::Baseline];
    let mut legitimate = arsenal.legitimate.clone();
    if is_baseline {
        legitimate.signature = None;
    }
    let job = Job {
        certificates: if is_baseline { Vec::new() } else { arsenal.certificates.clone() },
        attesters: if is_baseline { Vec::new() } else { arsenal.attesters.clone() },
        programs: arsenal.programs.clone(),
        policies: policies.to_vec(),
        attacks: attacks.iter().zip(actions).map(|(attack, action)| attack.planned(action)).collect(),
        legitimate,
        window: Duration::from_nanos(results.window),
    };
    let items = (policies.len() * attacks.len()) as u64;
    let outcome = guest::hand_over(&job, &*engine.machine(&kernel.image, "", 1)?, items, progress)?;
    let whole = outcome.measured.iter().all(|measured| measured.len() == attacks.len());
    ensure!(whole && outcome.measured.len() == policies.len(), "the guest has not measured everything");
    results.environment.add(kernel, outcome.kernel);
    for (policy, measured) in policies.iter().zip(&outcome.measured) {
        verdict::check(*policy, attacks.iter().copied().zip(measured))?;
        // The one without an attacker is always there, and the first.
        let none = &measured[0].harm;
        let cell =
            |(attack, measured): (&&Attack, _)| Cell::new(attack, *policy, measured, none, results.window);
        let cells: Vec<Cell> = attacks.iter().zip(measured).map(cell).collect();
        results.dos.extend(cells);
    }
    Ok(())
}
