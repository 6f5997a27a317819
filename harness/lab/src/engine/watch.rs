//! Follows a run of a machine: its console, its time, its end.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};

use super::machine::{Event, STATUS};
use crate::interrupt;

/// The interval at which the clock and Ctrl-C are checked.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// Lines of console output shown when something went wrong.
const TAIL: usize = 20;

/// How a kernel says that it gives up.
const PANIC: &str = "Kernel panic - not syncing";

/// How a kernel says that something in it has gone wrong, and goes on: warnings, oopses, lock validation, stalls,
/// sanitizers.
const SPLATS: [&str; 7] =
    ["WARNING: ", "BUG: ", "Oops: ", "INFO: rcu", "INFO: task ", "general protection fault", "UBSAN: "];

/// Follows a run, and remembers what to say if it fails.
pub(super) struct Watch<'a> {
    stage: Stage,
    stage_began: Instant,
    boot_limit: Duration,
    command_limit: Option<Duration>,
    tail: VecDeque<String>,
    failure: Option<Error>,
    /// The first fault that the kernel reported.
    splat: Option<String>,
    on_event: &'a mut dyn FnMut(Event<'_>),
}

enum Stage {
    Boot,
    Command,
}

impl<'a> Watch<'a> {
    /// The kernel may take `boot_limit` until it takes commands, the command `command_limit`.
    pub(super) fn new(
        boot_limit: Duration,
        command_limit: Option<Duration>,
        on_event: &'a mut dyn FnMut(Event<'_>),
    ) -> Watch<'a> {
        Watch {
            stage: Stage::Boot,
            stage_began: Instant::now(),
            boot_limit,
            command_limit,
            tail: VecDeque::new(),
            failure: None,
            splat: None,
            on_event,
        }
    }

    /// The kernel wrote a line to its console.
    pub(super) fn console(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        (self.on_event)(Event::Console(line));
        if SPLATS.iter().any(|splat| line.contains(splat)) {
            self.splat.get_or_insert_with(|| line.to_owned());
        }
        // Its backtrace has been printed before.
        if let Some(at) = line.find(PANIC) {
            self.fail(anyhow!("{}", &line[at..]));
        }
    }

    /// The command starts.
    pub(super) fn booted(&mut self) {
        self.stage = Stage::Command;
        self.stage_began = Instant::now();
        (self.on_event)(Event::Booted);
    }

    /// The command wrote a line.
    pub(super) fn output(&mut self, line: &str) {
        (self.on_event)(Event::Output(line));
    }

    /// Keeps the first reason: later ones are consequences.
    pub(super) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// Whether the machine must be ended: it failed, took too long, or the user interrupted.
    pub(super) fn is_over(&mut self) -> bool {
        let limit = match self.stage {
            Stage::Boot => Some(self.boot_limit),
            Stage::Command => self.command_limit,
        };
        if let Some(limit) = limit.filter(|limit| self.stage_began.elapsed() > *limit) {
            self.fail(anyhow!("time limit of {} s exceeded", limit.as_secs()));
        }
        self.failure.is_some() || interrupt::check().is_err()
    }

    /// The machine has ended: takes the command's exit status from the share.
    ///
    /// # Errors
    /// The user interrupted, the kernel reported a fault, or there is no exit status.
    pub(super) fn end(self, share: &Path) -> Result<i32> {
        interrupt::check()?;
        if let Some(splat) = self.splat {
            bail!("the kernel reported a fault: {splat}");
        }
        // The command's exit status counts even if the machine then failed to power off.
        match fs::read_to_string(share.join(STATUS)) {
            Ok(text) => text.trim().parse().with_context(|| format!("exit status {text:?} from the guest")),
            Err(_) => Err(self.into_error()),
        }
    }

    fn into_error(self) -> Error {
        let failure = self.failure.unwrap_or_else(|| anyhow!("the guest ended without an exit status"));
        let what = match self.stage {
            Stage::Boot => "the kernel did not boot",
            Stage::Command => "the guest died while the command ran",
        };
        let mut console = String::new();
        for line in &self.tail {
            console.push_str("\n  ");
            console.push_str(line);
        }
        if console.is_empty() {
            console.push_str(" (none)");
        }
        anyhow!("{what}: {failure:#}\nlast lines of its console:{console}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splat(lines: &[&str]) -> Option<String> {
        let mut on_event = |_: Event<'_>| ();
        let mut watch = Watch::new(Duration::MAX, None, &mut on_event);
        for line in lines {
            watch.console(line);
        }
        watch.splat
    }

    #[test]
    fn finds_faults_on_the_console() {
        for line in [
            "[    3.1] WARNING: CPU: 0 PID: 1 at kernel/bpf/core.c:1 bpf+0x1/0x2",
            "[    3.1] WARNING: possible circular locking dependency detected",
            "[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "[    3.1] BUG: sleeping function called from invalid context at mm/slab.h:1",
            "[    3.1] Oops: general protection fault, probably for non-canonical address",
            "[    3.1] INFO: task vm:1 blocked for more than 120 seconds.",
            "[    3.1] rcu: INFO: rcu_sched self-detected stall on CPU",
        ] {
            assert_eq!(
                splat(&["[    0.0] Linux version 6.12", line, "[    3.2] next"]).as_deref(),
                Some(line)
            );
        }
    }

    #[test]
    fn finds_no_fault_in_other_lines() {
        let lines = [
            "[    0.0] Command line: nokaslr oops=panic panic_on_warn=1",
            "[    0.1] audit: type=1334 op=REFUSE_LOAD reason=\"signer is not in the keyring\"",
            "[    0.2] Speculative Return Stack Overflow: Mitigation: SMT disabled",
        ];
        assert_eq!(splat(&lines), None);
    }
}
