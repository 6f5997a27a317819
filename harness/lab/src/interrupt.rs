//! Whether the user has asked to stop. Whoever runs the lab listens for signals and says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The user asked to stop. Passed up like any other error, so that everything on the way cleans up after itself.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// From now on, everything that takes long ends once the flag is set. Only the first flag counts.
pub fn stop_on(flag: Arc<AtomicBool>) {
    let _ = REQUESTED.set(flag);
}

/// Fails once the user has asked to stop. Long work calls this often, at least ten times a second.
pub fn check() -> Result<(), Interrupted> {
    match REQUESTED.get() {
        Some(flag) if flag.load(Ordering::Relaxed) => Err(Interrupted),
        _ => Ok(()),
    }
}
