//! Events of the kernel that programs attach to: probes and tracepoints.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use libbpf_rs::libbpf_sys as sys;

use super::syscall::owned;

/// Where tracefs is mounted, or was on older systems.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// What the kernel says about its probes.
const KPROBE: &str = "/sys/bus/event_source/devices/kprobe";

/// A function of the kernel, on entry or on return.
///
/// # Errors
/// There is no such function, or it can't be probed.
pub(super) fn kprobe(function: &str, offset: u64, is_return: bool) -> Result<OwnedFd> {
    let name = CString::new(function)?;
    let mut attr = attributes(number(&Path::new(KPROBE).join("type"))?);
    if is_return {
        // Such as `config:0`.
        let path = Path::new(KPROBE).join("format/retprobe");
        let format = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let bit = format.trim().strip_prefix("config:").and_then(|bit| u64::from_str(bit).ok());
        attr.config =
            1 << bit.filter(|bit| *bit < 64).with_context(|| format!("{} is `{format}`", path.display()))?;
    }
    attr.__bindgen_anon_3.kprobe_func = name.as_ptr() as u64;
    attr.__bindgen_anon_4.probe_offset = offset;
    match open(&mut attr) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("the kernel has no function {function} to probe; the compiler may have inlined it")
        }
        event => event.with_context(|| format!("probing function {function}")),
    }
}

/// A tracepoint, such as `sched` and `sched_process_exec`.
///
/// # Errors
/// There is no such tracepoint.
pub(super) fn tracepoint(category: &str, name: &str) -> Result<OwnedFd> {
    let Some(tracefs) =
        TRACEFS.iter().map(|tracefs| Path::new(tracefs).join("events")).find(|path| path.is_dir())
    else {
        bail!(
            "tracefs, which lists the tracepoints, is not mounted: `mount -t tracefs tracefs {}`",
            TRACEFS[0]
        );
    };
    let event = tracefs.join(category).join(name);
    if !event.is_dir() {
        bail!("the kernel has no tracepoint {category}/{name}");
    }
    let mut attr = attributes(sys::PERF_TYPE_TRACEPOINT);
    attr.config = number(&event.join("id"))?;
    open(&mut attr).with_context(|| format!("opening tracepoint {category}/{name}"))
}

fn attributes(event_type: u32) -> sys::perf_event_attr {
    sys::perf_event_attr {
        type_: event_type,
        size: size_of::<sys::perf_event_attr>() as u32,
        ..Default::default()
    }
}

fn number<T: FromStr>(path: &Path) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.trim().parse().with_context(|| format!("{} is `{}`", path.display(), text.trim()))
}

/// `perf_event_open(2)`. A program that is attached to it runs on all CPUs, and for all processes.
fn open(attr: &mut sys::perf_event_attr) -> io::Result<OwnedFd> {
    let (any_process, cpu, no_group) = (-1, 0, -1);
    // SAFETY: the kernel reads as many bytes as `attr` says it has; a name in it ends with a zero.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_mut(attr),
            any_process,
            cpu,
            no_group,
            sys::PERF_FLAG_FD_CLOEXEC,
        )
    };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(owned(fd as i32)) }
}
