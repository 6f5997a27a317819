//! Requests to stop. Whoever runs the lab listens for signals and passes them on.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

thread_local! {
    static NO_LONGER_NEEDED: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// The user asked to stop. Passed up like any other error, so that everything on the way cleans up after itself.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// From now on, everything that takes long ends once the flag is set. Only the first flag counts.
pub fn stop_on(flag: Arc<AtomicBool>) {
    let _ = REQUESTED.set(flag);
}

/// From now on, what takes long in this thread also ends once the flag is set: nobody needs it any more.
pub fn stop_thread_on(flag: Arc<AtomicBool>) {
    NO_LONGER_NEEDED.set(Some(flag));
}

/// Fails once the user has asked to stop, or nobody needs the thread any more. Long work calls this often, at least ten times
/// a second.
pub fn check() -> Result<(), Interrupted> {
    let is_set = |flag: Option<&Arc<AtomicBool>>| flag.is_some_and(|flag| flag.load(Ordering::Relaxed));
    let stops = is_set(REQUESTED.get()) || NO_LONGER_NEEDED.with_borrow(|flag| is_set(flag.as_ref()));
    if stops { Err(Interrupted) } else { Ok(()) }
}
