//! One load of a program, for the reason why the kernel refuses it.

use anyhow::{Context, Result};
use bpfsig_loading::raw::{LoadTarget, PreparedLoad};
use bpfsig_signing::program::Program;

use super::super::guest::{SharedObjects, reason};

/// Room for the trace of a program that is refused.
const TRACE: usize = 16 << 20;

/// Loads a program, unsigned.
///
/// # Errors
/// The kernel refuses it; not if a policy does, which refuses what is unsigned before it looks at it.
pub(super) fn load(program: &Program) -> Result<()> {
    let target = LoadTarget::of(program, None)?;
    let shared = SharedObjects::new(&[program])?;
    let mut load = PreparedLoad::new(program, shared.context(program, &target))?;
    match load.load().0 {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EKEYREJECTED) => Ok(()),
        Err(error) => {
            // Only a trace has the reason in it.
            load.trace(TRACE);
            let _ = load.load();
            let log = load.log();
            let reason = reason(&log).unwrap_or("refused before it is verified");
            Err(error).context(reason.to_owned())
        }
    }
}
