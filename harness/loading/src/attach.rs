//! Attaching programs.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::libbpf_sys as sys;
use nix::net::if_::if_nametoindex;

use super::libbpf::{link_create, raw_tracepoint_open};
use super::object::{LoadedMap, LoadedObject, LoadedProgram};
use super::perf_event;

/// What programs are to be attached to.
#[derive(Debug, Default)]
pub struct Hooks {
    by_section: bool,
    device: Option<(String, i32)>,
    cgroup: Option<(PathBuf, File)>,
    netns: Option<File>,
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
        let index = index.with_context(|| format!("network device `{name}`"))?;
        self.device = Some((name.to_owned(), index as i32));
        Ok(self)
    }

    /// A control group, for cgroup and sockops programs.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn cgroup(mut self, path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("control group {}", path.display()))?;
        self.cgroup = Some((path.to_owned(), file));
        Ok(self)
    }

    /// The caller's network namespace, for sk_lookup programs and flow dissectors.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn netns(mut self) -> Result<Self> {
        const NETNS: &str = "/proc/self/ns/net";
        self.netns = Some(File::open(NETNS).context(NETNS)?);
        Ok(self)
    }
}

/// An attached program or struct_ops. It is detached when the link goes away, unless it is pinned.
#[derive(Debug)]
pub struct Link {
    /// The name of the program, or of the struct_ops.
    pub name: String,
    /// What it is attached to: the section that says so, a device, a control group, …
    pub place: String,
    /// The link.
    pub fd: OwnedFd,
}

/// Where a program attaches, as far as its type and its section say.
#[derive(Debug, PartialEq, Eq)]
enum Place<'p> {
    /// Where it was loaded for: a function, a tracepoint by its BTF, an LSM hook, an iterator, another program.
    Loaded,
    Kprobe {
        function: &'p str,
        offset: u64,
        is_return: bool,
    },
    Tracepoint {
        category: &'p str,
        name: &'p str,
    },
    RawTracepoint(&'p str),
    Device(sys::bpf_attach_type),
    Cgroup,
    Netns,
    /// A struct_ops, a program array, a socket, …: something else than this module attaches it.
    Elsewhere,
    /// The section names something that is not supported.
    Unsupported,
}

impl<'p> Place<'p> {
    fn of(program: &'p LoadedProgram) -> Self {
        let (base, rest) = program.section.split_once('/').unwrap_or((&program.section, ""));
        match (program.prog_type, program.expected_attach_type) {
            (sys::BPF_PROG_TYPE_LSM, sys::BPF_LSM_CGROUP) => Self::Cgroup,
            (sys::BPF_PROG_TYPE_TRACING | sys::BPF_PROG_TYPE_LSM | sys::BPF_PROG_TYPE_EXT, _) => Self::Loaded,
            (sys::BPF_PROG_TYPE_KPROBE, _) if rest.is_empty() => Self::Elsewhere,
            (sys::BPF_PROG_TYPE_KPROBE, _) => Self::kprobe(base, rest).unwrap_or(Self::Unsupported),
            (sys::BPF_PROG_TYPE_TRACEPOINT, _) => match rest.split_once('/') {
                Some((category, name)) => Self::Tracepoint { category, name },
                None => Self::Elsewhere,
            },
            (sys::BPF_PROG_TYPE_RAW_TRACEPOINT | sys::BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, _) => match rest
            {
                "" => Self::Elsewhere,
                name => Self::RawTracepoint(name),
            },
            (sys::BPF_PROG_TYPE_XDP, sys::BPF_XDP) => Self::Device(sys::BPF_XDP),
            // A section that does not say in which direction means packets that come in.
            (sys::BPF_PROG_TYPE_SCHED_CLS, 0) => Self::Device(sys::BPF_TCX_INGRESS),
            (sys::BPF_PROG_TYPE_SCHED_CLS, attach_type) => Self::Device(attach_type),
            (
                sys::BPF_PROG_TYPE_CGROUP_SKB
                | sys::BPF_PROG_TYPE_CGROUP_SOCK
                | sys::BPF_PROG_TYPE_CGROUP_SOCK_ADDR
                | sys::BPF_PROG_TYPE_CGROUP_DEVICE
                | sys::BPF_PROG_TYPE_CGROUP_SYSCTL
                | sys::BPF_PROG_TYPE_CGROUP_SOCKOPT
                | sys::BPF_PROG_TYPE_SOCK_OPS,
                _,
            ) => Self::Cgroup,
            (sys::BPF_PROG_TYPE_SK_LOOKUP | sys::BPF_PROG_TYPE_FLOW_DISSECTOR, _) => Self::Netns,
            _ => Self::Elsewhere,
        }
    }

    /// The section names it, so that nobody else has to.
    fn is_in_section(&self) -> bool {
        !matches!(self, Self::Device(_) | Self::Cgroup | Self::Netns | Self::Elsewhere)
    }

    /// Such as `kprobe/do_exit` or `kprobe/do_exit+0x10`.
    fn kprobe(base: &str, target: &'p str) -> Option<Self> {
        let is_return = match base {
            "kprobe" => false,
            "kretprobe" => true,
            _ => return None,
        };
        let (function, offset) = match target.split_once('+') {
            None => (target, 0),
            Some((function, offset)) => {
                let number = match offset.strip_prefix("0x") {
                    Some(digits) => u64::from_str_radix(digits, 16),
                    None => offset.parse(),
                };
                (function, number.ok()?)
            }
        };
        Some(Self::Kprobe { function, offset, is_return })
    }
}

impl LoadedObject {
    /// Attaches those programs that attach to one of `hooks`, and leaves the others alone.
    ///
    /// # Errors
    /// The kernel refuses to attach a program, no program attaches to one of the hooks, or a section names something
    /// that is not supported. Nothing stays attached then.
    pub fn attach(&self, hooks: &Hooks) -> Result<Vec<Link>> {
        self.check(hooks)?;
        let mut links = Vec::new();
        for program in &self.programs {
            let attached =
                attach(program, hooks).with_context(|| format!("attaching program `{}`", program.name))?;
            links.extend(attached.map(|(place, fd)| Link { name: program.name.clone(), place, fd }));
        }
        if hooks.by_section {
            for map in self.maps.iter().filter(|map| map.map_type == sys::BPF_MAP_TYPE_STRUCT_OPS) {
                let fd =
                    attach_struct_ops(map).with_context(|| format!("attaching struct_ops `{}`", map.name))?;
                links.push(Link { name: map.name.clone(), place: "struct_ops".to_owned(), fd });
            }
        }
        Ok(links)
    }

    /// Somebody who names a hook expects that something is attached to it.
    fn check(&self, hooks: &Hooks) -> Result<()> {
        let places: Vec<_> = self.programs.iter().map(Place::of).collect();
        let has_struct_ops = self.maps.iter().any(|map| map.map_type == sys::BPF_MAP_TYPE_STRUCT_OPS);
        for (is_wanted, is_there, what) in [
            (
                hooks.by_section,
                has_struct_ops || places.iter().any(Place::is_in_section),
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
            ensure!(is_there || !is_wanted, "the object has no program {what}");
        }
        Ok(())
    }
}

/// Attaches a program to the hook that it is for, if there is one; also says where that is.
fn attach(program: &LoadedProgram, hooks: &Hooks) -> Result<Option<(String, OwnedFd)>> {
    let (fd, attach_type) = (program.fd.as_fd(), program.expected_attach_type);
    let (place, link) = match (Place::of(program), hooks) {
        (Place::Device(attach_type), Hooks { device: Some((name, index)), .. }) => {
            (name.clone(), link_create(fd, *index, attach_type))
        }
        (Place::Cgroup, Hooks { cgroup: Some((path, cgroup)), .. }) => {
            (path.display().to_string(), link_create(fd, cgroup.as_raw_fd(), attach_type))
        }
        (Place::Netns, Hooks { netns: Some(netns), .. }) => {
            ("network namespace".to_owned(), link_create(fd, netns.as_raw_fd(), attach_type))
        }
        (place, Hooks { by_section: true, .. }) if place.is_in_section() => {
            (program.section.clone(), attach_by_section(program, place)?)
        }
        _ => return Ok(None),
    };
    let link = link.with_context(|| format!("to {place}"))?;
    Ok(Some((place, link)))
}

/// Attaches a program to what its section names.
fn attach_by_section(program: &LoadedProgram, place: Place<'_>) -> Result<io::Result<OwnedFd>> {
    let fd = program.fd.as_fd();
    Ok(match place {
        Place::Kprobe { function, offset, is_return } => {
            let event = perf_event::kprobe(function, offset, is_return)?;
            link_create(fd, event.as_raw_fd(), sys::BPF_PERF_EVENT)
        }
        Place::Tracepoint { category, name } => {
            let event = perf_event::tracepoint(category, name)?;
            link_create(fd, event.as_raw_fd(), sys::BPF_PERF_EVENT)
        }
        Place::RawTracepoint(name) => raw_tracepoint_open(&CString::new(name)?, fd),
        Place::Unsupported => bail!("attaching to `{}` is not supported", program.section),
        _ => link_create(fd, 0, program.expected_attach_type),
    })
}

fn attach_struct_ops(map: &LoadedMap) -> Result<OwnedFd> {
    ensure!(map.is_link, "only those in section `.struct_ops.link` can be attached");
    Ok(link_create(map.fd.as_fd(), 0, sys::BPF_STRUCT_OPS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(prog_type: u32, expected_attach_type: u32, section: &str) -> LoadedProgram {
        let fd = File::open("/dev/null").unwrap().into();
        LoadedProgram { name: "p".into(), section: section.into(), prog_type, expected_attach_type, fd }
    }

    #[test]
    fn sections_say_where() {
        let kprobe = |function, offset, is_return| Place::Kprobe { function, offset, is_return };
        for (prog_type, section, place) in [
            (sys::BPF_PROG_TYPE_KPROBE, "kprobe/do_exit", kprobe("do_exit", 0, false)),
            (sys::BPF_PROG_TYPE_KPROBE, "kprobe/do_exit+0x10", kprobe("do_exit", 16, false)),
            (sys::BPF_PROG_TYPE_KPROBE, "kprobe/do_exit+8", kprobe("do_exit", 8, false)),
            (sys::BPF_PROG_TYPE_KPROBE, "kretprobe/do_exit", kprobe("do_exit", 0, true)),
            (sys::BPF_PROG_TYPE_KPROBE, "kprobe/do_exit+end", Place::Unsupported),
            (sys::BPF_PROG_TYPE_KPROBE, "uprobe//bin/sh:main", Place::Unsupported),
            (sys::BPF_PROG_TYPE_KPROBE, "kprobe", Place::Elsewhere),
            (
                sys::BPF_PROG_TYPE_TRACEPOINT,
                "tp/sched/sched_switch",
                Place::Tracepoint { category: "sched", name: "sched_switch" },
            ),
            (sys::BPF_PROG_TYPE_TRACEPOINT, "tracepoint", Place::Elsewhere),
            (sys::BPF_PROG_TYPE_RAW_TRACEPOINT, "raw_tp/sched_switch", Place::RawTracepoint("sched_switch")),
            (sys::BPF_PROG_TYPE_TRACING, "fentry/do_exit", Place::Loaded),
            (sys::BPF_PROG_TYPE_SOCKET_FILTER, "socket", Place::Elsewhere),
            (sys::BPF_PROG_TYPE_SOCK_OPS, "sockops", Place::Cgroup),
        ] {
            assert_eq!(Place::of(&program(prog_type, 0, section)), place, "{section}");
        }
    }

    #[test]
    fn packets_that_come_in_are_meant_unless_the_section_says_otherwise() {
        for (attach_type, expected) in [(0, sys::BPF_TCX_INGRESS), (sys::BPF_TCX_EGRESS, sys::BPF_TCX_EGRESS)]
        {
            let program = program(sys::BPF_PROG_TYPE_SCHED_CLS, attach_type, "tc");
            assert_eq!(Place::of(&program), Place::Device(expected));
        }
    }

    #[test]
    fn programs_for_the_maps_of_devices_are_not_for_devices() {
        let program = program(sys::BPF_PROG_TYPE_XDP, sys::BPF_XDP_DEVMAP, "xdp/devmap");
        assert_eq!(Place::of(&program), Place::Elsewhere);
    }
}
