//! Processes of other users.

use std::fs::File;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::process;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::guest::schedule;

/// A child of this process. It is killed and waited for when this is dropped.
pub(super) struct Process<T> {
    pid: Pid,
    answer: File,
    ended: bool,
    answers: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Process<T> {
    /// Lets `user` run `task` in a new process: with root's capabilities, at the usual priority, and as the first victim of the
    /// OOM killer.
    ///
    /// # Errors
    /// There is no such process.
    pub(super) fn start(user: u32, task: impl FnOnce() -> Result<T>) -> Result<Process<T>> {
        let (read, write) = pipe().context("pipe")?;
        // SAFETY: this process has one thread, so no lock is held that the child could wait for.
        match unsafe { fork() }.context("fork")? {
            ForkResult::Parent { child } => {
                Ok(Process { pid: child, answer: File::from(read), ended: false, answers: PhantomData })
            }
            ForkResult::Child => {
                drop(read);
                let answer = become_user(user).and_then(|()| task()).map_err(|error| format!("{error:#}"));
                let sent = serde_json::to_vec(&answer).map(|bytes| File::from(write).write_all(&bytes));
                // No code of the parent may run here.
                process::exit(i32::from(!matches!(sent, Ok(Ok(())))));
            }
        }
    }

    /// Waits until the process has stopped itself with [`stop`].
    ///
    /// # Errors
    /// It has ended instead.
    pub(super) fn wait_until_stopped(&mut self) -> Result<()> {
        match waitpid(self.pid, Some(WaitPidFlag::WUNTRACED)).context("waiting for an attacker")? {
            WaitStatus::Stopped(..) => Ok(()),
            status => {
                self.ended = true;
                Err(anyhow!("an attacker ended early: {status:?}; it said {:?}", self.read()?))
            }
        }
    }

    /// Continues a stopped process.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn go_on(&self) -> Result<()> {
        kill(self.pid, Signal::SIGCONT).context("letting an attacker go on")
    }

    /// Waits for the end of the process, and returns its findings.
    ///
    /// # Errors
    /// The task failed, or something killed it.
    pub(super) fn result(mut self) -> Result<T> {
        let text = self.read()?;
        let status = waitpid(self.pid, None).context("waiting for a process")?;
        self.ended = true;
        let answer: Result<T, String> = serde_json::from_str(&text)
            .with_context(|| format!("a process ended without an answer: {status:?}"))?;
        answer.map_err(|error| anyhow!(error))
    }

    fn read(&mut self) -> Result<String> {
        let mut text = String::new();
        self.answer.read_to_string(&mut text).context("reading from a process")?;
        Ok(text)
    }
}

impl<T> Drop for Process<T> {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody has waited for this child yet, so its number is not reused.
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Stops the calling process until its parent continues it.
pub(super) fn stop() -> Result<()> {
    nix::sys::signal::raise(Signal::SIGSTOP).context("stopping")
}

/// Becomes another user and keeps root's capabilities: the kernel counts failures by user.
fn become_user(uid: u32) -> Result<()> {
    std::fs::write("/proc/self/oom_score_adj", "1000").context("oom_score_adj")?;
    schedule(libc::SCHED_OTHER, 0)?;
    let check = |result: libc::c_long, what: &'static str| {
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()).context(what) }
    };
    // `_LINUX_CAPABILITY_VERSION_3`; effective, permitted and inheritable ones, twice 32.
    let header = [0x2008_0522_u32, 0];
    let mut capabilities = [0_u32; 6];
    // SAFETY: header and data have the size that the version stands for; the rest are numbers.
    unsafe {
        check(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0).into(), "PR_SET_KEEPCAPS")?;
        check(libc::setresuid(uid, uid, uid).into(), "setresuid")?;
        let data = capabilities.as_mut_ptr();
        check(libc::syscall(libc::SYS_capget, header.as_ptr(), data), "capget")?;
        (capabilities[0], capabilities[3]) = (capabilities[1], capabilities[4]);
        check(libc::syscall(libc::SYS_capset, header.as_ptr(), capabilities.as_ptr()), "capset")
    }
}
