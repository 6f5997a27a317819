//! Attaching programs.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

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
    cgroup: Option<File>,
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
        let index = if_nametoindex(name).with_context(|| format!("network device `{name}`"))?;
        self.device = Some((name.to_owned(), index as i32));
        Ok(self)
    }

    /// A control group, for cgroup and sockops programs.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn cgroup(mut self, path: &Path) -> Result<Self> {
        self.cgroup = Some(File::open(path).with_context(|| format!("control group {}", path.display()))?);
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
            let fd =
                attach(program, hooks).with_context(|| format!("attaching program `{}`", program.name))?;
            links.extend(fd.map(|fd| Link { name: program.name.clone(), fd }));
        }
        if hooks.by_section {
            for map in self.maps.iter().filter(|map| map.map_type == sys::BPF_MAP_TYPE_STRUCT_OPS) {
                let fd =
                    attach_struct_ops(map).with_context(|| format!("attaching struct_ops `{}`", map.name))?;
                links.push(Link { name: map.name.clone(), fd });
            }
        }
        Ok(links)
    }

    /// Somebody who names a hook expects that something is attached to it.
    fn check(&self, hooks: &Hooks) -> Result<()> {
        let any =
            |is_it: fn(&Place<'_>) -> bool| self.programs.iter().any(|program| is_it(&Place::of(program)));
        for (is_named, is_used, what) in [
            (hooks.device.is_some(), any(|place| matches!(place, Place::Device(_))), "a network device"),
            (hooks.cgroup.is_some(), any(|place| *place == Place::Cgroup), "a control group"),
            (hooks.netns.is_some(), any(|place| *place == Place::Netns), "a network namespace"),
        ] {
            ensure!(is_used || !is_named, "the object has no program that attaches to {what}");
        }
        Ok(())
    }
}

fn attach(program: &LoadedProgram, hooks: &Hooks) -> Result<Option<OwnedFd>> {
    let (fd, attach_type) = (program.fd.as_fd(), program.expected_attach_type);
    let link = match (Place::of(program), hooks) {
        (Place::Device(attach_type), Hooks { device: Some((name, index)), .. }) => {
            link_create(fd, *index, attach_type).with_context(|| format!("to network device `{name}`"))?
        }
        (Place::Cgroup, Hooks { cgroup: Some(cgroup), .. }) => {
            link_create(fd, cgroup.as_raw_fd(), attach_type).context("to the control group")?
        }
        (Place::Netns, Hooks { netns: Some(netns), .. }) => {
            link_create(fd, netns.as_raw_fd(), attach_type).context("to the network namespace")?
        }
        (Place::Device(_) | Place::Cgroup | Place::Netns | Place::Elsewhere, _) => return Ok(None),
        (_, Hooks { by_section: false, .. }) => return Ok(None),
        (Place::Loaded, _) => link_create(fd, 0, attach_type)?,
        (Place::Kprobe { function, offset, is_return }, _) => {
            let event = perf_event::kprobe(function, offset, is_return)?;
            link_create(fd, event.as_raw_fd(), sys::BPF_PERF_EVENT)?
        }
        (Place::Tracepoint { category, name }, _) => {
            let event = perf_event::tracepoint(category, name)?;
            link_create(fd, event.as_raw_fd(), sys::BPF_PERF_EVENT)?
        }
        (Place::RawTracepoint(name), _) => {
            raw_tracepoint_open(&CString::new(name)?, fd).with_context(|| format!("tracepoint {name}"))?
        }
        (Place::Unsupported, _) => bail!("attaching `{}` is not supported", program.section),
    };
    Ok(Some(link))
}

fn attach_struct_ops(map: &LoadedMap) -> Result<OwnedFd> {
    ensure!(map.is_link, "only those in section `.struct_ops.link` can be attached");
    Ok(link_create(map.fd.as_fd(), 0, sys::BPF_STRUCT_OPS)?)
}
