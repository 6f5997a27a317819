//! The `bpf(2)` system call, for what libbpf can't express: a signed load.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `enum bpf_cmd`.
const PROG_LOAD: libc::c_int = 5;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BTF_LOAD: libc::c_int = 18;

/// `union bpf_attr` for `BPF_PROG_LOAD`, up to `keyring_id`, with the kernel's names; `kernel-patch/README.md` has the
/// offsets of the last four.
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
    pub attach_btf_obj_fd: u32,
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
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(offset_of!(ProgLoad, fd_array_cnt) == 148);
    assert!(offset_of!(ProgLoad, signature) == 152);
    assert!(offset_of!(ProgLoad, signature_size) == 160);
    assert!(offset_of!(ProgLoad, keyring_id) == 164);
    assert!(size_of::<ProgLoad>() == 168);
};

/// `union bpf_attr` for `BPF_BTF_LOAD`.
#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
}

/// `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct ObjInfo {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// The start of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    prog_type: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
}

/// Calls `bpf(2)` and returns what it returns.
///
/// # Safety
/// `attr` must be what `command` expects, and all addresses in it must be valid for what the kernel does with them.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel stays within the size that it is told; for the rest the caller vouches.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// Takes the file descriptor that a system call returned.
fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made it for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

pub(super) fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr() as u64
}

/// `BPF_BTF_LOAD`.
///
/// # Errors
/// The kernel refuses the BTF.
pub fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = BtfLoad { btf: address(btf), btf_size: btf.len() as u32, ..BtfLoad::default() };
    // SAFETY: the attributes of BPF_BTF_LOAD; the kernel reads `btf_size` bytes of `btf`.
    unsafe { bpf(BTF_LOAD, &mut attr) }.map(owned)
}

/// Bytes of JITed code.
///
/// # Errors
/// `program` is no eBPF program.
pub fn jited_size(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = ProgInfo::default();
    let mut attr = ObjInfo {
        bpf_fd: program.as_raw_fd() as u32,
        info_len: size_of::<ProgInfo>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    // SAFETY: the attributes of BPF_OBJ_GET_INFO_BY_FD; the kernel writes at most `info_len` bytes to `info`.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info.jited_prog_len)
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
