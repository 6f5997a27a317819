//! Events of the kernel that programs attach to: probes, tracepoints and counters.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use libbpf_rs::libbpf_sys as sys;

use crate::error::{Error, Result};
use crate::syscall::owned;

/// Where tracefs is mounted, or was on older systems.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// What the kernel says about its probes.
const PROBES: &str = "/sys/bus/event_source/devices";

/// Samples a second, if nothing says how many.
const HERTZ: u64 = 99;

/// A counter that a program is run for, so many times a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    kind: u32,
    number: u64,
    hertz: u64,
}

impl Event {
    /// `perf list`'s names: `cpu-clock`, `page-faults:10`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, hertz) = match text.split_once(':') {
            Some((name, hertz)) => (name, hertz.parse().ok().filter(|hertz| *hertz > 0)?),
            None => (text, HERTZ),
        };
        let (kind, number) = match name {
            "cpu-clock" => (sys::PERF_TYPE_SOFTWARE, sys::PERF_COUNT_SW_CPU_CLOCK),
            "task-clock" => (sys::PERF_TYPE_SOFTWARE, sys::PERF_COUNT_SW_TASK_CLOCK),
            "page-faults" => (sys::PERF_TYPE_SOFTWARE, sys::PERF_COUNT_SW_PAGE_FAULTS),
            "context-switches" => (sys::PERF_TYPE_SOFTWARE, sys::PERF_COUNT_SW_CONTEXT_SWITCHES),
            "cpu-migrations" => (sys::PERF_TYPE_SOFTWARE, sys::PERF_COUNT_SW_CPU_MIGRATIONS),
            "cycles" => (sys::PERF_TYPE_HARDWARE, sys::PERF_COUNT_HW_CPU_CYCLES),
            "instructions" => (sys::PERF_TYPE_HARDWARE, sys::PERF_COUNT_HW_INSTRUCTIONS),
            "cache-references" => (sys::PERF_TYPE_HARDWARE, sys::PERF_COUNT_HW_CACHE_REFERENCES),
            "cache-misses" => (sys::PERF_TYPE_HARDWARE, sys::PERF_COUNT_HW_CACHE_MISSES),
            "branches" => (sys::PERF_TYPE_HARDWARE, sys::PERF_COUNT_HW_BRANCH_INSTRUCTIONS),
            "branch-misses" => (sys::PERF_TYPE_HARDWARE, sys::PERF_COUNT_HW_BRANCH_MISSES),
            _ => return None,
        };
        Some(Self { kind, number: number.into(), hertz })
    }

    /// Opens it on each CPU that is in use.
    ///
    /// # Errors
    /// The kernel or the CPU has no such counter.
    pub fn open(&self) -> Result<Vec<OwnedFd>> {
        let mut attr = attributes(self.kind);
        attr.config = self.number;
        attr.__bindgen_anon_1.sample_freq = self.hertz;
        attr.set_freq(1);
        let mut events = Vec::new();
        for cpu in online_cpus()? {
            let event =
                open(&mut attr, cpu).map_err(Error::system(format!("opening the event on CPU {cpu}")))?;
            events.push(event);
        }
        Ok(events)
    }
}

/// The numbers in a list such as `0-3,5`.
fn online_cpus() -> Result<Vec<i32>> {
    const ONLINE: &str = "/sys/devices/system/cpu/online";
    let list = fs::read_to_string(ONLINE).map_err(Error::system(ONLINE))?;
    cpus(list.trim()).ok_or_else(|| Error::Invalid(format!("{ONLINE} is `{}`", list.trim())))
}

fn cpus(list: &str) -> Option<Vec<i32>> {
    let mut cpus = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(first.parse::<i32>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

/// A function of the kernel, on entry or on return.
///
/// # Errors
/// There is no such function, or it can't be probed.
pub(super) fn kprobe(function: &str, offset: u64, is_return: bool) -> Result<OwnedFd> {
    let name =
        CString::new(function).map_err(|_| Error::Invalid(format!("`{function}` is not a function")))?;
    let mut attr = probe("kprobe", is_return)?;
    attr.__bindgen_anon_3.kprobe_func = name.as_ptr() as u64;
    attr.__bindgen_anon_4.probe_offset = offset;
    open(&mut attr, 0).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => no_function(function),
        _ => Error::system(format!("probing function {function}"))(error),
    })
}

/// The kernel has no such function.
pub(super) fn no_function(function: &str) -> Error {
    Error::Missing(format!(
        "the kernel has no function {function} to probe; the compiler may have inlined it"
    ))
}

/// A place in a binary, on entry to a function or on its return. `counter` is where in the file the binary counts who
/// looks at it; 0 if it does not.
///
/// # Errors
/// The kernel can't probe it.
pub(super) fn uprobe(binary: &Path, offset: u64, counter: u64, is_return: bool) -> Result<OwnedFd> {
    let what = || format!("probing {} at {offset:#x}", binary.display());
    let path = CString::new(binary.as_os_str().as_bytes()).map_err(io::Error::from);
    let path = path.map_err(Error::system(what()))?;
    let mut attr = probe("uprobe", is_return)?;
    // `format/ref_ctr_offset` is `config:32-63`.
    attr.config |= counter << 32;
    attr.__bindgen_anon_3.uprobe_path = path.as_ptr() as u64;
    attr.__bindgen_anon_4.probe_offset = offset;
    open(&mut attr, 0).map_err(Error::system(what()))
}

fn probe(device: &str, is_return: bool) -> Result<sys::perf_event_attr> {
    let device = Path::new(PROBES).join(device);
    let mut attr = attributes(number(&device.join("type"))?);
    if is_return {
        // Such as `config:0`.
        let path = device.join("format/retprobe");
        let format = read(&path)?;
        let bit = format.trim().strip_prefix("config:").and_then(|bit| u64::from_str(bit).ok());
        let bit = bit.filter(|bit| *bit < 64);
        let is = || Error::Invalid(format!("{} is `{}`", path.display(), format.trim()));
        attr.config = 1 << bit.ok_or_else(is)?;
    }
    Ok(attr)
}

/// A tracepoint, such as `sched` and `sched_process_exec`.
///
/// # Errors
/// There is no such tracepoint.
pub(super) fn tracepoint(category: &str, name: &str) -> Result<OwnedFd> {
    let event = tracefs()?.join("events").join(category).join(name);
    if !event.is_dir() {
        return Err(Error::Missing(format!("the kernel has no tracepoint {category}/{name}")));
    }
    let mut attr = attributes(sys::PERF_TYPE_TRACEPOINT);
    attr.config = number(&event.join("id"))?;
    open(&mut attr, 0).map_err(Error::system(format!("opening tracepoint {category}/{name}")))
}

/// Where tracefs is.
///
/// # Errors
/// It is not mounted.
pub(super) fn tracefs() -> Result<PathBuf> {
    let mut tracefs = TRACEFS.iter().map(PathBuf::from);
    tracefs.find(|path| path.join("events").is_dir()).ok_or_else(|| {
        Error::Missing(format!(
            "tracefs, which lists the tracepoints, is not mounted: `mount -t tracefs tracefs {}`",
            TRACEFS[0]
        ))
    })
}

fn attributes(event_type: u32) -> sys::perf_event_attr {
    sys::perf_event_attr {
        type_: event_type,
        size: size_of::<sys::perf_event_attr>() as u32,
        ..Default::default()
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::system(path.display().to_string()))
}

fn number<T: FromStr>(path: &Path) -> Result<T> {
    let text = read(path)?;
    text.trim().parse().map_err(|_| Error::Invalid(format!("{} is `{}`", path.display(), text.trim())))
}

/// `perf_event_open(2)` for all processes. A program that is attached to a probe or a tracepoint runs on all CPUs; for
/// a counter, on this one.
fn open(attr: &mut sys::perf_event_attr, cpu: i32) -> io::Result<OwnedFd> {
    let (any_process, no_group) = (-1, -1);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_perfs_names() {
        let clock = Event { kind: 1, number: 0, hertz: 99 };
        assert_eq!(Event::parse("cpu-clock"), Some(clock));
        assert_eq!(Event::parse("cpu-clock:7"), Some(Event { hertz: 7, ..clock }));
        for text in ["", "clock", "cpu-clock:", "cpu-clock:0", "cpu-clock:often"] {
            assert_eq!(Event::parse(text), None, "{text}");
        }
    }

    #[test]
    fn cpus_are_numbers_and_ranges() {
        assert_eq!(cpus("0"), Some(vec![0]));
        assert_eq!(cpus("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cpus(""), None);
    }
}
