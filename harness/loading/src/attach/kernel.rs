//! Functions of the kernel that programs attach to, several at once or by the name of a system call.

use std::ffi::{CString, c_char};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use bpfsig_signing::uapi::attach_type;
use glob::Pattern;
use libbpf_rs::libbpf_sys as sys;

use super::perf_event;
use crate::error::{Error, Result};
use crate::libbpf::link_create_with;

/// `BPF_F_KPROBE_MULTI_RETURN`.
const RETURN: u32 = 1;

/// Attaches a program to all functions that match a pattern. `attach_type` is what it was loaded for: on entry, or as a
/// session on entry and return.
///
/// # Errors
/// The kernel has no such function, or none that can be probed.
pub(super) fn kprobe_multi(
    program: BorrowedFd<'_>,
    attach_type: u32,
    pattern: &str,
    is_return: bool,
) -> Result<OwnedFd> {
    let names = functions(pattern)?;
    let mut addresses: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let mut options = sys::bpf_link_create_opts::default();
    options.__bindgen_anon_1.kprobe_multi = sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_2 {
        flags: if is_return { RETURN } else { 0 },
        cnt: addresses.len() as u32,
        syms: addresses.as_mut_ptr(),
        ..Default::default()
    };
    let attach_type = match attach_type {
        attach_type::TRACE_KPROBE_SESSION => attach_type,
        _ => attach_type::TRACE_KPROBE_MULTI,
    };
    // SAFETY: `cnt` addresses of names that end with a zero.
    let link = unsafe { link_create_with(program, 0, attach_type, options) };
    link.map_err(|error| match error.raw_os_error() {
        Some(libc::ESRCH | libc::ENOENT) => perf_event::no_function(pattern),
        Some(libc::EOPNOTSUPP) => Error::system("the kernel was built without CONFIG_FPROBE")(error),
        _ => Error::system(format!("probing {} functions", names.len()))(error),
    })
}

/// The functions that match a pattern and can be probed; one without wildcards is for the kernel to find.
fn functions(pattern: &str) -> Result<Vec<CString>> {
    let c_string = |name: &str| {
        CString::new(name).map_err(io::Error::from).map_err(Error::system(format!("function {name}")))
    };
    if !pattern.contains(['*', '?', '[']) {
        return Ok(vec![c_string(pattern)?]);
    }
    let glob = Pattern::new(pattern).map_err(|error| Error::Invalid(format!("`{pattern}`: {error}")))?;
    let path = perf_event::tracefs()?.join("available_filter_functions");
    let list = fs::read_to_string(&path).map_err(Error::system(path.display().to_string()))?;
    // A module's function has the module's name behind it.
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<_> = names.filter(|name| glob.matches(name)).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Err(Error::Missing(format!("the kernel has no function like {pattern} to probe")));
    }
    names.into_iter().map(c_string).collect()
}

/// The function that a system call begins with.
///
/// # Errors
/// The kernel has no such system call.
pub(super) fn system_call(name: &str) -> Result<String> {
    const SYMBOLS: &str = "/proc/kallsyms";
    let prefix = match std::env::consts::ARCH {
        "x86_64" => "__x64",
        "aarch64" => "__arm64",
        "riscv64" => "__riscv",
        "s390x" => "__s390x",
        other => return Err(Error::Invalid(format!("the names of system calls on {other} are not known"))),
    };
    let symbols = fs::read_to_string(SYMBOLS).map_err(Error::system(SYMBOLS))?;
    // Kernels without wrappers have the second.
    let candidates = [format!("{prefix}_sys_{name}"), format!("__se_sys_{name}")];
    let has =
        |function: &str| symbols.lines().any(|line| line.split_ascii_whitespace().nth(2) == Some(function));
    let found = candidates.into_iter().find(|function| has(function));
    found.ok_or_else(|| Error::Missing(format!("the kernel has no system call {name}")))
}
