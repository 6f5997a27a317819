//! What the kernel says about programs and maps (`BPF_OBJ_GET_INFO_BY_FD`).

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libbpf_rs::libbpf_sys as sys;

use crate::libbpf::check;

/// The id of a program and its tag: the start of SHA-1 over its instructions, without what depends on the host.
///
/// # Errors
/// `program` is not an eBPF program.
pub fn program_id(program: BorrowedFd<'_>) -> io::Result<(u32, [u8; 8])> {
    let info = program_info(program, |_| {})?;
    Ok((info.id, info.tag))
}

/// `enum bpf_prog_type`.
///
/// # Errors
/// `program` is not an eBPF program.
pub fn prog_type(program: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(program_info(program, |_| {})?.type_)
}

/// Bytes of JITed code.
///
/// # Errors
/// `program` is not an eBPF program.
pub fn jited_size(program: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(program_info(program, |_| {})?.jited_prog_len)
}

/// The instructions that the kernel has made of a program's, 8 bytes each, as `bpftool prog dump xlated` shows them.
///
/// # Errors
/// `program` is not an eBPF program, or the caller may not see its instructions.
pub fn xlated(program: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut insns = vec![0; program_info(program, |_| {})?.xlated_prog_len as usize];
    let info = program_info(program, |info| {
        info.xlated_prog_len = insns.len() as u32;
        info.xlated_prog_insns = insns.as_mut_ptr() as u64;
    })?;
    if info.xlated_prog_insns == 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(insns)
}

/// What the JIT has made of a program.
#[derive(Clone, Debug)]
pub struct Jited {
    /// The native code of each function, with the address that it is at.
    pub functions: Vec<(u64, Vec<u8>)>,
}

/// The native code of a program, as `bpftool prog dump jited` shows it.
///
/// # Errors
/// `program` is not an eBPF program, or the caller may not see its code.
pub fn jited(program: BorrowedFd<'_>) -> io::Result<Jited> {
    let sizes = program_info(program, |_| {})?;
    let mut code = vec![0; sizes.jited_prog_len as usize];
    let mut addresses = vec![0u64; sizes.nr_jited_ksyms as usize];
    let mut lengths = vec![0u32; sizes.nr_jited_func_lens as usize];
    let info = program_info(program, |info| {
        info.jited_prog_len = code.len() as u32;
        info.jited_prog_insns = code.as_mut_ptr() as u64;
        info.nr_jited_ksyms = addresses.len() as u32;
        info.jited_ksyms = addresses.as_mut_ptr() as u64;
        info.nr_jited_func_lens = lengths.len() as u32;
        info.jited_func_lens = lengths.as_mut_ptr() as u64;
    })?;
    if info.jited_prog_insns == 0 || info.jited_ksyms == 0 || info.jited_func_lens == 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let functions = addresses.into_iter().zip(lengths);
    let functions = functions.map(|(address, length)| {
        let rest = code.split_off(length as usize);
        (address, std::mem::replace(&mut code, rest))
    });
    Ok(Jited { functions: functions.collect() })
}

/// The ids of the maps that a program uses.
///
/// # Errors
/// `program` is not an eBPF program.
pub fn map_ids(program: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    // As many as a program can have.
    let mut ids = vec![0u32; 64];
    let info = program_info(program, |info| {
        info.nr_map_ids = ids.len() as u32;
        info.map_ids = ids.as_mut_ptr() as u64;
    })?;
    ids.truncate(info.nr_map_ids as usize);
    Ok(ids)
}

/// The id of a map.
///
/// # Errors
/// `map` is not a map.
pub fn map_id(map: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(map_info(map)?.id)
}

/// What a map was created from.
pub(super) fn map_info(map: BorrowedFd<'_>) -> io::Result<sys::bpf_map_info> {
    let mut info = sys::bpf_map_info::default();
    let mut size = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `size` bytes to `info`.
    check(unsafe { sys::bpf_map_get_info_by_fd(map.as_raw_fd(), &mut info, &mut size) })?;
    Ok(info)
}

/// The id of a program's BTF, if it has one.
pub(super) fn btf_id(program: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    let id = program_info(program, |_| {})?.btf_id;
    Ok((id != 0).then_some(id))
}

/// The BTF of an object, as it was loaded.
pub(super) fn btf_bytes(btf: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; btf_info(btf, |_| {})?.btf_size as usize];
    btf_info(btf, |info| {
        info.btf_size = bytes.len() as u32;
        info.btf = bytes.as_mut_ptr() as u64;
    })?;
    Ok(bytes)
}

/// The name of BTF that is the kernel's: `vmlinux`, or a module.
pub(super) fn kernel_btf_name(btf: BorrowedFd<'_>) -> io::Result<Option<String>> {
    // `MODULE_NAME_LEN`.
    let mut name = [0u8; 64];
    let info = btf_info(btf, |info| {
        info.name_len = name.len() as u32;
        info.name = name.as_mut_ptr() as u64;
    })?;
    let name = CStr::from_bytes_until_nul(&name).unwrap_or_default().to_string_lossy().into_owned();
    Ok((info.kernel_btf != 0).then_some(name))
}

/// `ask` names the caller's arrays for the kernel to fill, with their sizes.
fn btf_info(btf: BorrowedFd<'_>, ask: impl FnOnce(&mut sys::bpf_btf_info)) -> io::Result<sys::bpf_btf_info> {
    let mut info = sys::bpf_btf_info::default();
    ask(&mut info);
    let mut size = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `size` bytes to `info`, and to arrays that `ask` has named no more than fit.
    check(unsafe { sys::bpf_btf_get_info_by_fd(btf.as_raw_fd(), &mut info, &mut size) })?;
    Ok(info)
}

/// `ask` names the caller's arrays for the kernel to fill, with their sizes.
fn program_info(
    program: BorrowedFd<'_>,
    ask: impl FnOnce(&mut sys::bpf_prog_info),
) -> io::Result<sys::bpf_prog_info> {
    let mut info = sys::bpf_prog_info::default();
    ask(&mut info);
    let mut size = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `size` bytes to `info`, and to arrays that `ask` has named no more than fit.
    check(unsafe { sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &mut info, &mut size) })?;
    Ok(info)
}
