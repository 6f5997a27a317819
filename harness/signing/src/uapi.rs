//! The numbers of Linux's `<linux/bpf.h>` that decide what a program or a map is, with the names that bpftool and libbpf
//! print for them.

/// A table of consecutive numbers from 0, each with its name; `name()` looks one up.
macro_rules! table {
    ($($constant:ident = $name:literal,)*) => {
        /// The numbers, which the compiler counts.
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of the kernel's header")]
        enum Number { $($constant),* }

        $(#[doc = concat!("`", $name, "`")] pub const $constant: u32 = Number::$constant as u32;)*

        /// The names, by number.
        pub(crate) const NAMES: &[&str] = &[$($name),*];

        /// The name of a number; one that a later kernel has added is shown as the number.
        pub fn name(number: u32) -> std::borrow::Cow<'static, str> {
            match NAMES.get(number as usize) {
                Some(name) => (*name).into(),
                None => number.to_string().into(),
            }
        }
    };
}

/// `enum bpf_prog_type`.
pub mod prog_type {
    table! {
        UNSPEC = "unspec",
        SOCKET_FILTER = "socket_filter",
        KPROBE = "kprobe",
        SCHED_CLS = "sched_cls",
        SCHED_ACT = "sched_act",
        TRACEPOINT = "tracepoint",
        XDP = "xdp",
        PERF_EVENT = "perf_event",
        CGROUP_SKB = "cgroup_skb",
        CGROUP_SOCK = "cgroup_sock",
        LWT_IN = "lwt_in",
        LWT_OUT = "lwt_out",
        LWT_XMIT = "lwt_xmit",
        SOCK_OPS = "sock_ops",
        SK_SKB = "sk_skb",
        CGROUP_DEVICE = "cgroup_device",
        SK_MSG = "sk_msg",
        RAW_TRACEPOINT = "raw_tracepoint",
        CGROUP_SOCK_ADDR = "cgroup_sock_addr",
        LWT_SEG6LOCAL = "lwt_seg6local",
        LIRC_MODE2 = "lirc_mode2",
        SK_REUSEPORT = "sk_reuseport",
        FLOW_DISSECTOR = "flow_dissector",
        CGROUP_SYSCTL = "cgroup_sysctl",
        RAW_TRACEPOINT_WRITABLE = "raw_tracepoint_writable",
        CGROUP_SOCKOPT = "cgroup_sockopt",
        TRACING = "tracing",
        STRUCT_OPS = "struct_ops",
        EXT = "ext",
        LSM = "lsm",
        SK_LOOKUP = "sk_lookup",
        SYSCALL = "syscall",
        NETFILTER = "netfilter",
    }
}

/// `enum bpf_attach_type`.
pub mod attach_type {
    table! {
        CGROUP_INET_INGRESS = "cgroup_inet_ingress",
        CGROUP_INET_EGRESS = "cgroup_inet_egress",
        CGROUP_INET_SOCK_CREATE = "cgroup_inet_sock_create",
        CGROUP_SOCK_OPS = "cgroup_sock_ops",
        SK_SKB_STREAM_PARSER = "sk_skb_stream_parser",
        SK_SKB_STREAM_VERDICT = "sk_skb_stream_verdict",
        CGROUP_DEVICE = "cgroup_device",
        SK_MSG_VERDICT = "sk_msg_verdict",
        CGROUP_INET4_BIND = "cgroup_inet4_bind",
        CGROUP_INET6_BIND = "cgroup_inet6_bind",
        CGROUP_INET4_CONNECT = "cgroup_inet4_connect",
        CGROUP_INET6_CONNECT = "cgroup_inet6_connect",
        CGROUP_INET4_POST_BIND = "cgroup_inet4_post_bind",
        CGROUP_INET6_POST_BIND = "cgroup_inet6_post_bind",
        CGROUP_UDP4_SENDMSG = "cgroup_udp4_sendmsg",
        CGROUP_UDP6_SENDMSG = "cgroup_udp6_sendmsg",
        LIRC_MODE2 = "lirc_mode2",
        FLOW_DISSECTOR = "flow_dissector",
        CGROUP_SYSCTL = "cgroup_sysctl",
        CGROUP_UDP4_RECVMSG = "cgroup_udp4_recvmsg",
        CGROUP_UDP6_RECVMSG = "cgroup_udp6_recvmsg",
        CGROUP_GETSOCKOPT = "cgroup_getsockopt",
        CGROUP_SETSOCKOPT = "cgroup_setsockopt",
        TRACE_RAW_TP = "trace_raw_tp",
        TRACE_FENTRY = "trace_fentry",
        TRACE_FEXIT = "trace_fexit",
        MODIFY_RETURN = "modify_return",
        LSM_MAC = "lsm_mac",
        TRACE_ITER = "trace_iter",
        CGROUP_INET4_GETPEERNAME = "cgroup_inet4_getpeername",
        CGROUP_INET6_GETPEERNAME = "cgroup_inet6_getpeername",
        CGROUP_INET4_GETSOCKNAME = "cgroup_inet4_getsockname",
        CGROUP_INET6_GETSOCKNAME = "cgroup_inet6_getsockname",
        XDP_DEVMAP = "xdp_devmap",
        CGROUP_INET_SOCK_RELEASE = "cgroup_inet_sock_release",
        XDP_CPUMAP = "xdp_cpumap",
        SK_LOOKUP = "sk_lookup",
        XDP = "xdp",
        SK_SKB_VERDICT = "sk_skb_verdict",
        SK_REUSEPORT_SELECT = "sk_reuseport_select",
        SK_REUSEPORT_SELECT_OR_MIGRATE = "sk_reuseport_select_or_migrate",
        PERF_EVENT = "perf_event",
        TRACE_KPROBE_MULTI = "trace_kprobe_multi",
        LSM_CGROUP = "lsm_cgroup",
        STRUCT_OPS = "struct_ops",
        NETFILTER = "netfilter",
        TCX_INGRESS = "tcx_ingress",
        TCX_EGRESS = "tcx_egress",
        TRACE_UPROBE_MULTI = "trace_uprobe_multi",
        CGROUP_UNIX_CONNECT = "cgroup_unix_connect",
        CGROUP_UNIX_SENDMSG = "cgroup_unix_sendmsg",
        CGROUP_UNIX_RECVMSG = "cgroup_unix_recvmsg",
        CGROUP_UNIX_GETPEERNAME = "cgroup_unix_getpeername",
        CGROUP_UNIX_GETSOCKNAME = "cgroup_unix_getsockname",
        NETKIT_PRIMARY = "netkit_primary",
        NETKIT_PEER = "netkit_peer",
        TRACE_KPROBE_SESSION = "trace_kprobe_session",
        TRACE_UPROBE_SESSION = "trace_uprobe_session",
        TRACE_FSESSION = "trace_fsession",
    }
}

/// `enum bpf_map_type`.
pub mod map_type {
    table! {
        UNSPEC = "unspec",
        HASH = "hash",
        ARRAY = "array",
        PROG_ARRAY = "prog_array",
        PERF_EVENT_ARRAY = "perf_event_array",
        PERCPU_HASH = "percpu_hash",
        PERCPU_ARRAY = "percpu_array",
        STACK_TRACE = "stack_trace",
        CGROUP_ARRAY = "cgroup_array",
        LRU_HASH = "lru_hash",
        LRU_PERCPU_HASH = "lru_percpu_hash",
        LPM_TRIE = "lpm_trie",
        ARRAY_OF_MAPS = "array_of_maps",
        HASH_OF_MAPS = "hash_of_maps",
        DEVMAP = "devmap",
        SOCKMAP = "sockmap",
        CPUMAP = "cpumap",
        XSKMAP = "xskmap",
        SOCKHASH = "sockhash",
        CGROUP_STORAGE = "cgroup_storage",
        REUSEPORT_SOCKARRAY = "reuseport_sockarray",
        PERCPU_CGROUP_STORAGE = "percpu_cgroup_storage",
        QUEUE = "queue",
        STACK = "stack",
        SK_STORAGE = "sk_storage",
        DEVMAP_HASH = "devmap_hash",
        STRUCT_OPS = "struct_ops",
        RINGBUF = "ringbuf",
        INODE_STORAGE = "inode_storage",
        TASK_STORAGE = "task_storage",
        BLOOM_FILTER = "bloom_filter",
        USER_RINGBUF = "user_ringbuf",
        CGRP_STORAGE = "cgrp_storage",
        ARENA = "arena",
        INSN_ARRAY = "insn_array",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last of each and some in between, as the kernel's header numbers them.
    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!((prog_type::XDP, prog_type::LSM, prog_type::NETFILTER), (6, 29, 32));
        assert_eq!((attach_type::XDP, attach_type::PERF_EVENT, attach_type::TRACE_FSESSION), (37, 41, 58));
        assert_eq!((map_type::RINGBUF, map_type::INSN_ARRAY), (27, 34));
    }

    #[test]
    fn a_later_kernels_number_is_its_own_name() {
        assert_eq!(attach_type::name(attach_type::TCX_EGRESS), "tcx_egress");
        assert_eq!(prog_type::name(99), "99");
    }
}
