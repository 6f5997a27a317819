//! The harm of an attack to others on the machine.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::attacker;
use super::clock;
use super::job::{Action, AttackJob, PlannedAttack};
use super::process::Process;
use super::victim;
use crate::results::Harm;

/// The user id of the first attacker; further ones follow.
pub(super) const ATTACKER: u32 = 1001;
const VICTIMS: [u32; 3] = [2001, 2002, 2003];

/// Time for all to get ready.
const LEAD: u64 = 10_000_000;

/// Time to free the memory that attackers leave behind.
const PAUSE: Duration = Duration::from_millis(50);

/// Lets attackers attack and victims work during the job's window, all at the same priority.
///
/// # Errors
/// An attacker or a victim fails.
pub(super) fn measure(job: &AttackJob, attack: &PlannedAttack, limited: bool) -> Result<Harm> {
    let mut attackers = Vec::new();
    if !matches!(attack.action, Action::Nothing) {
        for user in 0..attack.users {
            let first = (user * attack.threads) as usize;
            let mut process = Process::start(ATTACKER + user, || {
                attacker::attack(job, &attack.action, attack.threads, first, limited)
            })?;
            process.wait_until_stopped()?;
            attackers.push(process);
        }
    }
    let start = clock::now() + LEAD;
    let end = start + job.window.as_nanos() as u64;
    let [batch, periodic, loader] = VICTIMS;
    let batch = Process::start(batch, || victim::batch(start, end))?;
    let periodic = Process::start(periodic, || victim::periodic(start, end))?;
    let loader = Process::start(loader, || victim::loader(job, start, end))?;
    clock::sleep_until(start)?;
    for attacker in &attackers {
        attacker.go_on()?;
    }
    clock::sleep_until(end)?;
    drop(attackers);
    let harm = Harm { batch: batch.result()?, periodic: periodic.result()?, loader: loader.result()? };
    thread::sleep(PAUSE);
    Ok(harm)
}
