//! The peak memory of an attempt.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::super::guest::schedule;

/// Runs `task`, and returns by how many bytes free memory shrank at most meanwhile, read every `interval`.
///
/// Pages in the CPU's free lists count as used: some hundred KiB.
///
/// # Errors
/// The task fails.
pub(super) fn peak<T>(interval: Duration, task: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sampler = scope.spawn(|| -> Result<u64> {
            // There is one CPU, and this thread has to interrupt the kernel's work on it.
            schedule(libc::SCHED_FIFO, 2)?;
            let mut least = u64::MAX;
            while !over.load(Ordering::Relaxed) {
                least = least.min(free());
                thread::sleep(interval);
            }
            Ok(least.min(free()))
        });
        // By now the sampler has a stack, and the first figure.
        thread::sleep(interval);
        let before = free();
        let result = task();
        over.store(true, Ordering::Relaxed);
        let least = sampler.join().map_err(|_| anyhow!("the sampler panicked"))??;
        Ok((result?, before.saturating_sub(least)))
    })
}

/// Bytes of free memory.
fn free() -> u64 {
    let mut info = MaybeUninit::<libc::sysinfo>::uninit();
    // SAFETY: the kernel writes all of it, and can't fail.
    let info = unsafe {
        libc::sysinfo(info.as_mut_ptr());
        info.assume_init()
    };
    info.freeram * u64::from(info.mem_unit)
}
