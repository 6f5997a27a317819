//! The attackers.

use std::hint::black_box;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::thread;

use anyhow::Result;
use bpfsig_loading::raw::{self, Attest, LoadContext, PreparedLoad, ProgLoad};

use super::clock;
use super::job::{Action, AttackJob, Attempt};
use super::process::stop;

/// Attempts of each attacker's thread in a second. At this rate, an attempt shows if it costs more than an interrupt, and sleep and
/// waking alone don't show.
pub const ATTEMPTS_PER_SECOND: u32 = 1000;

/// The kernel must limit a user's failures within this time.
const PATIENCE: u64 = 2_000_000_000;

/// The size of the verifier's log, which starts over when it is full.
const LOG_SIZE: usize = 16 << 20;
/// `BPF_LOG_LEVEL2`: each instruction and state.
const LOG_ALL: u32 = 2;

/// A load that can be attempted again and again.
pub(super) struct Loading<'a> {
    attr: ProgLoad,
    log: Vec<u8>,
    _prepared: PreparedLoad<'a>,
    // What the attributes refer to.
    _btf: Option<OwnedFd>,
    _maps: Vec<OwnedFd>,
    _fd_array: Vec<RawFd>,
}

impl<'a> Loading<'a> {
    /// Creates what the program uses, and fills in the attributes.
    ///
    /// # Errors
    /// The program's license has a zero byte, or the kernel refuses its BTF or a map.
    pub(super) fn new(job: &'a AttackJob, attempt: &'a Attempt) -> Result<Loading<'a>> {
        let attest = match &attempt.attested {
            Some(attested) => Attest::Facts { message: &attested.messages[0], facts: &attested.facts[0] },
            None => Attest::No,
        };
        let signature = attempt.signature.as_deref();
        let context = LoadContext { signature, attest, ..LoadContext::default() };
        let program = &job.programs[attempt.program];
        let btf = program.btf.as_deref().map(raw::load_btf).transpose()?;
        let maps = raw::create_maps(program, btf.as_ref().map(AsFd::as_fd))?;
        let fd_array: Vec<RawFd> = maps.iter().map(AsRawFd::as_raw_fd).collect();
        let mut prepared = PreparedLoad::new(program, context)?;
        let mut attr = prepared.attr();
        attr.prog_btf_fd = btf.as_ref().map_or(0, |btf| btf.as_raw_fd() as u32);
        (attr.fd_array, attr.fd_array_cnt) = (fd_array.as_ptr() as u64, fd_array.len() as u32);
        let mut log = vec![0; if attempt.trace { LOG_SIZE } else { 0 }];
        attr.log_level = if attempt.trace { LOG_ALL } else { 0 };
        attr.log_size = log.len() as u32;
        attr.log_buf = if attempt.trace { log.as_mut_ptr() as u64 } else { 0 };
        Ok(Loading { attr, log, _prepared: prepared, _btf: btf, _maps: maps, _fd_array: fd_array })
    }

    /// Attempts the load; 0 if the kernel accepts the program, which is dropped at once, or an errno.
    pub(super) fn attempt(&mut self) -> i32 {
        let mut attr = self.attr.clone();
        // SAFETY: the log is `self.log`, with its size.
        match unsafe { raw::prog_load(&mut attr) } {
            Ok(_program) => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        }
    }

    /// Does the same as [`Self::attempt`], without the system call.
    pub(super) fn attempt_without_kernel(&mut self) -> i32 {
        let mut attr = black_box(&self.attr).clone();
        black_box(&mut attr);
        black_box(&self.log);
        black_box(libc::EKEYREJECTED)
    }

    /// Attempts the load until the kernel refuses to check it; returns its first answer and its last.
    pub(super) fn exhaust_limit(&mut self) -> (i32, i32) {
        let end = clock::now() + PATIENCE;
        let first = self.attempt();
        let mut last = first;
        while last != libc::EDQUOT && clock::now() < end {
            last = self.attempt();
        }
        (first, last)
    }
}

/// Attacks until killed. Where failures are limited, exhausts the limit first; then stops, until told to go on.
///
/// # Errors
/// The attack can't be carried out.
pub(super) fn attack(
    job: &AttackJob,
    action: &Action,
    threads: u32,
    first: usize,
    limited: bool,
) -> Result<()> {
    let mut loads = Vec::new();
    if let Action::Load(attempts) = action {
        for _ in 0..threads {
            let loads_of_thread: Result<Vec<_>> =
                attempts.iter().map(|attempt| Loading::new(job, attempt)).collect();
            loads.push(loads_of_thread?);
        }
        if let (true, Some(loads)) = (limited, loads.first_mut()) {
            // The last load costs most: as on average, the debt lasts longer than the window.
            let signed = loads.iter_mut().filter(|load| load.attr.signature != 0);
            signed.rev().for_each(|load| _ = load.exhaust_limit());
        }
    }
    stop()?;
    match action {
        Action::Nothing => Ok(()),
        Action::Compute => loop {
            black_box(0);
        },
        Action::FailAtOnce => thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    at_rate(|| {
                        // SAFETY: the kernel does not know this command, and looks at nothing else.
                        unsafe { libc::syscall(libc::SYS_bpf, -1, 0, 0) };
                    })
                });
            }
            Ok(())
        }),
        Action::Load(_) => thread::scope(|scope| {
            for (thread, loads) in loads.iter_mut().enumerate() {
                let mut next = first + thread;
                scope.spawn(move || {
                    at_rate(|| {
                        let count = loads.len();
                        loads[next % count].attempt();
                        next += 1;
                    })
                });
            }
            Ok(())
        }),
    }
}

/// Does something [`ATTEMPTS_PER_SECOND`] times in a second, or without a pause if it takes longer.
fn at_rate(mut act: impl FnMut()) -> Result<()> {
    let interval = 1_000_000_000 / u64::from(ATTEMPTS_PER_SECOND);
    let mut due = clock::now();
    loop {
        act();
        due += interval;
        clock::sleep_until(due)?;
    }
}
