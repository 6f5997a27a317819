//! Scheduling priority.

use std::io;

use anyhow::{Context, Result};

/// Runs at the priority of `policy` from now on.
pub fn schedule(policy: libc::c_int, priority: libc::c_int) -> Result<()> {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: `param` lives through the call; 0 is this thread.
    if unsafe { libc::sched_setscheduler(0, policy, &param) } != 0 {
        return Err(io::Error::last_os_error()).context("sched_setscheduler");
    }
    Ok(())
}
