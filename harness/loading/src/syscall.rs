//! The `bpf(2)` system call, for what libbpf can't do: a signed load, and maps for it. Before libbpf gives a map its
//! name it loads an unsigned program to see whether the kernel takes names; where signatures are required it would
//! leave the name out.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::stopwatch::timed;

/// `enum bpf_cmd`.
const MAP_CREATE: libc::c_int = 0;
const PROG_LOAD: libc::c_int = 5;

/// `union bpf_attr` for `BPF_PROG_LOAD`, with the kernel's names; `kernel-patch/README.md` has the offsets from
/// `fd_array_cnt`.
#[repr(C)]
#[derive(Clone, Default)]
#[allow(missing_docs)]
pub struct ProgLoad {
    pub prog_type: u32,
    pub insn_cnt: u32,
    pub insns: u64,
    pub license: u64,
    pub log_level: u32,
    pub log_size: u32,
    pub log_buf: u64,
    pub kern_version: u32,
    pub prog_flags: u32,
    pub prog_name: [u8; 16],
    pub prog_ifindex: u32,
    pub expected_attach_type: u32,
    pub prog_btf_fd: u32,
    pub func_info_rec_size: u32,
    pub func_info: u64,
    pub func_info_cnt: u32,
    pub line_info_rec_size: u32,
    pub line_info: u64,
    pub line_info_cnt: u32,
    pub attach_btf_id: u32,
    /// `attach_btf_obj_fd`, or `attach_prog_fd` in the same place.
    pub attach_object_fd: u32,
    pub core_relo_cnt: u32,
    pub fd_array: u64,
    pub core_relos: u64,
    pub core_relo_rec_size: u32,
    pub log_true_size: u32,
    pub prog_token_fd: i32,
    pub fd_array_cnt: u32,
    pub signature: u64,
    pub signature_size: u32,
    pub keyring_id: i32,
    pub attestation: u64,
    pub facts: u64,
    pub attestation_size: u32,
    pub facts_size: u32,
    pub attest_flags: u32,
    pub padding: u32,
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(offset_of!(ProgLoad, fd_array_cnt) == 148);
    assert!(offset_of!(ProgLoad, signature) == 152);
    assert!(offset_of!(ProgLoad, signature_size) == 160);
    assert!(offset_of!(ProgLoad, keyring_id) == 164);
    assert!(offset_of!(ProgLoad, attestation) == 168);
    assert!(offset_of!(ProgLoad, facts) == 176);
    assert!(offset_of!(ProgLoad, attestation_size) == 184);
    assert!(offset_of!(ProgLoad, facts_size) == 188);
    assert!(offset_of!(ProgLoad, attest_flags) == 192);
    assert!(size_of::<ProgLoad>() == 200);
};

/// `union bpf_attr` for `BPF_MAP_CREATE`, up to `excl_prog_hash_size`, which mainline has.
#[repr(C)]
#[derive(Clone, Default)]
#[allow(missing_docs)]
pub struct MapCreate {
    pub map_type: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub map_flags: u32,
    pub inner_map_fd: u32,
    pub numa_node: u32,
    pub map_name: [u8; 16],
    pub map_ifindex: u32,
    pub btf_fd: u32,
    pub btf_key_type_id: u32,
    pub btf_value_type_id: u32,
    pub btf_vmlinux_value_type_id: u32,
    pub map_extra: u64,
    pub value_type_btf_obj_fd: i32,
    pub map_token_fd: i32,
    pub excl_prog_hash: u64,
    pub excl_prog_hash_size: u32,
    /// The kernel wants zeros where no field is.
    pub unused: u32,
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(offset_of!(MapCreate, excl_prog_hash) == 80);
    assert!(size_of::<MapCreate>() == 96);
};

/// Calls `bpf(2)` and returns what it returns.
///
/// # Safety
/// `attr` must be what `command` expects, and all addresses in it must be valid for what the kernel does with them.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel stays within the size that it is told; for the rest the caller vouches.
    let call = || unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    let result = timed(call);
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// Takes the file descriptor that a system call returned.
pub fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made it for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

pub(super) fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr() as u64
}

/// A file descriptor as the attributes have it.
pub(super) fn number(fd: &impl AsRawFd) -> u32 {
    fd.as_raw_fd() as u32
}

/// `BPF_MAP_CREATE`.
///
/// # Errors
/// The kernel refuses the map.
pub fn map_create(attr: &MapCreate) -> io::Result<OwnedFd> {
    let mut attr = attr.clone();
    // SAFETY: the attributes of BPF_MAP_CREATE; from its only address the kernel reads with the rights of user space.
    unsafe { bpf(MAP_CREATE, &mut attr) }.map(owned)
}

/// `BPF_PROG_LOAD`.
///
/// # Errors
/// The kernel refuses the program.
///
/// # Safety
/// Memory that the attributes name for the kernel to write to, which is the log, must be the caller's to write to.
/// Any other address may be anything: the kernel reads it with the rights of user space.
pub unsafe fn prog_load(attr: &mut ProgLoad) -> io::Result<OwnedFd> {
    // SAFETY: these are the attributes of BPF_PROG_LOAD; for the log the caller vouches.
    unsafe { bpf(PROG_LOAD, attr) }.map(owned)
}
