//! What a section's name says about its programs.
//!
//! The names are libbpf's ("Program Types and ELF Sections" in its documentation).

use super::ObjectError;
use crate::program::{Attach, MULTI_TARGET, VMLINUX};
use crate::uapi::{attach_type as to, prog_type};

const BPF_F_SLEEPABLE: u32 = 1 << 4;
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

/// What the part of the name after the slash says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// There is no such part.
    None,
    /// It is for attaching, after the load.
    Later,
    /// A type in a kernel's BTF, with this prefix.
    Kernel(&'static str),
    /// It is for attaching, after the load, but for the name of a module that may be in front of it.
    Multi,
    /// A function of another program.
    Program,
    /// It is for the reader; a struct_ops variable names the type and the member.
    StructOps,
}

struct Definition {
    name: &'static str,
    prog_type: u32,
    attach_type: u32,
    flags: u32,
    target: Target,
}

const fn plain(name: &'static str, prog_type: u32, attach_type: u32) -> Definition {
    Definition { name, prog_type, attach_type, flags: 0, target: Target::None }
}

const fn probe(name: &'static str, prog_type: u32, attach_type: u32) -> Definition {
    Definition { target: Target::Later, ..plain(name, prog_type, attach_type) }
}

const fn kernel(name: &'static str, prog_type: u32, attach_type: u32, prefix: &'static str) -> Definition {
    Definition { target: Target::Kernel(prefix), ..plain(name, prog_type, attach_type) }
}

const fn multi(name: &'static str, attach_type: u32) -> Definition {
    Definition { target: Target::Multi, ..plain(name, prog_type::TRACING, attach_type) }
}

const fn sleepable(definition: Definition) -> Definition {
    Definition { flags: BPF_F_SLEEPABLE, ..definition }
}

const fn frags(definition: Definition) -> Definition {
    Definition { flags: BPF_F_XDP_HAS_FRAGS, ..definition }
}

// 0: the name does not say which attach type; a program of most types has none.
const DEFINITIONS: &[Definition] = {
    use prog_type::*;
    &[
        plain("socket", SOCKET_FILTER, 0),
        plain("sk_reuseport/migrate", SK_REUSEPORT, to::SK_REUSEPORT_SELECT_OR_MIGRATE),
        plain("sk_reuseport", SK_REUSEPORT, to::SK_REUSEPORT_SELECT),
        probe("kprobe", KPROBE, 0),
        probe("kretprobe", KPROBE, 0),
        probe("uprobe", KPROBE, 0),
        sleepable(probe("uprobe.s", KPROBE, 0)),
        probe("uretprobe", KPROBE, 0),
        sleepable(probe("uretprobe.s", KPROBE, 0)),
        probe("kprobe.multi", KPROBE, to::TRACE_KPROBE_MULTI),
        probe("kretprobe.multi", KPROBE, to::TRACE_KPROBE_MULTI),
        probe("kprobe.session", KPROBE, to::TRACE_KPROBE_SESSION),
        probe("uprobe.multi", KPROBE, to::TRACE_UPROBE_MULTI),
        sleepable(probe("uprobe.multi.s", KPROBE, to::TRACE_UPROBE_MULTI)),
        probe("uretprobe.multi", KPROBE, to::TRACE_UPROBE_MULTI),
        sleepable(probe("uretprobe.multi.s", KPROBE, to::TRACE_UPROBE_MULTI)),
        probe("uprobe.session", KPROBE, to::TRACE_UPROBE_SESSION),
        sleepable(probe("uprobe.session.s", KPROBE, to::TRACE_UPROBE_SESSION)),
        probe("ksyscall", KPROBE, 0),
        probe("kretsyscall", KPROBE, 0),
        probe("usdt", KPROBE, 0),
        sleepable(probe("usdt.s", KPROBE, 0)),
        plain("tc/ingress", SCHED_CLS, to::TCX_INGRESS),
        plain("tc/egress", SCHED_CLS, to::TCX_EGRESS),
        plain("tcx/ingress", SCHED_CLS, to::TCX_INGRESS),
        plain("tcx/egress", SCHED_CLS, to::TCX_EGRESS),
        plain("tc", SCHED_CLS, 0),
        plain("classifier", SCHED_CLS, 0),
        plain("action", SCHED_ACT, 0),
        plain("netkit/primary", SCHED_CLS, to::NETKIT_PRIMARY),
        plain("netkit/peer", SCHED_CLS, to::NETKIT_PEER),
        probe("tracepoint", TRACEPOINT, 0),
        probe("tp", TRACEPOINT, 0),
        sleepable(probe("tracepoint.s", TRACEPOINT, 0)),
        sleepable(probe("tp.s", TRACEPOINT, 0)),
        probe("raw_tracepoint", RAW_TRACEPOINT, 0),
        probe("raw_tp", RAW_TRACEPOINT, 0),
        sleepable(probe("raw_tracepoint.s", RAW_TRACEPOINT, 0)),
        sleepable(probe("raw_tp.s", RAW_TRACEPOINT, 0)),
        probe("raw_tracepoint.w", RAW_TRACEPOINT_WRITABLE, 0),
        probe("raw_tp.w", RAW_TRACEPOINT_WRITABLE, 0),
        kernel("tp_btf", TRACING, to::TRACE_RAW_TP, "btf_trace_"),
        sleepable(kernel("tp_btf.s", TRACING, to::TRACE_RAW_TP, "btf_trace_")),
        kernel("fentry", TRACING, to::TRACE_FENTRY, ""),
        sleepable(kernel("fentry.s", TRACING, to::TRACE_FENTRY, "")),
        kernel("fexit", TRACING, to::TRACE_FEXIT, ""),
        sleepable(kernel("fexit.s", TRACING, to::TRACE_FEXIT, "")),
        kernel("fmod_ret", TRACING, to::MODIFY_RETURN, ""),
        sleepable(kernel("fmod_ret.s", TRACING, to::MODIFY_RETURN, "")),
        kernel("fsession", TRACING, to::TRACE_FSESSION, ""),
        sleepable(kernel("fsession.s", TRACING, to::TRACE_FSESSION, "")),
        multi("fentry.multi", to::TRACE_FENTRY_MULTI),
        sleepable(multi("fentry.multi.s", to::TRACE_FENTRY_MULTI)),
        multi("fexit.multi", to::TRACE_FEXIT_MULTI),
        sleepable(multi("fexit.multi.s", to::TRACE_FEXIT_MULTI)),
        multi("fsession.multi", to::TRACE_FSESSION_MULTI),
        sleepable(multi("fsession.multi.s", to::TRACE_FSESSION_MULTI)),
        Definition { target: Target::Program, ..plain("freplace", EXT, 0) },
        kernel("lsm", LSM, to::LSM_MAC, "bpf_lsm_"),
        sleepable(kernel("lsm.s", LSM, to::LSM_MAC, "bpf_lsm_")),
        kernel("lsm_cgroup", LSM, to::LSM_CGROUP, "bpf_lsm_"),
        kernel("iter", TRACING, to::TRACE_ITER, "bpf_iter_"),
        sleepable(kernel("iter.s", TRACING, to::TRACE_ITER, "bpf_iter_")),
        sleepable(plain("syscall", SYSCALL, 0)),
        frags(plain("xdp.frags/devmap", XDP, to::XDP_DEVMAP)),
        plain("xdp/devmap", XDP, to::XDP_DEVMAP),
        frags(plain("xdp.frags/cpumap", XDP, to::XDP_CPUMAP)),
        plain("xdp/cpumap", XDP, to::XDP_CPUMAP),
        frags(plain("xdp.frags", XDP, to::XDP)),
        plain("xdp", XDP, to::XDP),
        plain("perf_event", PERF_EVENT, 0),
        plain("lwt_in", LWT_IN, 0),
        plain("lwt_out", LWT_OUT, 0),
        plain("lwt_xmit", LWT_XMIT, 0),
        plain("lwt_seg6local", LWT_SEG6LOCAL, 0),
        plain("sockops", SOCK_OPS, to::CGROUP_SOCK_OPS),
        plain("sk_skb/stream_parser", SK_SKB, to::SK_SKB_STREAM_PARSER),
        plain("sk_skb/stream_verdict", SK_SKB, to::SK_SKB_STREAM_VERDICT),
        plain("sk_skb/verdict", SK_SKB, to::SK_SKB_VERDICT),
        plain("sk_skb", SK_SKB, 0),
        plain("sk_msg", SK_MSG, to::SK_MSG_VERDICT),
        plain("lirc_mode2", LIRC_MODE2, to::LIRC_MODE2),
        plain("flow_dissector", FLOW_DISSECTOR, to::FLOW_DISSECTOR),
        plain("cgroup_skb/ingress", CGROUP_SKB, to::CGROUP_INET_INGRESS),
        plain("cgroup_skb/egress", CGROUP_SKB, to::CGROUP_INET_EGRESS),
        plain("cgroup/skb", CGROUP_SKB, 0),
        plain("cgroup/sock_create", CGROUP_SOCK, to::CGROUP_INET_SOCK_CREATE),
        plain("cgroup/sock_release", CGROUP_SOCK, to::CGROUP_INET_SOCK_RELEASE),
        plain("cgroup/sock", CGROUP_SOCK, to::CGROUP_INET_SOCK_CREATE),
        plain("cgroup/post_bind4", CGROUP_SOCK, to::CGROUP_INET4_POST_BIND),
        plain("cgroup/post_bind6", CGROUP_SOCK, to::CGROUP_INET6_POST_BIND),
        plain("cgroup/bind4", CGROUP_SOCK_ADDR, to::CGROUP_INET4_BIND),
        plain("cgroup/bind6", CGROUP_SOCK_ADDR, to::CGROUP_INET6_BIND),
        plain("cgroup/connect4", CGROUP_SOCK_ADDR, to::CGROUP_INET4_CONNECT),
        plain("cgroup/connect6", CGROUP_SOCK_ADDR, to::CGROUP_INET6_CONNECT),
        plain("cgroup/connect_unix", CGROUP_SOCK_ADDR, to::CGROUP_UNIX_CONNECT),
        plain("cgroup/sendmsg4", CGROUP_SOCK_ADDR, to::CGROUP_UDP4_SENDMSG),
        plain("cgroup/sendmsg6", CGROUP_SOCK_ADDR, to::CGROUP_UDP6_SENDMSG),
        plain("cgroup/sendmsg_unix", CGROUP_SOCK_ADDR, to::CGROUP_UNIX_SENDMSG),
        plain("cgroup/recvmsg4", CGROUP_SOCK_ADDR, to::CGROUP_UDP4_RECVMSG),
        plain("cgroup/recvmsg6", CGROUP_SOCK_ADDR, to::CGROUP_UDP6_RECVMSG),
        plain("cgroup/recvmsg_unix", CGROUP_SOCK_ADDR, to::CGROUP_UNIX_RECVMSG),
        plain("cgroup/getpeername4", CGROUP_SOCK_ADDR, to::CGROUP_INET4_GETPEERNAME),
        plain("cgroup/getpeername6", CGROUP_SOCK_ADDR, to::CGROUP_INET6_GETPEERNAME),
        plain("cgroup/getpeername_unix", CGROUP_SOCK_ADDR, to::CGROUP_UNIX_GETPEERNAME),
        plain("cgroup/getsockname4", CGROUP_SOCK_ADDR, to::CGROUP_INET4_GETSOCKNAME),
        plain("cgroup/getsockname6", CGROUP_SOCK_ADDR, to::CGROUP_INET6_GETSOCKNAME),
        plain("cgroup/getsockname_unix", CGROUP_SOCK_ADDR, to::CGROUP_UNIX_GETSOCKNAME),
        plain("cgroup/sysctl", CGROUP_SYSCTL, to::CGROUP_SYSCTL),
        plain("cgroup/getsockopt", CGROUP_SOCKOPT, to::CGROUP_GETSOCKOPT),
        plain("cgroup/setsockopt", CGROUP_SOCKOPT, to::CGROUP_SETSOCKOPT),
        plain("cgroup/dev", CGROUP_DEVICE, to::CGROUP_DEVICE),
        Definition { target: Target::StructOps, ..plain("struct_ops", STRUCT_OPS, 0) },
        sleepable(Definition { target: Target::StructOps, ..plain("struct_ops.s", STRUCT_OPS, 0) }),
        plain("sk_lookup", SK_LOOKUP, to::SK_LOOKUP),
        plain("netfilter", NETFILTER, to::NETFILTER),
    ]
};

/// What a section's name says about how its programs are loaded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub prog_type: u32,
    pub expected_attach_type: u32,
    pub flags: u32,
    pub attach: Attach,
    /// Type and member are named by a struct_ops variable, not by the section.
    pub is_struct_ops: bool,
    /// The known name that the section's name begins with, if it is none itself.
    pub prefix: Option<&'static str>,
}

/// Interprets the name of a section that holds programs: as libbpf does, or else, as iproute2, cilium/ebpf and l3afd do,
/// by the longest known name that it begins with. `program` is for the error.
pub(super) fn load(section: &str, program: &str) -> Result<Load, ObjectError> {
    // A leading question mark: not to be loaded unless asked for.
    let name = section.strip_prefix('?').unwrap_or(section);
    let (base, rest) = match name.split_once('/') {
        Some((base, rest)) => (base, Some(rest)),
        None => (name, None),
    };
    let exact = DEFINITIONS.iter().find(|definition| match definition.target {
        Target::None => definition.name == name,
        _ => definition.name == base,
    });
    let definition = exact.or_else(|| by_prefix(name)).ok_or_else(|| ObjectError::UnknownSection {
        program: program.to_owned(),
        section: section.to_owned(),
    })?;
    let target = || {
        rest.filter(|rest| !rest.is_empty())
            .ok_or_else(|| ObjectError::NoTarget { program: program.to_owned(), section: section.to_owned() })
    };
    let attach = match definition.target {
        Target::None | Target::Later | Target::StructOps => Attach::None,
        Target::Kernel(prefix) => {
            let (object, name) = target()?.split_once(':').unwrap_or((VMLINUX, target()?));
            Attach::KernelType {
                btf: object.to_owned(),
                name: format!("{prefix}{name}"),
                member: String::new(),
            }
        }
        Target::Multi => {
            let module = rest.and_then(|rest| rest.split_once(':')).map(|(module, _)| module);
            Attach::KernelType {
                btf: module.unwrap_or(VMLINUX).to_owned(),
                name: MULTI_TARGET.to_owned(),
                member: String::new(),
            }
        }
        Target::Program => Attach::Program { name: target()?.to_owned() },
    };
    Ok(Load {
        prog_type: definition.prog_type,
        expected_attach_type: definition.attach_type,
        flags: definition.flags,
        attach,
        is_struct_ops: definition.target == Target::StructOps,
        prefix: exact.is_none().then_some(definition.name),
    })
}

/// The longest name that `name` begins with. A letter after it would make it another word (`tcp` is not `tc`), a dot a
/// variant of libbpf's that is not known here.
fn by_prefix(name: &str) -> Option<&'static Definition> {
    let begins = |definition: &&Definition| {
        let rest = name.strip_prefix(definition.name).and_then(|rest| rest.chars().next());
        rest.is_some_and(|next| !next.is_alphabetic() && next != '.')
    };
    DEFINITIONS.iter().filter(begins).max_by_key(|definition| definition.name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel_type(object: &str, name: &str) -> Attach {
        Attach::KernelType { btf: object.to_owned(), name: name.to_owned(), member: String::new() }
    }

    #[test]
    fn kernel_targets_have_the_kernels_prefix() {
        for (section, object, name) in [
            ("fentry/tcp_connect", "vmlinux", "tcp_connect"),
            ("fexit.s/nf_tables:nft_init", "nf_tables", "nft_init"),
            ("lsm.s/bprm_check_security", "vmlinux", "bpf_lsm_bprm_check_security"),
            ("tp_btf/sched_switch", "vmlinux", "btf_trace_sched_switch"),
            ("?iter/task", "vmlinux", "bpf_iter_task"),
        ] {
            assert_eq!(load(section, "p").unwrap().attach, kernel_type(object, name), "{section}");
        }
    }

    #[test]
    fn programs_for_several_functions_attach_to_a_stand_in() {
        for (section, object, flags) in [
            ("fentry.multi", "vmlinux", 0),
            ("fexit.multi/tcp_*", "vmlinux", 0),
            ("fsession.multi.s/nf_tables:nft_*", "nf_tables", BPF_F_SLEEPABLE),
        ] {
            let load = load(section, "p").unwrap();
            assert_eq!((load.attach, load.flags), (kernel_type(object, MULTI_TARGET), flags), "{section}");
        }
    }

    #[test]
    fn a_program_target_is_whichever_has_the_function() {
        let attach = Attach::Program { name: "f".to_owned() };
        assert_eq!(load("freplace/f", "p").unwrap().attach, attach);
    }

    #[test]
    fn flags_follow_the_suffix() {
        for (section, flags) in [
            ("lsm.s/file_open", BPF_F_SLEEPABLE),
            ("tp_btf.s/sys_enter", BPF_F_SLEEPABLE),
            ("raw_tp.s/sys_enter", BPF_F_SLEEPABLE),
            ("tp.s/syscalls/sys_enter_open", BPF_F_SLEEPABLE),
            ("iter.s/task", BPF_F_SLEEPABLE),
            ("uprobe.multi.s/path:f", BPF_F_SLEEPABLE),
            ("syscall", BPF_F_SLEEPABLE),
            ("xdp.frags", BPF_F_XDP_HAS_FRAGS),
            ("xdp.frags/cpumap", BPF_F_XDP_HAS_FRAGS),
            ("lsm/file_open", 0),
            ("xdp", 0),
            ("xdp/cpumap", 0),
        ] {
            assert_eq!(load(section, "p").unwrap().flags, flags, "{section}");
        }
    }

    #[test]
    fn the_longest_known_prefix_tells_the_type() {
        for (section, prefix) in [
            ("xdp_gatekeeper", "xdp"),
            ("xdp/me", "xdp"),
            ("xdp1", "xdp"),
            ("tc-ingress-root", "tc"),
            ("classifier_tc", "classifier"),
            ("sk_skb/stream_verdict_2", "sk_skb/stream_verdict"),
            ("?cgroup/connect4_block", "cgroup/connect4"),
            ("xdp.frags_big", "xdp.frags"),
        ] {
            let load_prefix = load(section, "p").unwrap();
            assert_eq!(load_prefix.prefix, Some(prefix), "{section}");
            assert_eq!(load_prefix, Load { prefix: Some(prefix), ..load(prefix, "p").unwrap() });
        }
        assert_eq!(load("xdp", "p").unwrap().prefix, None);
    }

    #[test]
    fn a_section_that_says_too_little_is_an_error() {
        assert!(matches!(load("ingress", "p"), Err(ObjectError::UnknownSection { .. })));
        assert!(matches!(load("tcp_ca", "p"), Err(ObjectError::UnknownSection { .. })));
        assert!(matches!(load("fexit.other/f", "p"), Err(ObjectError::UnknownSection { .. })));
        assert!(matches!(load("kprobes/f", "p"), Err(ObjectError::UnknownSection { .. })));
        assert!(matches!(load("fentry", "p"), Err(ObjectError::NoTarget { .. })));
        assert!(matches!(load("lsm/", "p"), Err(ObjectError::NoTarget { .. })));
    }
}
