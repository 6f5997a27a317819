//! The `bpf(2)` system call, for what libbpf can't express: a signed load.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bpfsig_signing::program::Program;

/// `enum bpf_cmd`.
const PROG_LOAD: libc::c_int = 5;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BTF_LOAD: libc::c_int = 18;

/// `BPF_LOG_STATS`: figures only, no trace.
const LOG_STATS: u32 = 4;

/// Index of the secondary trusted keyring (`VERIFY_USE_SECONDARY_KEYRING`).
const SECONDARY_KEYRING: i32 = 1;

/// `union bpf_attr` for `BPF_PROG_LOAD`, up to `keyring_id`; `kernel-patch/README.md` has the offsets of the last four.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_btf_obj_fd: u32,
    core_relo_cnt: u32,
    fd_array: u64,
    core_relos: u64,
    core_relo_rec_size: u32,
    log_true_size: u32,
    prog_token_fd: i32,
    fd_array_cnt: u32,
    signature: u64,
    signature_size: u32,
    keyring_id: i32,
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

fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr() as u64
}

/// `BPF_BTF_LOAD`.
///
/// # Errors
/// The kernel refuses the BTF.
pub(super) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = BtfLoad { btf: address(btf), btf_size: btf.len() as u32, ..BtfLoad::default() };
    // SAFETY: the attributes of BPF_BTF_LOAD; the kernel reads `btf_size` bytes of `btf`.
    unsafe { bpf(BTF_LOAD, &mut attr) }.map(owned)
}

/// Bytes of JITed code.
///
/// # Errors
/// `program` is no eBPF program.
pub(super) fn jited_size(program: BorrowedFd<'_>) -> io::Result<u32> {
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

/// A load that can be repeated: `BPF_PROG_LOAD` with all its attributes filled in.
pub(super) struct PreparedLoad<'a> {
    program: &'a Program,
    insns: Cow<'a, [u8]>,
    signature: Option<&'a [u8]>,
    btf: Option<BorrowedFd<'a>>,
    attach_btf_id: u32,
    license: CString,
    log: Box<[u8]>,
}

impl<'a> PreparedLoad<'a> {
    /// # Errors
    /// The program's license has a zero byte, or `replacement` is not one of its instructions.
    pub(super) fn new(
        program: &'a Program,
        btf: Option<BorrowedFd<'a>>,
        attach_btf_id: u32,
        signature: Option<&'a [u8]>,
        replacement: Option<(usize, [u8; 8])>,
    ) -> Result<PreparedLoad<'a>> {
        let mut insns = Cow::Borrowed(&program.insns[..]);
        if let Some((index, insn)) = replacement {
            insns
                .to_mut()
                .as_chunks_mut()
                .0
                .get_mut(index)
                .map(|old| *old = insn)
                .with_context(|| format!("{} has no instruction {index}", program.name))?;
        }
        let license = CString::new(program.license.as_str())?;
        let log = vec![0; 4096].into_boxed_slice();
        Ok(PreparedLoad { program, insns, signature, btf, attach_btf_id, license, log })
    }

    /// Loads the program; also says how long the system call took, and nothing but the system call.
    pub(super) fn load(&mut self) -> (io::Result<OwnedFd>, Duration) {
        let mut attr = self.attr();
        let start = Instant::now();
        // SAFETY: the attributes of BPF_PROG_LOAD; all buffers belong to `self`, their sizes are theirs, and only
        // `log` is written to.
        let result = unsafe { bpf(PROG_LOAD, &mut attr) };
        let elapsed = start.elapsed();
        (result.map(owned), elapsed)
    }

    fn attr(&mut self) -> ProgLoad {
        self.log[0] = 0;
        let program = self.program;
        let mut prog_name = [0; 16];
        let kept = program.name.len().min(prog_name.len() - 1);
        prog_name[..kept].copy_from_slice(&program.name.as_bytes()[..kept]);
        ProgLoad {
            prog_type: program.prog_type,
            insn_cnt: program.insn_count(),
            insns: address(&self.insns),
            license: self.license.as_ptr() as u64,
            log_level: LOG_STATS,
            log_size: self.log.len() as u32,
            log_buf: self.log.as_mut_ptr() as u64,
            prog_flags: program.flags,
            prog_name,
            expected_attach_type: program.expected_attach_type,
            prog_btf_fd: self.btf.map_or(0, |fd| fd.as_raw_fd() as u32),
            func_info_rec_size: program.func_info.record_size,
            func_info: address(&program.func_info.bytes),
            func_info_cnt: program.func_info.count(),
            line_info_rec_size: program.line_info.record_size,
            line_info: address(&program.line_info.bytes),
            line_info_cnt: program.line_info.count(),
            attach_btf_id: self.attach_btf_id,
            core_relo_cnt: program.core_relos.count(),
            core_relos: address(&program.core_relos.bytes),
            core_relo_rec_size: program.core_relos.record_size,
            signature: self.signature.map_or(0, address),
            signature_size: self.signature.map_or(0, |signature| signature.len() as u32),
            keyring_id: if self.signature.is_some() { SECONDARY_KEYRING } else { 0 },
            ..ProgLoad::default()
        }
    }

    /// What the last load wrote to the verifier log.
    pub(super) fn log(&self) -> String {
        CStr::from_bytes_until_nul(&self.log).map_or_else(
            |_| String::from_utf8_lossy(&self.log).into_owned(),
            |text| text.to_string_lossy().into_owned(),
        )
    }
}
