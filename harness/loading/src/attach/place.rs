//! Where a program attaches, as far as its type, its section and the caller say.

use bpfsig_signing::uapi::{attach_type, prog_type};

use super::perf_event::Event;
use crate::error::{Error, Result};
use crate::loaded_object::LoadedProgram;

/// Where a program attaches.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'p> {
    /// Where it was loaded for: a function, a tracepoint by its BTF, an LSM hook, another program.
    Loaded,
    /// An iterator, over all that there is or over what the parameter says.
    Iterator(&'p str),
    Kprobe {
        function: &'p str,
        offset: u64,
        is_return: bool,
    },
    /// The functions of the kernel that match a pattern.
    KprobeMulti {
        pattern: &'p str,
        is_return: bool,
    },
    /// A system call by its name, such as `openat`.
    Ksyscall {
        name: &'p str,
        is_return: bool,
    },
    Uprobe {
        binary: &'p str,
        function: &'p str,
        offset: u64,
        is_return: bool,
    },
    /// The functions of a binary that match a pattern.
    UprobeMulti {
        binary: &'p str,
        pattern: &'p str,
        is_return: bool,
    },
    Usdt {
        binary: &'p str,
        provider: &'p str,
        name: &'p str,
    },
    Tracepoint {
        category: &'p str,
        name: &'p str,
    },
    RawTracepoint(&'p str),
    PerfEvent(Event),
    Netfilter(Netfilter),
    Device(u32),
    Cgroup,
    Netns,
    /// Neither the section nor the caller names it.
    Unnamed,
    /// A program array, a socket, a struct_ops, …: something other than this module attaches it.
    Elsewhere,
}

/// A hook of netfilter, with nft's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Netfilter {
    pub family: u32,
    pub hook: u32,
    pub priority: i32,
}

impl<'p> Place<'p> {
    /// `at` is what the caller says instead of the section.
    pub fn of(program: &'p LoadedProgram, at: Option<&'p str>) -> Result<Self> {
        let section = program.section.strip_prefix('?').unwrap_or(&program.section);
        let (base, rest) = section.split_once('/').unwrap_or((section, ""));
        let target = at.unwrap_or(rest);
        let place = Self::parse(base, program.prog_type, program.expected_attach_type, target);
        let place = place.ok_or_else(|| {
            let form = form(program.prog_type, program.expected_attach_type);
            Error::Invalid(format!("`{target}` does not say where to attach it: {form}"))
        })?;
        match (&place, at) {
            (Self::Device(_) | Self::Cgroup | Self::Netns | Self::Loaded | Self::Elsewhere, Some(_)) => {
                let form = form(program.prog_type, program.expected_attach_type);
                Err(Error::Invalid(format!("it can't be attached to `{target}`: {form}")))
            }
            _ => Ok(place),
        }
    }

    /// `None` if the target makes no sense.
    fn parse(base: &str, prog_type: u32, attach_type: u32, target: &'p str) -> Option<Self> {
        Some(match (prog_type, attach_type) {
            (prog_type::LSM, attach_type::LSM_CGROUP) => Self::Cgroup,
            (prog_type::TRACING, attach_type::TRACE_ITER) => Self::Iterator(parameter(target)),
            // An application gives their link the ids of the functions.
            (
                prog_type::TRACING,
                attach_type::TRACE_FENTRY_MULTI
                | attach_type::TRACE_FEXIT_MULTI
                | attach_type::TRACE_FSESSION_MULTI,
            ) => Self::Elsewhere,
            (prog_type::TRACING | prog_type::LSM | prog_type::EXT, _) => Self::Loaded,
            (prog_type::KPROBE, _) => return Self::probe(base, target),
            (prog_type::TRACEPOINT, _) if target.is_empty() => Self::Unnamed,
            (prog_type::TRACEPOINT, _) => {
                let (category, name) = target.split_once('/')?;
                Self::Tracepoint { category, name }
            }
            (prog_type::RAW_TRACEPOINT | prog_type::RAW_TRACEPOINT_WRITABLE, _) => match target {
                "" => Self::Unnamed,
                name => Self::RawTracepoint(name),
            },
            (prog_type::PERF_EVENT, _) if target.is_empty() => Self::Unnamed,
            (prog_type::PERF_EVENT, _) => Self::PerfEvent(Event::parse(target)?),
            (prog_type::NETFILTER, _) if target.is_empty() => Self::Unnamed,
            (prog_type::NETFILTER, _) => Self::Netfilter(Netfilter::parse(target)?),
            (prog_type::XDP, attach_type::XDP) => Self::Device(attach_type::XDP),
            // A section that does not say in which direction means packets that come in.
            (prog_type::SCHED_CLS, 0) => Self::Device(attach_type::TCX_INGRESS),
            (prog_type::SCHED_CLS, attach_type) => Self::Device(attach_type),
            (
                prog_type::CGROUP_SKB
                | prog_type::CGROUP_SOCK
                | prog_type::CGROUP_SOCK_ADDR
                | prog_type::CGROUP_DEVICE
                | prog_type::CGROUP_SYSCTL
                | prog_type::CGROUP_SOCKOPT
                | prog_type::SOCK_OPS,
                _,
            ) => Self::Cgroup,
            (prog_type::SK_LOOKUP | prog_type::FLOW_DISSECTOR, _) => Self::Netns,
            _ => Self::Elsewhere,
        })
    }

    /// Probes are all of one type: the section says which.
    fn probe(base: &str, target: &'p str) -> Option<Self> {
        let base = base.strip_suffix(".s").unwrap_or(base);
        let is_return = base.starts_with("kret") || base.starts_with("uret");
        if target.is_empty() {
            return Some(Self::Unnamed);
        }
        Some(match base {
            "kprobe" | "kretprobe" => {
                let (function, offset) = function(target)?;
                Self::Kprobe { function, offset, is_return }
            }
            "kprobe.multi" | "kretprobe.multi" | "kprobe.session" => {
                Self::KprobeMulti { pattern: target, is_return }
            }
            "ksyscall" | "kretsyscall" => Self::Ksyscall { name: target, is_return },
            "uprobe" | "uretprobe" => {
                let (binary, target) = target.rsplit_once(':')?;
                let (function, offset) = function(target)?;
                Self::Uprobe { binary, function, offset, is_return }
            }
            "uprobe.multi" | "uretprobe.multi" | "uprobe.session" => {
                let (binary, pattern) = target.rsplit_once(':')?;
                Self::UprobeMulti { binary, pattern, is_return }
            }
            "usdt" => {
                let (target, name) = target.rsplit_once(':')?;
                let (binary, provider) = target.rsplit_once(':')?;
                Self::Usdt { binary, provider, name }
            }
            _ => Self::Elsewhere,
        })
    }

    /// The section or the caller names it, so that nobody else has to.
    pub fn is_named(&self) -> bool {
        !matches!(self, Self::Device(_) | Self::Cgroup | Self::Netns | Self::Elsewhere | Self::Unnamed)
    }
}

impl Netfilter {
    /// Such as `ip/input` or `ip6/forward/-100`; the priority is 0 if nothing says so.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let family = match parts.next()? {
            "ip" => libc::NFPROTO_IPV4,
            "ip6" => libc::NFPROTO_IPV6,
            _ => return None,
        };
        let hook = match parts.next()? {
            "prerouting" => libc::NF_INET_PRE_ROUTING,
            "input" => libc::NF_INET_LOCAL_IN,
            "forward" => libc::NF_INET_FORWARD,
            "output" => libc::NF_INET_LOCAL_OUT,
            "postrouting" => libc::NF_INET_POST_ROUTING,
            _ => return None,
        };
        let priority = parts.next().map_or(Ok(0), str::parse).ok()?;
        Some(Self { family: family as u32, hook: hook as u32, priority })
    }
}

/// Such as `do_exit` or `do_exit+0x10`.
fn function(target: &str) -> Option<(&str, u64)> {
    let Some((function, offset)) = target.split_once('+') else { return Some((target, 0)) };
    let number = match offset.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => offset.parse(),
    };
    Some((function, number.ok()?))
}

/// An iterator's section names what it iterates over, which the kernel knows since the load.
fn parameter(target: &str) -> &str {
    if target.contains('=') { target } else { "" }
}

/// What a target looks like, for messages.
fn form(prog_type: u32, attach_type: u32) -> &'static str {
    match (prog_type, attach_type) {
        (prog_type::KPROBE, _) => {
            "it takes FUNCTION, FUNCTION+OFFSET or a pattern, for a binary after its path and a colon, and for usdt \
             BINARY:PROVIDER:NAME"
        }
        (prog_type::TRACEPOINT, _) => "it takes CATEGORY/NAME",
        (prog_type::RAW_TRACEPOINT | prog_type::RAW_TRACEPOINT_WRITABLE, _) => "it takes NAME",
        (prog_type::PERF_EVENT, _) => "it takes EVENT or EVENT:HERTZ, such as cpu-clock:99",
        (prog_type::NETFILTER, _) => "it takes ip|ip6/HOOK or ip|ip6/HOOK/PRIORITY, such as ip/input/-100",
        (prog_type::TRACING, attach_type::TRACE_ITER) => {
            "it takes map=NAME, map=PATH, cgroup=PATH, pid=NUMBER or tid=NUMBER"
        }
        _ => {
            "programs of its type attach to a device, a control group or a namespace, or where they were loaded for"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'p>(prog_type: u32, attach_type: u32, section: &'p str) -> Option<Place<'p>> {
        let (base, rest) = section.split_once('/').unwrap_or((section, ""));
        Place::parse(base, prog_type, attach_type, rest)
    }

    #[test]
    fn sections_say_where() {
        let kprobe = |function, offset, is_return| Some(Place::Kprobe { function, offset, is_return });
        for (prog_type, section, expected) in [
            (prog_type::KPROBE, "kprobe/do_exit", kprobe("do_exit", 0, false)),
            (prog_type::KPROBE, "kprobe/do_exit+0x10", kprobe("do_exit", 16, false)),
            (prog_type::KPROBE, "kprobe/do_exit+8", kprobe("do_exit", 8, false)),
            (prog_type::KPROBE, "kretprobe/do_exit", kprobe("do_exit", 0, true)),
            (prog_type::KPROBE, "kprobe/do_exit+end", None),
            (prog_type::KPROBE, "kprobe", Some(Place::Unnamed)),
            (
                prog_type::KPROBE,
                "kprobe.multi/tcp_v[46]_connect",
                Some(Place::KprobeMulti { pattern: "tcp_v[46]_connect", is_return: false }),
            ),
            (
                prog_type::KPROBE,
                "kretsyscall/openat",
                Some(Place::Ksyscall { name: "openat", is_return: true }),
            ),
            (
                prog_type::KPROBE,
                "uretprobe.s//bin/sh:main+4",
                Some(Place::Uprobe { binary: "/bin/sh", function: "main", offset: 4, is_return: true }),
            ),
            (
                prog_type::KPROBE,
                "uprobe.multi/libc.so.6:mem*",
                Some(Place::UprobeMulti { binary: "libc.so.6", pattern: "mem*", is_return: false }),
            ),
            (prog_type::KPROBE, "uprobe//bin/sh", None),
            (
                prog_type::KPROBE,
                "usdt//bin/true:app:started",
                Some(Place::Usdt { binary: "/bin/true", provider: "app", name: "started" }),
            ),
            (
                prog_type::TRACEPOINT,
                "tp/sched/sched_switch",
                Some(Place::Tracepoint { category: "sched", name: "sched_switch" }),
            ),
            (prog_type::TRACEPOINT, "tracepoint", Some(Place::Unnamed)),
            (prog_type::RAW_TRACEPOINT, "raw_tp/sched_switch", Some(Place::RawTracepoint("sched_switch"))),
            (prog_type::TRACING, "fentry/do_exit", Some(Place::Loaded)),
            (prog_type::SOCKET_FILTER, "socket", Some(Place::Elsewhere)),
            (prog_type::SOCK_OPS, "sockops", Some(Place::Cgroup)),
            (prog_type::PERF_EVENT, "perf_event", Some(Place::Unnamed)),
            (prog_type::NETFILTER, "netfilter", Some(Place::Unnamed)),
        ] {
            assert_eq!(place(prog_type, 0, section), expected, "{section}");
        }
        assert_eq!(
            place(prog_type::TRACING, attach_type::TRACE_ITER, "iter/task"),
            Some(Place::Iterator(""))
        );
    }

    #[test]
    fn netfilter_hooks_have_nfts_names() {
        let hook = |family, hook, priority| Some(Netfilter { family, hook, priority });
        assert_eq!(Netfilter::parse("ip/input"), hook(2, 1, 0));
        assert_eq!(Netfilter::parse("ip6/postrouting/-100"), hook(10, 4, -100));
        for text in ["", "ip", "ip/", "inet/input", "ip/input/first"] {
            assert_eq!(Netfilter::parse(text), None, "{text}");
        }
    }

    #[test]
    fn packets_that_come_in_are_meant_unless_the_section_says_otherwise() {
        for (attach_type, expected) in
            [(0, attach_type::TCX_INGRESS), (attach_type::TCX_EGRESS, attach_type::TCX_EGRESS)]
        {
            assert_eq!(place(prog_type::SCHED_CLS, attach_type, "tc"), Some(Place::Device(expected)));
        }
    }

    #[test]
    fn programs_for_the_maps_of_devices_are_not_for_devices() {
        assert_eq!(place(prog_type::XDP, attach_type::XDP_DEVMAP, "xdp/devmap"), Some(Place::Elsewhere));
    }
}
