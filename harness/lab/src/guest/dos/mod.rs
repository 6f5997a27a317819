//! Attacks the kernel by `BPF_PROG_LOAD`, and watches what becomes of others on the machine.
//!
//! Whoever may call bpf() may also just compute: with two that compute, each has half of a CPU, and that is the
//! scheduler's business. What an attack adds is what the kernel does for one cheap request. So each attack is measured
//! twice:
//!
//! * its [`cost`]: one attacker alone, attempt after attempt. What does the kernel burn for each, and for each
//!   instruction of the attacker's own?
//! * its [`harm`]: an attacker who asks for a fixed number of attempts in a second. If they are cheap, he sleeps nearly
//!   all the time, and his neighbours don't notice him. If the kernel takes longer over them than he waits, he takes
//!   what the scheduler gives him, and more where the kernel does not look whether somebody else is due.

mod attacker;
mod clock;
mod cost;
mod harm;
mod job;
mod memory;
mod process;
mod victim;

use std::fs;

use anyhow::{Context, Result};
use bpfsig_loading::keyring;
use bpfsig_loading::sysctl::{FAILURES, SIGNATURE};

use super::announce;
use super::measure::{kernel_version, prepare_machine};

pub use attacker::ATTEMPTS_PER_SECOND;
pub use job::{Action, Attack, Attempt, Cost, Harm, Job, Measured, Outcome, Policy};

impl super::Job for Job {
    const NAME: &'static str = "dos";

    type Outcome = Outcome;

    fn carry_out(&self) -> Result<Outcome> {
        let default_limit = default_limit()?;
        prepare_machine()?;
        for certificate in &self.certificates {
            keyring::trust(certificate)?;
        }
        for certificate in &self.attesters {
            keyring::trust_attester(certificate)?;
        }
        let policy = |policy: &Policy| -> Result<Vec<Measured>> {
            impose(*policy, &default_limit)?;
            self.attacks.iter().map(|attack| self.measure(attack, *policy)).collect()
        };
        let measured = self.policies.iter().map(policy).collect::<Result<_>>()?;
        Ok(Outcome { kernel: kernel_version()?, measured })
    }
}

impl Job {
    fn measure(&self, attack: &Attack, policy: Policy) -> Result<Measured> {
        let limited = policy == Policy::Limited && attack.is_limited;
        let cost = cost::measure(self, attack, limited).with_context(|| attack.name.clone())?;
        let harm = harm::measure(self, attack, limited).with_context(|| attack.name.clone())?;
        announce(&format!("{} ({})", attack.name, policy.name()));
        Ok(Measured { cost, harm })
    }
}

/// What the kernel grants a user for failures if nobody says otherwise; empty if it knows no limit.
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
