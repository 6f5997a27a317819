//! Loads each program again and again and takes the time.

use std::slice;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bpfsig_loading::keyring;
use nix::sys::utsname::uname;

use super::attempt::{Messages, RepeatedLoad};
use super::priority::schedule;
use super::{Load, Measured, Outcome, Plan, Settings, announce};

/// How often a load is repeated that costs this much at most (nanoseconds, or instructions).
const CHEAP: Duration = Duration::from_millis(10);
const CHEAP_SAMPLES: usize = 20;

/// What the samples of a costlier load may take together, if there is more than one.
const BUDGET: Duration = Duration::from_millis(150);

/// Carries out a plan.
///
/// # Errors
/// The machine can't be prepared, a load can't be attempted, or a load that is repeated has different verdicts.
pub(super) fn run(plan: &Plan) -> Result<Outcome> {
    prepare_machine()?;
    for certificate in &plan.certificates {
        keyring::trust(certificate)?;
    }
    for certificate in &plan.attesters {
        keyring::trust_attester(certificate)?;
    }
    let groups = plan.groups.iter().map(|group| measure_group(plan, group)).collect::<Result<_>>()?;
    Ok(Outcome { kernel: kernel_version()?, groups })
}

/// Makes the guest repeat itself.
pub(super) fn prepare_machine() -> Result<()> {
    Settings::wanted()?.write()?;
    schedule(libc::SCHED_FIFO, 1)
}

pub(super) fn kernel_version() -> Result<String> {
    let name = uname().context("uname")?;
    Ok(format!("{} {}", name.release().display(), name.version().display()))
}

/// One load and what has been measured of it.
struct Subject<'a> {
    name: &'a str,
    load: RepeatedLoad<'a>,
    signatures: slice::Iter<'a, Vec<u8>>,
    attestations: slice::Iter<'a, Vec<u8>>,
    messages: Messages<'a>,
    measured: Measured,
    /// How many samples there are to be; known after the first.
    wanted: usize,
}

/// Measures loads in turns: one sample each, and again, until all have as many as they need.
fn measure_group(plan: &Plan, group: &[Load]) -> Result<Vec<Measured>> {
    let mut subjects: Vec<_> = group.iter().map(|load| Subject::new(plan, load)).collect::<Result<_>>()?;

    // The first load of each finds cold caches and fills pools: it only tells how many samples there can be.
    for subject in &mut subjects {
        let cost = subject.sample()?;
        subject.wanted = samples_for(cost);
        if subject.wanted > 1 {
            subject.measured.samples.clear();
        }
        subject.announce_end();
    }
    while subjects.iter().any(Subject::is_unfinished) {
        for subject in subjects.iter_mut().filter(|subject| subject.is_unfinished()) {
            subject.sample()?;
            subject.announce_end();
        }
    }
    Ok(subjects.into_iter().map(|subject| subject.measured).collect())
}

impl<'a> Subject<'a> {
    fn new(plan: &'a Plan, load: &'a Load) -> Result<Self> {
        Ok(Subject {
            name: &load.name,
            load: RepeatedLoad::new(plan, load)?,
            signatures: load.signatures.iter(),
            attestations: load.attested.as_ref().map_or(&[][..], |attested| &attested.messages).iter(),
            messages: Messages::default(),
            measured: Measured::default(),
            wanted: 0,
        })
    }

    fn is_unfinished(&self) -> bool {
        self.measured.samples.len() < self.wanted
    }

    fn announce_end(&self) {
        if !self.is_unfinished() {
            announce(self.name);
        }
    }

    /// Takes one sample; returns the time of the system calls.
    fn sample(&mut self) -> Result<Duration> {
        let Messages { signature, attestation } = &mut self.messages;
        *signature = self.signatures.next().map(|next| &**next).or(*signature);
        *attestation = self.attestations.next().map(|next| &**next).or(*attestation);
        let attempt = self.load.attempt(self.messages).with_context(|| self.name.to_owned())?;
        let measured = &mut self.measured;
        if measured.samples.is_empty() {
            (measured.errno, measured.jited_size) = (attempt.errno, attempt.jited_size);
        } else if measured.errno != attempt.errno {
            bail!(
                "{}: two loads of the same program ended differently: errno {} and {}",
                self.name,
                measured.errno,
                attempt.errno
            );
        }
        measured.samples.push(attempt.sample);
        measured.log = attempt.log;
        Ok(Duration::from_nanos(attempt.sample.total))
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
