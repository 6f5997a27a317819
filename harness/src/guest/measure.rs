//! Loads each program again and again and takes the time.

use std::ops::Add;
use std::os::fd::AsFd;
use std::slice;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bpfsig_signing::program::Program;
use nix::sys::utsname::uname;

use super::kit::Kit;
use super::priority::schedule;
use super::{Load, Measured, Outcome, Plan, Sample, Settings, announce, stats};
use crate::bpf::{self, LoadContext, LoadTarget, PreparedLoad, keyring, stopwatch};

/// How often a load is repeated that costs this much at most (nanoseconds, or instructions).
const CHEAP: Duration = Duration::from_millis(10);
const CHEAP_SAMPLES: usize = 20;

/// What the samples of a costlier load may take together, if there is more than one.
const BUDGET: Duration = Duration::from_millis(150);

/// Before something is loaded: enough for a grace period of RCU and for the workers that then free what was released, so that
/// none of it is charged to that load.
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
    load: &'a Load,
    programs: Vec<&'a Program>,
    targets: Vec<LoadTarget>,
    signatures: slice::Iter<'a, Vec<u8>>,
    signature: Option<&'a [u8]>,
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
        let programs: Vec<_> = load.programs.iter().map(|index| &plan.programs[*index]).collect();
        let targets = programs.iter().map(|program| LoadTarget::of(program, None)).collect::<Result<_>>()?;
        Ok(Subject {
            load,
            programs,
            targets,
            signatures: load.signatures.iter(),
            signature: None,
            measured: Measured::default(),
            wanted: 0,
        })
    }

    fn is_unfinished(&self) -> bool {
        self.measured.samples.len() < self.wanted
    }

    fn announce_end(&self) {
        if !self.is_unfinished() {
            announce(&self.load.name);
        }
    }

    /// Takes one sample; returns the time of the system calls.
    fn sample(&mut self) -> Result<Duration> {
        self.signature = self.signatures.next().map(|next| &**next).or(self.signature);
        let (sample, elapsed) = self.load_all().with_context(|| self.load.name.clone())?;
        self.measured.samples.push(sample);
        Ok(elapsed)
    }

    /// Loads the programs, or as many as the kernel accepts, with maps and BTF that are as new to it as they are.
    fn load_all(&mut self) -> Result<(Sample, Duration)> {
        thread::sleep(PAUSE);
        let start = stopwatch::elapsed();
        let kit = Kit::new(&self.programs)?;
        let mut loads = Vec::new();
        for (program, target) in self.programs.iter().zip(&self.targets) {
            let context = LoadContext { signature: self.signature, ..kit.context(program, target) };
            loads.push(PreparedLoad::new(program, context)?);
        }
        if let (Some((index, insn)), Some(first)) = (self.load.replacement, loads.first_mut()) {
            first.replace(index, insn)?;
        }

        thread::sleep(PAUSE);
        let (mut sample, mut elapsed) = (Sample::default(), Duration::ZERO);
        let (mut errno, mut jited_size) = (0, 0);
        let mut loaded = Vec::new();
        for load in &mut loads {
            let (result, time) = load.load();
            elapsed += time;
            let log = load.log();
            sample.signature = sum(sample.signature, stats::signature_times(&log));
            sample.verifier = sum(sample.verifier, stats::verifier_time(&log));
            self.measured.log = log;
            match result {
                Ok(program) => loaded.push(program),
                Err(error) => {
                    errno = error.raw_os_error().context("no errno")?;
                    break;
                }
            }
        }
        sample.loaded = (stopwatch::elapsed() - start).as_nanos() as u64;
        for program in &loaded {
            jited_size += bpf::jited_size(program.as_fd())?;
        }
        sample.total = elapsed.as_nanos() as u64;

        let measured = &mut self.measured;
        if measured.samples.is_empty() {
            (measured.errno, measured.jited_size) = (errno, jited_size);
        } else if measured.errno != errno {
            bail!("two loads of the same program ended differently: errno {} and {errno}", measured.errno);
        }
        Ok((sample, elapsed))
    }
}

/// The sum of what there is.
fn sum<T: Add<Output = T>>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
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
