//! Attaching programs.

mod binary;
mod iterator;
mod kernel;
mod perf_event;
mod place;
mod usdt;

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use bpfsig_signing::uapi::{attach_type, map_type};
use libbpf_rs::libbpf_sys as sys;
use nix::net::if_::if_nametoindex;

use crate::error::{Error, Result};
use crate::libbpf::{self, link_create, link_create_with, raw_tracepoint_open};
use crate::loaded_object::{LoadedMap, LoadedObject, LoadedProgram};
use binary::Binary;
use place::Place;

/// The places to attach programs to.
#[derive(Debug, Default)]
pub struct Hooks {
    by_section: bool,
    device: Option<(String, i32)>,
    cgroup: Option<(PathBuf, File)>,
    netns: Option<File>,
    places: HashMap<String, String>,
}

impl Hooks {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the sections of the programs name, and the kernel's tables of functions (struct_ops).
    pub fn by_section(mut self) -> Self {
        self.by_section = true;
        self
    }

    /// A network device, for XDP, tc and netkit programs.
    ///
    /// # Errors
    /// There is no such device.
    pub fn device(mut self, name: &str) -> Result<Self> {
        let index = if_nametoindex(name).map_err(io::Error::from);
        let index = index.map_err(Error::system(format!("network device `{name}`")))?;
        self.device = Some((name.to_owned(), index as i32));
        Ok(self)
    }

    /// A control group, for cgroup and sockops programs.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn cgroup(mut self, path: &Path) -> Result<Self> {
        let file = File::open(path);
        let file = file.map_err(Error::system(format!("control group {}", path.display())))?;
        self.cgroup = Some((path.to_owned(), file));
        Ok(self)
    }

    /// The caller's network namespace, for sk_lookup programs and flow dissectors.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn netns(mut self) -> Result<Self> {
        const NETNS: &str = "/proc/self/ns/net";
        self.netns = Some(File::open(NETNS).map_err(Error::system(NETNS))?);
        Ok(self)
    }

    /// The place for one program, instead of what its section says. It is written as in a section's name, after the
    /// program's type:
    ///
    /// | programs | place |
    /// | --- | --- |
    /// | kprobe, kretprobe | `FUNCTION`, `FUNCTION+OFFSET` |
    /// | kprobe.multi, kretprobe.multi, kprobe.session | a pattern, such as `tcp_v[46]_*` |
    /// | ksyscall, kretsyscall | the name of a system call |
    /// | uprobe, uretprobe | `BINARY:FUNCTION`, `BINARY:FUNCTION+OFFSET` |
    /// | uprobe.multi, uretprobe.multi | `BINARY:PATTERN` |
    /// | usdt | `BINARY:PROVIDER:NAME` |
    /// | tracepoint | `CATEGORY/NAME` |
    /// | raw_tracepoint | `NAME` |
    /// | perf_event | `EVENT`, `EVENT:HERTZ`, such as `cpu-clock:99` |
    /// | netfilter | `ip/HOOK`, `ip6/HOOK/PRIORITY`, such as `ip/input/-100` |
    /// | iter | `map=NAME`, `map=PATH`, `cgroup=PATH`, `pid=NUMBER`, `tid=NUMBER` |
    pub fn at(mut self, program: impl Into<String>, place: impl Into<String>) -> Self {
        self.places.insert(program.into(), place.into());
        self
    }

    /// Which of the hooks a program is for, in words; none if it is for none of them.
    fn place_of(&self, program: &LoadedProgram, place: &Place<'_>) -> Option<String> {
        match place {
            Place::Device(_) => self.device.as_ref().map(|(name, _)| name.clone()),
            Place::Cgroup => self.cgroup.as_ref().map(|(path, _)| path.display().to_string()),
            Place::Netns => self.netns.as_ref().map(|_| "network namespace".to_owned()),
            place if place.is_named() => {
                let section = self.by_section.then_some(&program.section);
                self.places.get(&program.name).or(section).cloned()
            }
            _ => None,
        }
    }
}

/// An attached program or struct_ops. It is detached when the link goes away, unless it is pinned.
#[doc(alias = "bpf_link")]
#[derive(Debug)]
#[non_exhaustive]
pub struct Link {
    /// The name of the program, or of the struct_ops. A program may have several links.
    pub name: String,
    /// What it is attached to: the section that says so, a device, a control group, …
    pub place: String,
    fd: OwnedFd,
    /// The kernel makes no link for it: it is registered from when it is filled until it is deleted.
    is_registration: bool,
}

impl Link {
    /// Lets it stay attached for as long as it is pinned, or, if it is a struct_ops without a link, until somebody
    /// unregisters it.
    #[doc(alias = "bpf_link__disconnect")]
    pub fn disconnect(mut self) {
        self.is_registration = false;
    }
}

/// The link, or the map of a struct_ops that has none.
impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.is_registration {
            // Somebody may have done it.
            let _ = libbpf::unregister(self.fd.as_fd());
        }
    }
}

impl LoadedObject {
    /// Attaches those programs that attach to one of `hooks`, and leaves the others alone.
    ///
    /// # Errors
    /// The kernel refuses to attach a program, no program attaches to one of the hooks, or what a section names does
    /// not exist. Nothing stays attached then.
    #[doc(alias = "bpf_program__attach")]
    #[doc(alias = "bpf_map__attach_struct_ops")]
    pub fn attach(&self, hooks: &Hooks) -> Result<Vec<Link>> {
        if let Some(name) = hooks.places.keys().find(|name| self.program(name).is_none()) {
            return Err(Error::Missing(format!("the object has no program `{name}` that is loaded")));
        }
        let mut places = Vec::new();
        for program in &self.programs {
            let at = hooks.places.get(&program.name).map(String::as_str);
            places.push(Place::of(program, at).map_err(|error| error.in_program(&program.name))?);
        }
        self.check(hooks, &places)?;

        let mut links = Vec::new();
        for (program, place) in self.programs.iter().zip(&places) {
            let Some(name) = hooks.place_of(program, place) else { continue };
            let fds = self.attach_program(program, place, hooks);
            let fds = fds.map_err(|error| error.at(&name).in_program(&program.name))?;
            links.extend(fds.into_iter().map(|fd| Link {
                name: program.name.clone(),
                place: name.clone(),
                fd,
                is_registration: false,
            }));
        }
        if hooks.by_section {
            for map in self.maps.iter().filter(|map| map.map_type == map_type::STRUCT_OPS) {
                links.push(attach_struct_ops(map).map_err(|error| error.in_map(&map.name))?);
            }
        }
        Ok(links)
    }

    /// Somebody who names a hook expects that something is attached to it.
    fn check(&self, hooks: &Hooks, places: &[Place<'_>]) -> Result<()> {
        let has_struct_ops = self.maps.iter().any(|map| map.map_type == map_type::STRUCT_OPS);
        for (is_wanted, is_there, what) in [
            (
                hooks.by_section,
                has_struct_ops || places.iter().any(Place::is_named),
                "that says in its section where it attaches",
            ),
            (
                hooks.device.is_some(),
                places.iter().any(|place| matches!(place, Place::Device(_))),
                "that attaches to a network device",
            ),
            (hooks.cgroup.is_some(), places.contains(&Place::Cgroup), "that attaches to a control group"),
            (hooks.netns.is_some(), places.contains(&Place::Netns), "that attaches to a network namespace"),
        ] {
            if is_wanted && !is_there {
                return Err(Error::Missing(format!("the object has no program {what}")));
            }
        }
        Ok(())
    }

    /// Attaches a program to the one of `hooks` that it is for.
    fn attach_program(
        &self,
        program: &LoadedProgram,
        place: &Place<'_>,
        hooks: &Hooks,
    ) -> Result<Vec<OwnedFd>> {
        let (fd, attach_type) = (program.fd.as_fd(), program.expected_attach_type);
        let link = |link: io::Result<OwnedFd>| link.map_err(Error::system("the kernel refuses it"));
        let to_event = |event: OwnedFd| link(link_create(fd, event.as_raw_fd(), attach_type::PERF_EVENT));
        let one = match *place {
            Place::Device(attach_type) => {
                let index = hooks.device.as_ref().map_or(0, |(_, index)| *index);
                link(link_create(fd, index, attach_type))
            }
            Place::Cgroup => {
                let cgroup = hooks.cgroup.as_ref().map_or(0, |(_, cgroup)| cgroup.as_raw_fd());
                link(link_create(fd, cgroup, attach_type))
            }
            Place::Netns => {
                link(link_create(fd, hooks.netns.as_ref().map_or(0, AsRawFd::as_raw_fd), attach_type))
            }
            Place::Kprobe { function, offset, is_return } => {
                to_event(perf_event::kprobe(function, offset, is_return)?)
            }
            Place::KprobeMulti { pattern, is_return } => {
                kernel::kprobe_multi(fd, attach_type, pattern, is_return)
            }
            Place::Ksyscall { name, is_return } => {
                to_event(perf_event::kprobe(&kernel::system_call(name)?, 0, is_return)?)
            }
            Place::Uprobe { binary, function, offset, is_return } => {
                let binary = Binary::read(binary)?;
                let start = binary.functions(&glob::Pattern::escape(function))?[0];
                to_event(perf_event::uprobe(&binary.path, start + offset, 0, is_return)?)
            }
            Place::UprobeMulti { binary, pattern, is_return } => {
                let binary = Binary::read(binary)?;
                uprobe_multi(fd, attach_type, &binary.path, &binary.functions(pattern)?, is_return)
            }
            Place::Usdt { binary, provider, name } => {
                return self.attach_usdt(program, binary, provider, name);
            }
            Place::Tracepoint { category, name } => to_event(perf_event::tracepoint(category, name)?),
            Place::RawTracepoint(name) => {
                let name = CString::new(name).map_err(|_| Error::Invalid("a name with a zero".to_owned()))?;
                link(raw_tracepoint_open(&name, fd))
            }
            Place::PerfEvent(event) => return event.open()?.into_iter().map(to_event).collect(),
            Place::Netfilter(hook) => {
                let mut options = sys::bpf_link_create_opts::default();
                options.__bindgen_anon_1.netfilter = sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_5 {
                    pf: hook.family,
                    hooknum: hook.hook,
                    priority: hook.priority,
                    flags: 0,
                };
                // SAFETY: there are no addresses in the options.
                link(unsafe { link_create_with(fd, 0, attach_type::NETFILTER, options) })
            }
            Place::Iterator(parameter) => iterator::attach(fd, parameter, self),
            _ => link(link_create(fd, 0, attach_type)),
        };
        Ok(vec![one?])
    }

    /// Attaches a program to all places of a statically defined tracepoint, with a link for each.
    fn attach_usdt(
        &self,
        program: &LoadedProgram,
        binary: &str,
        provider: &str,
        name: &str,
    ) -> Result<Vec<OwnedFd>> {
        let specs = self.map(usdt::SPECS).ok_or_else(|| {
            Error::Missing(format!(
                "the object has no map {}, which libbpf's usdt.bpf.h defines",
                usdt::SPECS
            ))
        })?;
        let binary = Binary::read(binary)?;
        let mut links = Vec::new();
        for place in binary.usdt(provider, name)? {
            let spec = self.next_usdt.fetch_add(1, Ordering::Relaxed);
            usdt::describe(specs, spec, &place.arguments)?;
            let event = perf_event::uprobe(&binary.path, place.offset, place.counter, false)?;
            let mut options = sys::bpf_link_create_opts::default();
            options.__bindgen_anon_1.perf_event.bpf_cookie = spec.into();
            // SAFETY: there are no addresses in the options.
            let link = unsafe {
                link_create_with(program.fd.as_fd(), event.as_raw_fd(), attach_type::PERF_EVENT, options)
            };
            links.push(link.map_err(Error::system("the kernel refuses it"))?);
        }
        Ok(links)
    }
}

/// Attaches a program to places in a binary, with one link. `attach_type` is what it was loaded for: on entry, or as a
/// session on entry and return.
fn uprobe_multi(
    program: BorrowedFd<'_>,
    attach_type: u32,
    binary: &Path,
    offsets: &[u64],
    is_return: bool,
) -> Result<OwnedFd> {
    /// `BPF_F_UPROBE_MULTI_RETURN`.
    const RETURN: u32 = 1;
    let what = || format!("probing {} functions of {}", offsets.len(), binary.display());
    let path = CString::new(binary.as_os_str().as_bytes()).map_err(io::Error::from);
    let path = path.map_err(Error::system(what()))?;
    let mut options = sys::bpf_link_create_opts::default();
    options.__bindgen_anon_1.uprobe_multi = sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_3 {
        flags: if is_return { RETURN } else { 0 },
        cnt: offsets.len() as u32,
        path: path.as_ptr(),
        offsets: offsets.as_ptr(),
        ..Default::default()
    };
    let attach_type = match attach_type {
        attach_type::TRACE_UPROBE_SESSION => attach_type,
        _ => attach_type::TRACE_UPROBE_MULTI,
    };
    // SAFETY: the path ends with a zero, and there are `cnt` offsets.
    unsafe { link_create_with(program, 0, attach_type, options) }.map_err(Error::system(what()))
}

fn attach_struct_ops(map: &LoadedMap) -> Result<Link> {
    if let Some(table) = &map.table {
        table.fill(map.fd.as_fd())?;
    }
    let fd = match map.is_link {
        true => link_create(map.fd.as_fd(), 0, attach_type::STRUCT_OPS),
        false => map.fd.try_clone(),
    };
    Ok(Link {
        name: map.name.clone(),
        place: "struct_ops".to_owned(),
        fd: fd.map_err(Error::system("the kernel refuses it"))?,
        is_registration: !map.is_link,
    })
}
