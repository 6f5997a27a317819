//! The guest's own machine.

use anyhow::{Context, Result};
use bpfsig_loading::keyring;
use nix::sys::utsname::uname;

use super::schedule;
use crate::engine::Settings;

/// Makes runs reproducible: sets sysctls, and a priority that nothing else has.
pub fn prepare_machine() -> Result<()> {
    Settings::wanted()?.write()?;
    schedule(libc::SCHED_FIFO, 1)
}

/// Has the kernel trust signers and attesters with these certificates (DER).
pub fn trust(signers: &[Vec<u8>], attesters: &[Vec<u8>]) -> Result<()> {
    signers.iter().try_for_each(|certificate| keyring::trust(certificate))?;
    attesters.iter().try_for_each(|certificate| keyring::trust_attester(certificate))?;
    Ok(())
}

/// Release and version of the running kernel.
pub fn kernel_version() -> Result<String> {
    let name = uname().context("uname")?;
    Ok(format!("{} {}", name.release().display(), name.version().display()))
}
