//! Attacks on the kernel by `BPF_PROG_LOAD`, and their effect on others on the machine.
//!
//! A user who may call bpf() may also just compute, and then the scheduler shares the CPU between users. An attack is worse if
//! the kernel works a lot for one cheap request. So each attack is measured twice:
//!
//! * its cost (`cost.rs`): one attacker alone, attempt after attempt. How much does the kernel burn for each attempt, and for each
//!   instruction of the attacker's own?
//! * its harm (`harm.rs`): an attacker who makes a fixed number of attempts in a second. If they are cheap, he mostly sleeps, and
//!   his neighbours don't notice him. If they are dearer than his pauses, he takes his share from the scheduler, and more where
//!   the kernel doesn't check for other work.
//!
//! ```text
//! table ── prepare (signs) ──> job ──guest: cost, harm──> outcome ── verdict, figures ──> results
//! ```

mod attacker;
mod clock;
mod cost;
mod figures;
mod harm;
mod heavy_programs;
mod hostile_messages;
mod job;
mod laden;
mod memory;
mod prepare;
mod process;
mod table;
mod verdict;
mod victim;

use std::fs;

use anyhow::{Context, Result};
use bpfsig_loading::sysctl::{FAILURES, SIGNATURE};

use super::guest::{kernel_version, prepare_machine, trust};
use super::{Job, announce};
use crate::results::{AttackKey, Policy};

pub use attacker::ATTEMPTS_PER_SECOND;
pub use figures::figures;
pub use job::{Action, AttackJob, Attempt, Attempts, Measured, Outcome, PlannedAttack};
pub use laden::{Thing, laden};
pub use prepare::{Attack, PreparedAttacks};
pub use table::{ALGORITHMS, count};
pub use verdict::check;

impl Job for AttackJob {
    const NAME: &'static str = "attack";

    const ACTIVITY: &'static str = "Attack";

    type Outcome = Outcome;

    fn items(&self) -> usize {
        self.policies.len() * self.attacks.len()
    }

    fn carry_out(&self) -> Result<Outcome> {
        let default_limit = default_limit()?;
        prepare_machine()?;
        trust(&self.certificates, &self.attesters)?;
        let mut attacks = Vec::new();
        for policy in &self.policies {
            impose(*policy, &default_limit)?;
            for attack in &self.attacks {
                attacks.push(measure(self, attack, *policy)?);
            }
        }
        Ok(Outcome { kernel: kernel_version()?, attacks })
    }
}

fn measure(job: &AttackJob, attack: &PlannedAttack, policy: Policy) -> Result<Measured> {
    let limited = policy == Policy::Limited && attack.is_limited;
    let cost = cost::measure(job, attack, limited).with_context(|| attack.name.clone())?;
    let harm = harm::measure(job, attack, limited).with_context(|| attack.name.clone())?;
    announce(&format!("{} ({})", attack.name, policy.name()));
    Ok(Measured { key: AttackKey { attack: attack.name.clone(), policy }, cost, harm })
}

/// The kernel's default limit on the cost of a user's failed checks; empty if it has none.
fn default_limit() -> Result<String> {
    if fs::exists(FAILURES)? { fs::read_to_string(FAILURES).context(FAILURES) } else { Ok(String::new()) }
}

fn impose(policy: Policy, default_limit: &str) -> Result<()> {
    if policy == Policy::Baseline {
        return Ok(());
    }
    if policy != Policy::Optional {
        fs::write(SIGNATURE, "1").context(SIGNATURE)?;
    }
    fs::write(FAILURES, if policy == Policy::Limited { default_limit } else { "0" }).context(FAILURES)
}
