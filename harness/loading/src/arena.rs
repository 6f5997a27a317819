//! Arenas: memory that programs and user space share.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::{io, ptr};

use bpfsig_signing::map::MapDefinition;

use crate::error::{Error, Result};

/// Gives an arena its address, without which the verifier refuses programs that use it, and its global variables, which
/// lie in its last pages. Both stay when the memory is no longer mapped here.
///
/// # Errors
/// The kernel does not map the arena.
pub(super) fn place(fd: BorrowedFd<'_>, map: &MapDefinition) -> Result<()> {
    // SAFETY: takes nothing but a number.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
        .map_err(|_| Error::Missing("the system does not say how large a page is".to_owned()))?;
    let size = page * map.max_entries as usize;
    let fixed = if map.extra == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let address = map.extra as *mut libc::c_void;
    // SAFETY: nothing of this process is replaced, and nothing refers to the memory but the lines below.
    let memory =
        unsafe { libc::mmap(address, size, protection, libc::MAP_SHARED | fixed, fd.as_raw_fd(), 0) };
    if memory == libc::MAP_FAILED {
        return Err(Error::system("mapping the arena")(io::Error::last_os_error()));
    }
    let start = size.saturating_sub(map.contents.len().next_multiple_of(page));
    let length = map.contents.len().min(size - start);
    // SAFETY: `size` bytes are mapped, and `start` and `length` are not more together.
    unsafe {
        ptr::copy_nonoverlapping(map.contents.as_ptr(), memory.cast::<u8>().add(start), length);
        libc::munmap(memory, size);
    }
    Ok(())
}
