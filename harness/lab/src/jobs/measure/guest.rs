//! Loads each program again and again and takes the time.

use std::slice;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::super::announce;
use super::super::guest::{kernel_version, prepare_machine, trust};
use super::attempt::{Messages, RepeatedLoad};
use super::plan::{Measured, Outcome, Plan, PlannedLoad};
use super::policy;

/// How often a load is repeated, by its cost at most (nanoseconds, or instructions).
const CHEAP: Duration = Duration::from_millis(10);
const CHEAP_SAMPLES: usize = 20;

/// The time that all samples of a costlier load may take, if there is more than one.
const BUDGET: Duration = Duration::from_millis(150);

/// Carries out a plan.
///
/// # Errors
/// The machine can't be prepared, a load can't be attempted, or a load that is repeated has different verdicts.
pub(super) fn run(plan: &Plan) -> Result<Outcome> {
    prepare_machine()?;
    trust(&plan.certificates, &plan.attesters)?;
    let _policy = plan.policy.as_ref().map(policy::enforce).transpose()?;
    let mut loads = Vec::new();
    for group in &plan.groups {
        loads.extend(measure_group(plan, group)?);
    }
    Ok(Outcome { kernel: kernel_version()?, loads })
}

/// One load, and its samples as they come.
struct Series<'a> {
    load: RepeatedLoad<'a>,
    signatures: slice::Iter<'a, Vec<u8>>,
    attestations: slice::Iter<'a, Vec<u8>>,
    messages: Messages<'a>,
    measured: Measured,
    /// How many samples there are to be; known after the first.
    wanted: usize,
}

/// Measures loads in turns: one sample each, and again, until all have as many as they need.
fn measure_group(plan: &Plan, group: &[PlannedLoad]) -> Result<Vec<Measured>> {
    let mut group: Vec<_> = group.iter().map(|load| Series::new(plan, load)).collect::<Result<_>>()?;

    // The first load of each finds cold caches and fills pools: it only tells how many samples there can be.
    for series in &mut group {
        let cost = series.sample()?;
        series.wanted = samples_for(cost);
        if series.wanted > 1 {
            series.measured.samples.clear();
        }
        series.announce_end();
    }
    while group.iter().any(Series::is_unfinished) {
        for series in group.iter_mut().filter(|series| series.is_unfinished()) {
            series.sample()?;
            series.announce_end();
        }
    }
    Ok(group.into_iter().map(|series| series.measured).collect())
}

impl<'a> Series<'a> {
    fn new(plan: &'a Plan, load: &'a PlannedLoad) -> Result<Self> {
        Ok(Series {
            load: RepeatedLoad::new(plan, load)?,
            signatures: load.signatures.iter(),
            attestations: load.attested.as_ref().map_or(&[][..], |attested| &attested.messages).iter(),
            messages: Messages::default(),
            measured: Measured {
                key: load.key.clone(),
                errno: 0,
                log: String::new(),
                jited_bytes: 0,
                samples: Vec::new(),
            },
            wanted: 0,
        })
    }

    fn is_unfinished(&self) -> bool {
        self.measured.samples.len() < self.wanted
    }

    fn announce_end(&self) {
        if !self.is_unfinished() {
            announce(&self.measured.key.to_string());
        }
    }

    /// Takes one sample; returns the time of the system calls.
    fn sample(&mut self) -> Result<Duration> {
        let Messages { signature, attestation } = &mut self.messages;
        *signature = self.signatures.next().map(|next| &**next).or(*signature);
        *attestation = self.attestations.next().map(|next| &**next).or(*attestation);
        let attempt = self.load.attempt(self.messages).with_context(|| self.measured.key.to_string())?;
        let measured = &mut self.measured;
        if measured.samples.is_empty() {
            (measured.errno, measured.jited_bytes) = (attempt.errno, attempt.jited_bytes);
        } else if measured.errno != attempt.errno {
            bail!(
                "{}: two loads of the same program ended differently: errno {} and {}",
                measured.key,
                measured.errno,
                attempt.errno
            );
        }
        measured.samples.push(attempt.sample);
        measured.log = attempt.log;
        Ok(Duration::from_nanos(attempt.sample.prog_load))
    }
}

/// How many samples to take of a load that costs this much.
fn samples_for(cost: Duration) -> usize {
    if cost <= CHEAP {
        return CHEAP_SAMPLES;
    }
    (BUDGET.as_nanos() / cost.as_nanos()).clamp(1, CHEAP_SAMPLES as u128) as usize
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
