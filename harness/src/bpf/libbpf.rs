//! The system calls that libbpf has functions for, with Rust's types.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use libbpf_rs::libbpf_sys as sys;

use super::syscall::owned;

/// `BPF_BTF_LOAD`.
///
/// # Errors
/// The kernel refuses the BTF.
pub fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads `btf.len()` bytes; no options.
    check(unsafe { sys::bpf_btf_load(btf.as_ptr().cast(), btf.len() as _, ptr::null_mut()) }).map(owned)
}

/// `BPF_MAP_UPDATE_ELEM`: sets an entry, whether there is one or not.
///
/// # Errors
/// The kernel refuses the change.
///
/// # Safety
/// Key and value must have as many bytes as the map's.
pub unsafe fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let (key, value) = (key.as_ptr().cast(), value.as_ptr().cast());
    // SAFETY: for the sizes the caller vouches.
    check(unsafe { sys::bpf_map_update_elem(map.as_raw_fd(), key, value, 0) }).map(drop)
}

/// `BPF_MAP_FREEZE`.
///
/// # Errors
/// The map is frozen, or in use in a way that does not allow it.
pub fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes nothing but a file descriptor.
    check(unsafe { sys::bpf_map_freeze(map.as_raw_fd()) }).map(drop)
}

/// What a function of libbpf returns: a negative error number, or something else.
pub(super) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
}
