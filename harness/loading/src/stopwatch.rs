//! What the system calls of a load take.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// What the calls of `bpf(2)` have taken, so far and in this thread, with which BTF is loaded, maps are created, filled
/// and frozen, and programs are loaded and run by hand. What user space does in between is not in it.
pub fn elapsed() -> Duration {
    ELAPSED.get()
}

/// Makes such a call.
pub(super) fn timed<T>(call: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = call();
    ELAPSED.set(ELAPSED.get() + start.elapsed());
    result
}
