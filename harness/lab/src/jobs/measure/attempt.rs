//! One load, from nothing to loaded.

use std::io;
use std::ops::Add;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bpfsig_loading::raw::{self, Attest, LoadContext, LoadTarget, Log, PreparedLoad, stopwatch};
use bpfsig_loading::{Attested, Origin, ProgramInfo, Signature};
use bpfsig_signing::program::{INSN_SIZE, Program};

use super::super::guest::{SharedObjects, check_times, verifier_time};
use super::plan::{Plan, PlannedForm, PlannedLoad, Sample};
use crate::loader::Loader;

/// Before something is loaded: enough for a grace period of RCU and for the workers that then free what was released, so
/// that none of it is charged to that load.
const PAUSE: Duration = Duration::from_millis(30);

/// Something that is loaded again and again.
pub(super) enum RepeatedLoad<'a> {
    Programs {
        programs: Vec<&'a Program>,
        targets: Vec<LoadTarget>,
        /// An instruction that replaces an instruction of the first program.
        replacement: Option<(usize, [u8; INSN_SIZE])>,
        /// Attested facts about each program.
        facts: Option<&'a [Vec<u8>]>,
    },
    Loader(&'a Loader),
}

/// The CMS messages of a load.
#[derive(Clone, Copy, Default)]
pub(super) struct Messages<'a> {
    pub signature: Option<&'a [u8]>,
    pub attestation: Option<&'a [u8]>,
}

/// The outcome of a load.
#[derive(Default)]
pub(super) struct Attempt {
    pub sample: Sample,
    /// 0, or why the kernel refused the program.
    pub errno: i32,
    /// Bytes of JITed code, of all programs.
    pub jited_bytes: u32,
    /// The verifier log of the last program.
    pub log: String,
}

impl<'a> RepeatedLoad<'a> {
    pub(super) fn new(plan: &'a Plan, load: &'a PlannedLoad) -> Result<Self> {
        Ok(match &load.form {
            PlannedForm::Programs(indices) => {
                let programs: Vec<_> = indices.iter().map(|index| &plan.programs[*index]).collect();
                let targets = programs.iter().map(|program| LoadTarget::of(program, None));
                Self::Programs {
                    targets: targets.collect::<Result<_, _>>()?,
                    programs,
                    replacement: load.replacement,
                    facts: load.attested.as_ref().map(|attested| &attested.facts[..]),
                }
            }
            PlannedForm::Loader(index) => Self::Loader(&plan.loaders[*index]),
        })
    }

    /// Loads it with new maps and BTF, as well as programs.
    pub(super) fn attempt(&self, messages: Messages<'_>) -> Result<Attempt> {
        thread::sleep(PAUSE);
        match self {
            Self::Programs { programs, targets, replacement, facts } => {
                load_all(programs, targets, *replacement, *facts, messages)
            }
            Self::Loader(loader) => load_with(loader, messages.signature),
        }
    }
}

/// Loads programs, or as many as the kernel accepts.
fn load_all(
    programs: &[&Program],
    targets: &[LoadTarget],
    replacement: Option<(usize, [u8; INSN_SIZE])>,
    facts: Option<&[Vec<u8>]>,
    messages: Messages<'_>,
) -> Result<Attempt> {
    let start = stopwatch::elapsed();
    let shared = SharedObjects::new(programs)?;
    let mut loads = Vec::new();
    for (index, (program, target)) in programs.iter().zip(targets).enumerate() {
        let attest = match (facts, messages.attestation) {
            (Some(facts), Some(message)) => Attest::Facts { message, facts: &facts[index] },
            _ => Attest::No,
        };
        let context =
            LoadContext { signature: messages.signature, attest, ..shared.context(program, target) };
        loads.push(PreparedLoad::new(program, context)?);
    }
    if let (Some((index, insn)), Some(first)) = (replacement, loads.first_mut()) {
        first.replace(index, insn)?;
    }

    thread::sleep(PAUSE);
    let mut attempt = Attempt::default();
    let sample = &mut attempt.sample;
    let mut loaded = Vec::new();
    for load in &mut loads {
        let (result, time) = load.load();
        sample.prog_load += time.as_nanos() as u64;
        let log = load.log();
        sample.check = sum(sample.check, check_times(&log));
        sample.verifier = sum(sample.verifier, verifier_time(&log));
        attempt.log = log;
        match result {
            Ok(program) => loaded.push(program),
            Err(error) => {
                attempt.errno = errno(&error)?;
                break;
            }
        }
    }
    sample.all_syscalls = since(start);
    attempt.jited_bytes = jited_size(&loaded)?;
    if facts.is_some() {
        loaded.iter().try_for_each(|program| demand_attested(program.as_fd()))?;
    }
    Ok(attempt)
}

/// Fails if the kernel verified the program instead of taking the facts.
fn demand_attested(program: BorrowedFd<'_>) -> Result<()> {
    match ProgramInfo::of(program)?.origin {
        Some(Origin::Verified(Signature { attested: Attested::Attested { .. }, .. })) => Ok(()),
        Some(Origin::Verified(Signature { attested, .. })) => bail!("it is not attested, but {attested}"),
        _ => bail!("it is not signed"),
    }
}

/// Loads a loader, and has it load programs.
fn load_with(loader: &Loader, signature: Option<&[u8]>) -> Result<Attempt> {
    let start = stopwatch::elapsed();
    let map = loader.create_map()?;
    let context = LoadContext { maps: vec![map.as_fd()], signature, ..LoadContext::default() };
    let mut load = PreparedLoad::new(&loader.program, context)?;

    thread::sleep(PAUSE);
    let before = stopwatch::elapsed();
    let (result, log) = match load.load().0 {
        Ok(program) => {
            let mut log = Log::default();
            (loader.run(program.as_fd(), &mut log), log.text())
        }
        Err(error) => (Err(error), load.log()),
    };
    let sample = Sample { prog_load: since(before), all_syscalls: since(start), ..Sample::default() };
    let mut attempt = Attempt { sample, log, ..Attempt::default() };
    match result {
        Ok(installed) => {
            attempt.jited_bytes = jited_size(&installed.programs)?;
            // The log is that of the last program.
            if let [_] = installed.programs[..] {
                attempt.sample.verifier = verifier_time(&attempt.log);
            }
        }
        Err(error) => attempt.errno = errno(&error)?,
    }
    Ok(attempt)
}

/// The time that system calls have taken since then, in nanoseconds.
fn since(start: Duration) -> u64 {
    (stopwatch::elapsed() - start).as_nanos() as u64
}

fn errno(error: &io::Error) -> Result<i32> {
    error.raw_os_error().context("no errno")
}

fn jited_size(programs: &[OwnedFd]) -> io::Result<u32> {
    programs.iter().map(|program| raw::jited_size(program.as_fd())).sum()
}

/// The sum of all that is known.
fn sum<T: Add<Output = T>>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}
