//! The victims, who work while the machine is attacked.

use std::hint::black_box;
use std::io;

use anyhow::{Context, Result, bail};

use super::attacker::Loading;
use super::clock;
use super::job::AttackJob;
use crate::results::Victim;

/// The period of the periodic victim, and its work in nanoseconds of CPU time. The period is short, so that no single event
/// decides on the p99.
const PERIOD: u64 = 2_000_000;
const WORK: u64 = 100_000;

/// The period of the loading victim: never due together with the periodic one, and well before it.
const LOAD_PERIOD: u64 = 50_000_000;
const LOAD_OFFSET: u64 = 1_500_000;

/// The time slice of the victims with deadlines. The scheduler prefers short slices, so only the kernel keeps them waiting.
const SLICE: u64 = 200_000;

/// Computes from `start` to `end`; returns its CPU time.
pub(super) fn batch(start: u64, end: u64) -> Result<u64> {
    clock::sleep_until(start)?;
    let before = clock::thread_cpu();
    while clock::now() < end {
        compute(10_000);
    }
    Ok(clock::thread_cpu() - before)
}

/// Works a little in each period.
pub(super) fn periodic(start: u64, end: u64) -> Result<Victim> {
    repeat(start, end, PERIOD, || {
        compute(WORK);
        Ok(())
    })
}

/// Loads a program in each period.
pub(super) fn loader(job: &AttackJob, start: u64, end: u64) -> Result<Victim> {
    let mut load = Loading::new(job, &job.legitimate)?;
    repeat(start + LOAD_OFFSET, end, LOAD_PERIOD, || match load.attempt() {
        0 => Ok(()),
        errno => bail!("a legitimate load was refused with errno {errno}"),
    })
}

/// Does something every `period`, from `start` to `end`, if need be late.
fn repeat(start: u64, end: u64, period: u64, mut act: impl FnMut() -> Result<()>) -> Result<Victim> {
    ask_for_slices()?;
    let mut victim = Victim::default();
    let before = clock::thread_cpu();
    let mut due = start;
    while due < end {
        clock::sleep_until(due)?;
        act()?;
        let now = clock::now();
        victim.latencies.push(now - due);
        if now <= end {
            victim.cpu = clock::thread_cpu() - before;
        }
        due += period;
    }
    Ok(victim)
}

fn ask_for_slices() -> Result<()> {
    let attr = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: SLICE,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: `attr` has the size that it says, and lives through the call; 0 is this thread, and no flag.
    if unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &attr, 0) } != 0 {
        return Err(io::Error::last_os_error()).context("sched_setattr");
    }
    Ok(())
}

/// Computes for about so many instructions.
fn compute(instructions: u64) {
    for _ in 0..instructions / 4 {
        black_box(0);
    }
}
