//! The `bpf(2)` system call, for what libbpf can't express: a signed load.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `enum bpf_cmd`.
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BTF_LOAD: libc::c_int = 18;
const MAP_FREEZE: libc::c_int = 22;

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

/// `union bpf_attr` for `BPF_MAP_CREATE`, up to `map_extra`.
#[repr(C)]
#[derive(Clone, Default)]
pub(super) struct MapCreate {
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
}

/// `union bpf_attr` for `BPF_MAP_UPDATE_ELEM` and, by its start, `BPF_MAP_FREEZE`.
#[repr(C)]
#[derive(Default)]
struct MapElement {
    map_fd: u32,
    key: u64,
    value: u64,
    flags: u64,
}

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
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
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

/// A file descriptor as the attributes have it.
pub(super) fn number(fd: &impl AsRawFd) -> u32 {
    fd.as_raw_fd() as u32
}

/// As much of a name as the kernel keeps.
pub(super) fn object_name(name: &str) -> [u8; 16] {
    let mut kept = [0; 16];
    let length = name.len().min(kept.len() - 1);
    kept[..length].copy_from_slice(&name.as_bytes()[..length]);
    kept
}

/// `BPF_MAP_CREATE`.
pub(super) fn map_create(attr: &MapCreate) -> io::Result<OwnedFd> {
    let mut attr = attr.clone();
    // SAFETY: the attributes of BPF_MAP_CREATE, which have no addresses.
    unsafe { bpf(MAP_CREATE, &mut attr) }.map(owned)
}

/// `BPF_MAP_UPDATE_ELEM`.
///
/// # Errors
/// The kernel refuses the change.
///
/// # Safety
/// Key and value must have as many bytes as the map's.
pub unsafe fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let mut attr = MapElement {
        map_fd: number(&map),
        key: address(key),
        value: address(value),
        ..MapElement::default()
    };
    // SAFETY: the attributes of BPF_MAP_UPDATE_ELEM; for the sizes the caller vouches.
    unsafe { bpf(MAP_UPDATE_ELEM, &mut attr) }.map(drop)
}

/// `BPF_MAP_FREEZE`.
///
/// # Errors
/// The map is frozen, or in use in a way that does not allow it.
pub fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = number(&map);
    // SAFETY: the only attribute of BPF_MAP_FREEZE.
    unsafe { bpf(MAP_FREEZE, &mut attr) }.map(drop)
}

/// Bytes of JITed code.
///
/// # Errors
/// `program` is no eBPF program.
pub fn jited_size(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = ProgInfo::default();
    // SAFETY: nothing but `info` itself is written.
    unsafe { info_of(program, &mut info) }?;
    Ok(info.jited_prog_len)
}

/// The ids of the maps that a program uses.
///
/// # Errors
/// `program` is no eBPF program.
pub fn map_ids(program: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    // As many as a program can have.
    let mut ids = vec![0u32; 64];
    let mut info =
        ProgInfo { nr_map_ids: ids.len() as u32, map_ids: ids.as_mut_ptr() as u64, ..ProgInfo::default() };
    // SAFETY: at most `nr_map_ids` ids are written.
    unsafe { info_of(program, &mut info) }?;
    ids.truncate(info.nr_map_ids as usize);
    Ok(ids)
}

/// The id of a map.
///
/// # Errors
/// `map` is no map.
pub fn map_id(map: BorrowedFd<'_>) -> io::Result<u32> {
    // The start of `struct bpf_map_info`: type, id.
    let mut info = [0u32; 2];
    // SAFETY: nothing but `info` itself is written.
    unsafe { info_of(map, &mut info) }?;
    Ok(info[1])
}

/// `BPF_OBJ_GET_INFO_BY_FD`.
///
/// # Safety
/// `info` must be the start of what the kernel has for this kind of object; arrays that it names must be the caller's.
unsafe fn info_of<T>(object: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attr = ObjInfo {
        bpf_fd: number(&object),
        info_len: size_of::<T>() as u32,
        info: std::ptr::from_mut(info) as u64,
    };
    // SAFETY: the kernel writes at most `info_len` bytes to `info`; for the rest the caller vouches.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }.map(drop)
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
