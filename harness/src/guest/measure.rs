//! Loads each program again and again and takes the time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::utsname::uname;

use super::resources::Resources;
use super::{Load, Measured, Outcome, Plan, Sample, Settings, announce, stats};
use crate::bpf::{self, LoadContext, PreparedLoad, keyring};

/// How often a load is repeated that costs this much at most (nanoseconds, or instructions).
const CHEAP: Duration = Duration::from_millis(10);
const CHEAP_SAMPLES: usize = 20;

/// What the samples of a costlier load may take together, if there is more than one.
const BUDGET: Duration = Duration::from_millis(150);

/// Between two loads: enough for a grace period of RCU and for the workers that then free what was released, so that
/// none of it is charged to the next load.
const PAUSE: Duration = Duration::from_millis(30);

/// Carries out a plan.
///
/// # Errors
/// The machine can't be prepared, a load can't be attempted, or a load that is repeated has different verdicts.
pub(super) fn run(plan: &Plan) -> Result<Outcome> {
    prepare_machine()?;
    for certificate in &plan.certificates {
        keyring::trust(certificate)?;
    }
    let groups = plan.groups.iter().map(|group| measure_group(plan, group)).collect::<Result<_>>()?;
    Ok(Outcome { kernel: kernel_version()?, groups })
}

/// Makes the guest repeat itself.
fn prepare_machine() -> Result<()> {
    Settings::wanted()?.write()?;
    let param = libc::sched_param { sched_priority: 1 };
    // SAFETY: `param` lives through the call; 0 is this process.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &param) } != 0 {
        return Err(io::Error::last_os_error()).context("real-time priority");
    }
    Ok(())
}

fn kernel_version() -> Result<String> {
    let name = uname().context("uname")?;
    Ok(format!("{} {}", name.release().display(), name.version().display()))
}

/// One load and what has been measured of it.
struct Subject<'a> {
    load: PreparedLoad<'a>,
    measured: Measured,
    /// How many samples there are to be; known after the first.
    wanted: usize,
}

/// Measures loads in turns: one sample each, and again, until all have as many as they need.
fn measure_group(plan: &Plan, group: &[Load]) -> Result<Vec<Measured>> {
    let resources = resources(plan, group)?;
    let mut subjects = group
        .iter()
        .map(|load| {
            let program = &plan.programs[load.program];
            let context =
                LoadContext { signature: load.signature.as_deref(), ..resources[&load.program].context() };
            let mut prepared = PreparedLoad::new(program, context)?;
            if let Some((index, insn)) = load.replacement {
                prepared.replace(index, insn)?;
            }
            Ok(Subject { load: prepared, measured: Measured::default(), wanted: 0 })
        })
        .collect::<Result<Vec<_>>>()?;

    // The first load of each finds cold caches and fills pools: it only tells how many samples there can be.
    for (subject, load) in subjects.iter_mut().zip(group) {
        let cost = subject.sample().with_context(|| load.name.clone())?;
        subject.wanted = samples_for(cost);
        if subject.wanted > 1 {
            subject.measured.samples.clear();
        }
        subject.announce_end(&load.name);
    }
    while subjects.iter().any(Subject::is_unfinished) {
        for (subject, load) in subjects.iter_mut().zip(group).filter(|(subject, _)| subject.is_unfinished()) {
            subject.sample().with_context(|| load.name.clone())?;
            subject.announce_end(&load.name);
        }
    }
    Ok(subjects.into_iter().map(|subject| subject.measured).collect())
}

impl Subject<'_> {
    fn is_unfinished(&self) -> bool {
        self.measured.samples.len() < self.wanted
    }

    fn announce_end(&self, name: &str) {
        if !self.is_unfinished() {
            announce(name);
        }
    }

    /// Takes one sample; returns the time of the system call.
    fn sample(&mut self) -> Result<Duration> {
        thread::sleep(PAUSE);
        let (result, elapsed) = self.load.load();
        let (errno, jited_size) = match result {
            Ok(program) => (0, bpf::jited_size(program.as_fd())?),
            Err(error) => (error.raw_os_error().context("no errno")?, 0),
        };
        let measured = &mut self.measured;
        measured.log = self.load.log();
        if measured.samples.is_empty() {
            (measured.errno, measured.jited_size) = (errno, jited_size);
        } else if measured.errno != errno {
            bail!("two loads of the same program ended differently: errno {} and {errno}", measured.errno);
        }
        measured.samples.push(Sample {
            total: elapsed.as_nanos() as u64,
            signature: stats::signature_times(&measured.log),
            verifier: stats::verifier_time(&measured.log),
        });
        Ok(elapsed)
    }
}

/// How many samples to take of a load that costs this much.
fn samples_for(cost: Duration) -> usize {
    if cost <= CHEAP {
        return CHEAP_SAMPLES;
    }
    (BUDGET.as_nanos() / cost.as_nanos()).clamp(1, CHEAP_SAMPLES as u128) as usize
}

/// The resources of a group's programs, by their index in the plan.
fn resources(plan: &Plan, group: &[Load]) -> Result<HashMap<usize, Resources>> {
    let mut resources = HashMap::new();
    for load in group {
        if let Entry::Vacant(entry) = resources.entry(load.program) {
            entry.insert(Resources::of(&plan.programs[load.program])?);
        }
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_loads_are_repeated_twenty_times_and_the_costliest_measured_once() {
        assert_eq!(samples_for(Duration::from_nanos(80_000)), 20);
        assert_eq!(samples_for(CHEAP), 20);
        assert_eq!(samples_for(Duration::from_millis(15)), 10);
        assert_eq!(samples_for(Duration::from_millis(121)), 1);
        assert_eq!(samples_for(Duration::from_secs(3)), 1);
    }
}
