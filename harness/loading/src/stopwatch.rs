//! The time that the system calls of a load take.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The time that calls of `bpf(2)` have taken so far in this thread: to load BTF, to create, fill and freeze maps, and
/// to load and run programs. Time in user space is not included.
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
