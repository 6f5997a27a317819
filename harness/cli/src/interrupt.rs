//! Ctrl-C: the first one asks the work to stop and clean up, the second one ends the process at once.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use anyhow::Error;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Exit code of a run that the user interrupted: 128 + `SIGINT`, as shells report it.
pub const EXIT_CODE: u8 = 130;

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(false)));

/// The user asked to stop. Passed up like any other error, so that everything on the way cleans up after itself.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Starts listening for `SIGINT` and `SIGTERM`.
pub fn install() -> std::io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it, the second one exits.
        signal_hook::flag::register_conditional_shutdown(signal, EXIT_CODE.into(), REQUESTED.clone())?;
        signal_hook::flag::register(signal, REQUESTED.clone())?;
    }
    #[cfg(all(feature = "lab", target_os = "linux"))]
    bpfsig_lab::interrupt::stop_on(REQUESTED.clone());
    Ok(())
}

/// Fails once the user has asked to stop.
#[cfg(target_os = "linux")]
pub fn check() -> Result<(), Interrupted> {
    if REQUESTED.load(std::sync::atomic::Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// Whether work has failed because the user asked it to stop.
pub fn caused(error: &Error) -> bool {
    #[cfg(all(feature = "lab", target_os = "linux"))]
    if error.is::<bpfsig_lab::interrupt::Interrupted>() {
        return true;
    }
    error.is::<Interrupted>()
}
