//! The cost of an attempt to the whole machine.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::attacker::Loading;
use super::clock;
use super::harm::ATTACKER;
use super::job::{Action, AttackJob, Attempts, PlannedAttack};
use super::memory;
use super::process::Process;

/// The CPU time of all attempts together, if there is more than one.
const BUDGET: u64 = 100_000_000;

/// Free memory is read at least this often during an attempt.
const LOOKS: u64 = 64;
const LOOK_INTERVAL: [u64; 2] = [50_000, 1_000_000];

/// Attempts whose memory is watched.
const MEMORY_ATTEMPTS: u64 = 20;

/// Enough for a grace period of RCU, and for the workers that free memory after it.
const GRACE: u64 = 40_000_000;

/// Lets one attacker attempt the attack's load, alone on the machine; none unless the attack has exactly one load.
///
/// # Errors
/// The load can't be attempted.
pub(super) fn measure(job: &AttackJob, attack: &PlannedAttack, limited: bool) -> Result<Option<Attempts>> {
    let Action::Load(attempts) = &attack.action else { return Ok(None) };
    let [attempt] = &attempts[..] else { return Ok(None) };
    let process = Process::start(ATTACKER, || measure_load(&mut Loading::new(job, attempt)?, limited))?;
    let cost = process.result()?;
    thread::sleep(Duration::from_nanos(GRACE));
    Ok(Some(cost))
}

fn measure_load(load: &mut Loading<'_>, limited: bool) -> Result<Attempts> {
    let exhausted = limited.then(|| load.exhaust_limit());
    // The first attempt finds cold caches and fills pools. It counts only if there is no time for another.
    let ((trial, each), peak) = memory::peak(Duration::from_nanos(LOOK_INTERVAL[1]), || Ok(run(load, 1)))?;
    let first_errno = exhausted.map_or(trial.errno, |(first, _)| first);
    if each >= BUDGET {
        let user = user_time(load, 1000) / 1000;
        return Ok(Attempts { first_errno, user, peak_memory: peak, ..trial });
    }
    let look = (each / LOOKS).clamp(LOOK_INTERVAL[0], LOOK_INTERVAL[1]);
    let count = (BUDGET / each.max(1)).clamp(1, MEMORY_ATTEMPTS);
    let (_, peak_memory) = memory::peak(Duration::from_nanos(look), || {
        (0..count).for_each(|_| _ = load.attempt());
        Ok(())
    })?;
    clock::sleep_until(clock::now() + GRACE)?;
    let attempts = (BUDGET / each.max(1)).max(1);
    // Meanwhile the user has been granted a little again.
    let errno = if limited { load.exhaust_limit().1 } else { trial.errno };
    let (measured, _) = run(load, attempts);
    Ok(Attempts { first_errno, errno, user: user_time(load, attempts), peak_memory, ..measured })
}

/// Attempts the load `attempts` times, and computes a while longer. So the attacker always wants the CPU, and the kernel spends the
/// time that he doesn't get on his behalf. Also returns the time by the clock: some machines can't count little CPU time.
fn run(load: &mut Loading<'_>, attempts: u64) -> (Attempts, u64) {
    let (start, process) = (clock::now(), clock::process_cpu());
    let errno = (0..attempts).fold(0, |_, _| load.attempt());
    // Of all threads: if one is woken where the kernel can't be interrupted, as while it hashes, the scheduler charges that one
    // with the time until it gets the CPU (rq_clock_skip_update() in kernel/sched/sched.h).
    let (attacker, elapsed) = (clock::process_cpu() - process, clock::now() - start);
    let end = clock::now() + GRACE;
    while clock::now() < end {
        black_box(0);
    }
    let all = clock::now() - start;
    let deferred = all.saturating_sub(clock::process_cpu() - process);
    (Attempts { first_errno: errno, errno, attempts, attacker, user: 0, deferred, peak_memory: 0 }, elapsed)
}

/// The time of so many attempts without the system call. The machine is idle otherwise, so the clock tells it.
fn user_time(load: &mut Loading<'_>, attempts: u64) -> u64 {
    let start = clock::now();
    for _ in 0..attempts {
        load.attempt_without_kernel();
    }
    clock::now() - start
}
