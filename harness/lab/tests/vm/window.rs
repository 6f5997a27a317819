//! Memory that stops a system call where it reads it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{ptr, thread};

/// `<linux/userfaultfd.h>`.
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const UFFDIO_COPY: libc::c_ulong = 0xc028_aa03;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;
/// `sizeof(struct uffd_msg)`.
const MESSAGE_SIZE: usize = 32;

const PAGE: usize = 4096;

/// Memory without pages: whoever reads it, the kernel included, waits until it is filled.
pub struct Window {
    /// A page with what is there already at its end; the memory follows.
    start: *mut libc::c_void,
    present: usize,
    length: usize,
    uffd: OwnedFd,
    content: Vec<u8>,
}

// SAFETY: the address is that of a mapping that belongs to this value alone and that only the kernel writes to.
unsafe impl Sync for Window {}

impl Window {
    /// Memory that will be found to hold `content`.
    pub fn over(content: &[u8]) -> Self {
        Self::after(&[], content)
    }

    /// Memory that holds `present`, which can be read at once, and will be found to hold `content` behind that.
    pub fn after(present: &[u8], content: &[u8]) -> Self {
        let length = content.len().next_multiple_of(PAGE);
        let mut content = content.to_vec();
        content.resize(length, 0);
        // SAFETY: a new mapping; the result is checked.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGE + length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        assert!(present.len() <= PAGE);
        // SAFETY: that many bytes before the end of the first page of the mapping.
        unsafe {
            let place = start.cast::<u8>().add(PAGE - present.len());
            ptr::copy_nonoverlapping(present.as_ptr(), place, present.len());
        }
        // SAFETY: the call takes flags.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: the kernel has just made this descriptor.
        let uffd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let window = Self { start, present: present.len(), length, uffd, content };
        window.control(UFFDIO_API, &mut [UFFD_API, 0, 0]);
        let mut missing = [window.missing(), length as u64, UFFDIO_REGISTER_MODE_MISSING, 0];
        window.control(UFFDIO_REGISTER, &mut missing);
        window
    }

    /// Where the memory is.
    pub fn address(&self) -> u64 {
        self.missing() - self.present as u64
    }

    /// Where the memory without pages is.
    fn missing(&self) -> u64 {
        self.start as u64 + PAGE as u64
    }

    /// Runs `call`, and `act` while the call waits for the memory. Panics if it never does.
    pub fn during<T>(&self, call: impl FnOnce() -> T, act: impl FnOnce() + Send) -> T {
        let (result, was_held) = self.try_during(call, act);
        assert!(was_held, "the call did not read this memory");
        result
    }

    /// Runs `call`, and `act` while the call waits for the memory. Also says whether it did.
    pub fn try_during<T>(&self, call: impl FnOnce() -> T, act: impl FnOnce() + Send) -> (T, bool) {
        let returned = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut message = [0u8; MESSAGE_SIZE];
                // SAFETY: the buffer has the size of a message.
                let size =
                    unsafe { libc::read(self.uffd.as_raw_fd(), message.as_mut_ptr().cast(), message.len()) };
                assert_eq!(size, MESSAGE_SIZE as isize, "{}", io::Error::last_os_error());
                let was_hit = !returned.load(Ordering::SeqCst);
                if was_hit {
                    finally(act, || self.fill());
                } else {
                    self.fill();
                }
                was_hit
            });
            let result = finally(call, || {
                returned.store(true, Ordering::SeqCst);
                // Ends the watcher's wait if the call never came here.
                // SAFETY: the mapping is at least one byte longer than its first page.
                unsafe { self.start.cast::<u8>().add(PAGE).read_volatile() };
            });
            (result, watcher.join().unwrap_or_else(|payload| panic::resume_unwind(payload)))
        })
    }

    fn fill(&self) {
        let mut copy = [self.missing(), self.content.as_ptr() as u64, self.length as u64, 0, 0];
        self.control(UFFDIO_COPY, &mut copy);
    }

    fn control(&self, request: libc::c_ulong, argument: &mut [u64]) {
        // SAFETY: each caller's argument is the struct of its request, all of whose members are __u64.
        let result = unsafe { libc::ioctl(self.uffd.as_raw_fd(), request, argument.as_mut_ptr()) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }
}

/// Runs something, and then what somebody else waits for, even if the first panics.
fn finally<T>(run: impl FnOnce() -> T, then: impl FnOnce()) -> T {
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    then();
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: the mapping that `after` made.
        unsafe { libc::munmap(self.start, PAGE + self.length) };
    }
}
