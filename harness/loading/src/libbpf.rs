//! The system calls that libbpf has functions for, with Rust's types.

use std::ffi::{CStr, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use libbpf_rs::libbpf_sys as sys;

use crate::stopwatch::timed;
use crate::syscall::owned;

/// `BPF_BTF_LOAD`.
///
/// # Errors
/// The kernel refuses the BTF.
pub fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads `btf.len()` bytes; no options.
    let load = || unsafe { sys::bpf_btf_load(btf.as_ptr().cast(), btf.len() as _, ptr::null_mut()) };
    check(timed(load)).map(owned)
}

/// `BPF_MAP_UPDATE_ELEM`: sets an entry, whether there is one or not.
///
/// # Errors
/// The kernel refuses the change.
///
/// # Safety
/// Key and value must have as many bytes as the map's.
pub unsafe fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    // SAFETY: for the sizes the caller vouches.
    unsafe { map_update_with(map, key, value, 0) }
}

/// The same with `BPF_F_*` flags.
///
/// # Errors
/// The kernel refuses the change.
///
/// # Safety
/// Key and value must have as many bytes as the flags make the kernel read.
pub(super) unsafe fn map_update_with(
    map: BorrowedFd<'_>,
    key: &[u8],
    value: &[u8],
    flags: u64,
) -> io::Result<()> {
    let (key, value) = (key.as_ptr().cast(), value.as_ptr().cast());
    // SAFETY: for the sizes the caller vouches.
    check(timed(|| unsafe { sys::bpf_map_update_elem(map.as_raw_fd(), key, value, flags) })).map(drop)
}

/// `BPF_MAP_FREEZE`.
///
/// # Errors
/// The map is frozen, or in use in a way that does not allow it.
pub fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes nothing but a file descriptor.
    check(timed(|| unsafe { sys::bpf_map_freeze(map.as_raw_fd()) })).map(drop)
}

/// `BPF_BTF_GET_NEXT_ID`: the lowest id that is greater.
pub(super) fn next_btf_id(id: u32) -> io::Result<Option<u32>> {
    // SAFETY: the result is written to where it is told.
    next_id(|next| unsafe { sys::bpf_btf_get_next_id(id, next) })
}

/// `BPF_BTF_GET_FD_BY_ID`.
pub(super) fn btf_by_id(id: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes nothing but a number.
    check(unsafe { sys::bpf_btf_get_fd_by_id(id) }).map(owned)
}

/// `BPF_PROG_GET_NEXT_ID`: the lowest id that is greater.
pub(super) fn next_program_id(id: u32) -> io::Result<Option<u32>> {
    // SAFETY: the result is written to where it is told.
    next_id(|next| unsafe { sys::bpf_prog_get_next_id(id, next) })
}

fn next_id(get: impl FnOnce(&mut u32) -> c_int) -> io::Result<Option<u32>> {
    let mut next = 0;
    match check(get(&mut next)) {
        Ok(_) => Ok(Some(next)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `BPF_PROG_GET_FD_BY_ID`: a program in the kernel by its number.
///
/// # Errors
/// There is no program with this id.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes nothing but a number.
    check(unsafe { sys::bpf_prog_get_fd_by_id(id) }).map(owned)
}

/// `BPF_OBJ_GET`.
pub(super) fn pinned(path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the path ends with a zero.
    check(unsafe { sys::bpf_obj_get(path.as_ptr()) }).map(owned)
}

/// `BPF_OBJ_PIN`.
pub(super) fn pin(object: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with a zero.
    check(unsafe { sys::bpf_obj_pin(object.as_raw_fd(), path.as_ptr()) }).map(drop)
}

/// `BPF_LINK_CREATE` of a program, or of the map of a struct_ops.
///
/// `target` is a file descriptor, an interface's index, or 0: it depends on the attach type.
pub(super) fn link_create(object: BorrowedFd<'_>, target: i32, attach_type: u32) -> io::Result<OwnedFd> {
    // SAFETY: no options.
    check(unsafe { sys::bpf_link_create(object.as_raw_fd(), target, attach_type, ptr::null()) }).map(owned)
}

/// The same with options, whose size this sets.
///
/// # Safety
/// Addresses in `options` must be valid for the attach type, with the lengths that `options` has.
pub(super) unsafe fn link_create_with(
    object: BorrowedFd<'_>,
    target: i32,
    attach_type: u32,
    mut options: sys::bpf_link_create_opts,
) -> io::Result<OwnedFd> {
    options.sz = size_of_val(&options) as _;
    // SAFETY: the options are there; for what they point to the caller vouches.
    check(unsafe { sys::bpf_link_create(object.as_raw_fd(), target, attach_type, &options) }).map(owned)
}

/// `BPF_MAP_DELETE_ELEM` of the only entry of a struct_ops, which unregisters it.
pub(super) fn unregister(map: BorrowedFd<'_>) -> io::Result<()> {
    let key = 0u32;
    // SAFETY: the keys of a struct_ops have four bytes.
    check(unsafe { sys::bpf_map_delete_elem(map.as_raw_fd(), ptr::from_ref(&key).cast()) }).map(drop)
}

/// `BPF_RAW_TRACEPOINT_OPEN`.
pub(super) fn raw_tracepoint_open(name: &CStr, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the name ends with a zero.
    check(unsafe { sys::bpf_raw_tracepoint_open(name.as_ptr(), program.as_raw_fd()) }).map(owned)
}

/// What a function of libbpf returns: a negative error number, or something else.
///
/// # Errors
/// It is negative.
pub fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
}
