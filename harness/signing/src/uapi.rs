//! The numbers of Linux's `<linux/bpf.h>` that decide what a program or a map is, with the names that bpftool and libbpf
//! print for them.

/// A table of consecutive numbers from 0, each with its name; `name()` and `number()` look one up.
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

        /// The number that has a name, or is the name, as [`name`] shows those that have none.
        pub fn number(name: &str) -> Option<u32> {
            let position = NAMES.iter().position(|known| *known == name);
            position.map(|number| number as u32).or_else(|| name.parse().ok())
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
        TRACE_FENTRY_MULTI = "trace_fentry_multi",
        TRACE_FEXIT_MULTI = "trace_fexit_multi",
        TRACE_FSESSION_MULTI = "trace_fsession_multi",
    }
}

/// An attach type that a program is loaded with, with its number: `xdp (37)`. 0 is that of ingress in control groups, and
/// of all programs that have none.
pub(crate) fn expected_attach_type(prog_type: u32, number: u32) -> String {
    match (number, prog_type) {
        (0, prog_type::CGROUP_SKB) | (1.., _) => with_number(&attach_type::name(number), number),
        (0, _) => with_number("none", 0),
    }
}

/// A name with its number: `xdp (6)`. A number that has no name stays one.
pub(crate) fn with_number(name: &str, number: u32) -> String {
    let digits = number.to_string();
    if name == digits { digits } else { format!("{name} ({digits})") }
}

/// `BPF_F_*` of `BPF_PROG_LOAD`, the lowest bit first.
pub(crate) const PROG_FLAGS: &[&str] = &[
    "strict_alignment",
    "any_alignment",
    "test_rnd_hi32",
    "test_state_freq",
    "sleepable",
    "xdp_has_frags",
    "xdp_dev_bound_only",
    "test_reg_invariants",
];

/// `BPF_F_*` of `BPF_MAP_CREATE`, the lowest bit first.
pub(crate) const MAP_FLAGS: &[&str] = &[
    "no_prealloc",
    "no_common_lru",
    "numa_node",
    "rdonly",
    "wronly",
    "stack_build_id",
    "zero_seed",
    "rdonly_prog",
    "wronly_prog",
    "clone",
    "mmapable",
    "preserve_elems",
    "inner_map",
    "link",
    "path_fd",
    "vtype_btf_obj_fd",
    "token_fd",
    "segv_on_fault",
    "no_user_conv",
    "rb_overwrite",
];

/// Flags in hexadecimal, with their names: `0x480 (rdonly_prog, mmapable)`.
pub(crate) fn flags(set: u32, names: &[&str]) -> String {
    if set == 0 { "0x0".to_owned() } else { format!("{set:#x} ({})", bits(set, names)) }
}

/// The names of the bits that are set, or their number where they have none.
pub(crate) fn bits(set: u32, names: &[&str]) -> String {
    let name = |bit: u32| match names.get(bit as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("bit {bit}"),
    };
    let names: Vec<_> = (0..u32::BITS).filter(|bit| set >> bit & 1 == 1).map(name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
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

/// `enum bpf_func_id`: the functions that programs call, which the kernel calls helpers.
pub mod helper {
    table! {
        UNSPEC = "unspec",
        MAP_LOOKUP_ELEM = "map_lookup_elem",
        MAP_UPDATE_ELEM = "map_update_elem",
        MAP_DELETE_ELEM = "map_delete_elem",
        PROBE_READ = "probe_read",
        KTIME_GET_NS = "ktime_get_ns",
        TRACE_PRINTK = "trace_printk",
        GET_PRANDOM_U32 = "get_prandom_u32",
        GET_SMP_PROCESSOR_ID = "get_smp_processor_id",
        SKB_STORE_BYTES = "skb_store_bytes",
        L3_CSUM_REPLACE = "l3_csum_replace",
        L4_CSUM_REPLACE = "l4_csum_replace",
        TAIL_CALL = "tail_call",
        CLONE_REDIRECT = "clone_redirect",
        GET_CURRENT_PID_TGID = "get_current_pid_tgid",
        GET_CURRENT_UID_GID = "get_current_uid_gid",
        GET_CURRENT_COMM = "get_current_comm",
        GET_CGROUP_CLASSID = "get_cgroup_classid",
        SKB_VLAN_PUSH = "skb_vlan_push",
        SKB_VLAN_POP = "skb_vlan_pop",
        SKB_GET_TUNNEL_KEY = "skb_get_tunnel_key",
        SKB_SET_TUNNEL_KEY = "skb_set_tunnel_key",
        PERF_EVENT_READ = "perf_event_read",
        REDIRECT = "redirect",
        GET_ROUTE_REALM = "get_route_realm",
        PERF_EVENT_OUTPUT = "perf_event_output",
        SKB_LOAD_BYTES = "skb_load_bytes",
        GET_STACKID = "get_stackid",
        CSUM_DIFF = "csum_diff",
        SKB_GET_TUNNEL_OPT = "skb_get_tunnel_opt",
        SKB_SET_TUNNEL_OPT = "skb_set_tunnel_opt",
        SKB_CHANGE_PROTO = "skb_change_proto",
        SKB_CHANGE_TYPE = "skb_change_type",
        SKB_UNDER_CGROUP = "skb_under_cgroup",
        GET_HASH_RECALC = "get_hash_recalc",
        GET_CURRENT_TASK = "get_current_task",
        PROBE_WRITE_USER = "probe_write_user",
        CURRENT_TASK_UNDER_CGROUP = "current_task_under_cgroup",
        SKB_CHANGE_TAIL = "skb_change_tail",
        SKB_PULL_DATA = "skb_pull_data",
        CSUM_UPDATE = "csum_update",
        SET_HASH_INVALID = "set_hash_invalid",
        GET_NUMA_NODE_ID = "get_numa_node_id",
        SKB_CHANGE_HEAD = "skb_change_head",
        XDP_ADJUST_HEAD = "xdp_adjust_head",
        PROBE_READ_STR = "probe_read_str",
        GET_SOCKET_COOKIE = "get_socket_cookie",
        GET_SOCKET_UID = "get_socket_uid",
        SET_HASH = "set_hash",
        SETSOCKOPT = "setsockopt",
        SKB_ADJUST_ROOM = "skb_adjust_room",
        REDIRECT_MAP = "redirect_map",
        SK_REDIRECT_MAP = "sk_redirect_map",
        SOCK_MAP_UPDATE = "sock_map_update",
        XDP_ADJUST_META = "xdp_adjust_meta",
        PERF_EVENT_READ_VALUE = "perf_event_read_value",
        PERF_PROG_READ_VALUE = "perf_prog_read_value",
        GETSOCKOPT = "getsockopt",
        OVERRIDE_RETURN = "override_return",
        SOCK_OPS_CB_FLAGS_SET = "sock_ops_cb_flags_set",
        MSG_REDIRECT_MAP = "msg_redirect_map",
        MSG_APPLY_BYTES = "msg_apply_bytes",
        MSG_CORK_BYTES = "msg_cork_bytes",
        MSG_PULL_DATA = "msg_pull_data",
        BIND = "bind",
        XDP_ADJUST_TAIL = "xdp_adjust_tail",
        SKB_GET_XFRM_STATE = "skb_get_xfrm_state",
        GET_STACK = "get_stack",
        SKB_LOAD_BYTES_RELATIVE = "skb_load_bytes_relative",
        FIB_LOOKUP = "fib_lookup",
        SOCK_HASH_UPDATE = "sock_hash_update",
        MSG_REDIRECT_HASH = "msg_redirect_hash",
        SK_REDIRECT_HASH = "sk_redirect_hash",
        LWT_PUSH_ENCAP = "lwt_push_encap",
        LWT_SEG6_STORE_BYTES = "lwt_seg6_store_bytes",
        LWT_SEG6_ADJUST_SRH = "lwt_seg6_adjust_srh",
        LWT_SEG6_ACTION = "lwt_seg6_action",
        RC_REPEAT = "rc_repeat",
        RC_KEYDOWN = "rc_keydown",
        SKB_CGROUP_ID = "skb_cgroup_id",
        GET_CURRENT_CGROUP_ID = "get_current_cgroup_id",
        GET_LOCAL_STORAGE = "get_local_storage",
        SK_SELECT_REUSEPORT = "sk_select_reuseport",
        SKB_ANCESTOR_CGROUP_ID = "skb_ancestor_cgroup_id",
        SK_LOOKUP_TCP = "sk_lookup_tcp",
        SK_LOOKUP_UDP = "sk_lookup_udp",
        SK_RELEASE = "sk_release",
        MAP_PUSH_ELEM = "map_push_elem",
        MAP_POP_ELEM = "map_pop_elem",
        MAP_PEEK_ELEM = "map_peek_elem",
        MSG_PUSH_DATA = "msg_push_data",
        MSG_POP_DATA = "msg_pop_data",
        RC_POINTER_REL = "rc_pointer_rel",
        SPIN_LOCK = "spin_lock",
        SPIN_UNLOCK = "spin_unlock",
        SK_FULLSOCK = "sk_fullsock",
        TCP_SOCK = "tcp_sock",
        SKB_ECN_SET_CE = "skb_ecn_set_ce",
        GET_LISTENER_SOCK = "get_listener_sock",
        SKC_LOOKUP_TCP = "skc_lookup_tcp",
        TCP_CHECK_SYNCOOKIE = "tcp_check_syncookie",
        SYSCTL_GET_NAME = "sysctl_get_name",
        SYSCTL_GET_CURRENT_VALUE = "sysctl_get_current_value",
        SYSCTL_GET_NEW_VALUE = "sysctl_get_new_value",
        SYSCTL_SET_NEW_VALUE = "sysctl_set_new_value",
        STRTOL = "strtol",
        STRTOUL = "strtoul",
        SK_STORAGE_GET = "sk_storage_get",
        SK_STORAGE_DELETE = "sk_storage_delete",
        SEND_SIGNAL = "send_signal",
        TCP_GEN_SYNCOOKIE = "tcp_gen_syncookie",
        SKB_OUTPUT = "skb_output",
        PROBE_READ_USER = "probe_read_user",
        PROBE_READ_KERNEL = "probe_read_kernel",
        PROBE_READ_USER_STR = "probe_read_user_str",
        PROBE_READ_KERNEL_STR = "probe_read_kernel_str",
        TCP_SEND_ACK = "tcp_send_ack",
        SEND_SIGNAL_THREAD = "send_signal_thread",
        JIFFIES64 = "jiffies64",
        READ_BRANCH_RECORDS = "read_branch_records",
        GET_NS_CURRENT_PID_TGID = "get_ns_current_pid_tgid",
        XDP_OUTPUT = "xdp_output",
        GET_NETNS_COOKIE = "get_netns_cookie",
        GET_CURRENT_ANCESTOR_CGROUP_ID = "get_current_ancestor_cgroup_id",
        SK_ASSIGN = "sk_assign",
        KTIME_GET_BOOT_NS = "ktime_get_boot_ns",
        SEQ_PRINTF = "seq_printf",
        SEQ_WRITE = "seq_write",
        SK_CGROUP_ID = "sk_cgroup_id",
        SK_ANCESTOR_CGROUP_ID = "sk_ancestor_cgroup_id",
        RINGBUF_OUTPUT = "ringbuf_output",
        RINGBUF_RESERVE = "ringbuf_reserve",
        RINGBUF_SUBMIT = "ringbuf_submit",
        RINGBUF_DISCARD = "ringbuf_discard",
        RINGBUF_QUERY = "ringbuf_query",
        CSUM_LEVEL = "csum_level",
        SKC_TO_TCP6_SOCK = "skc_to_tcp6_sock",
        SKC_TO_TCP_SOCK = "skc_to_tcp_sock",
        SKC_TO_TCP_TIMEWAIT_SOCK = "skc_to_tcp_timewait_sock",
        SKC_TO_TCP_REQUEST_SOCK = "skc_to_tcp_request_sock",
        SKC_TO_UDP6_SOCK = "skc_to_udp6_sock",
        GET_TASK_STACK = "get_task_stack",
        LOAD_HDR_OPT = "load_hdr_opt",
        STORE_HDR_OPT = "store_hdr_opt",
        RESERVE_HDR_OPT = "reserve_hdr_opt",
        INODE_STORAGE_GET = "inode_storage_get",
        INODE_STORAGE_DELETE = "inode_storage_delete",
        D_PATH = "d_path",
        COPY_FROM_USER = "copy_from_user",
        SNPRINTF_BTF = "snprintf_btf",
        SEQ_PRINTF_BTF = "seq_printf_btf",
        SKB_CGROUP_CLASSID = "skb_cgroup_classid",
        REDIRECT_NEIGH = "redirect_neigh",
        PER_CPU_PTR = "per_cpu_ptr",
        THIS_CPU_PTR = "this_cpu_ptr",
        REDIRECT_PEER = "redirect_peer",
        TASK_STORAGE_GET = "task_storage_get",
        TASK_STORAGE_DELETE = "task_storage_delete",
        GET_CURRENT_TASK_BTF = "get_current_task_btf",
        BPRM_OPTS_SET = "bprm_opts_set",
        KTIME_GET_COARSE_NS = "ktime_get_coarse_ns",
        IMA_INODE_HASH = "ima_inode_hash",
        SOCK_FROM_FILE = "sock_from_file",
        CHECK_MTU = "check_mtu",
        FOR_EACH_MAP_ELEM = "for_each_map_elem",
        SNPRINTF = "snprintf",
        SYS_BPF = "sys_bpf",
        BTF_FIND_BY_NAME_KIND = "btf_find_by_name_kind",
        SYS_CLOSE = "sys_close",
        TIMER_INIT = "timer_init",
        TIMER_SET_CALLBACK = "timer_set_callback",
        TIMER_START = "timer_start",
        TIMER_CANCEL = "timer_cancel",
        GET_FUNC_IP = "get_func_ip",
        GET_ATTACH_COOKIE = "get_attach_cookie",
        TASK_PT_REGS = "task_pt_regs",
        GET_BRANCH_SNAPSHOT = "get_branch_snapshot",
        TRACE_VPRINTK = "trace_vprintk",
        SKC_TO_UNIX_SOCK = "skc_to_unix_sock",
        KALLSYMS_LOOKUP_NAME = "kallsyms_lookup_name",
        FIND_VMA = "find_vma",
        LOOP = "loop",
        STRNCMP = "strncmp",
        GET_FUNC_ARG = "get_func_arg",
        GET_FUNC_RET = "get_func_ret",
        GET_FUNC_ARG_CNT = "get_func_arg_cnt",
        GET_RETVAL = "get_retval",
        SET_RETVAL = "set_retval",
        XDP_GET_BUFF_LEN = "xdp_get_buff_len",
        XDP_LOAD_BYTES = "xdp_load_bytes",
        XDP_STORE_BYTES = "xdp_store_bytes",
        COPY_FROM_USER_TASK = "copy_from_user_task",
        SKB_SET_TSTAMP = "skb_set_tstamp",
        IMA_FILE_HASH = "ima_file_hash",
        KPTR_XCHG = "kptr_xchg",
        MAP_LOOKUP_PERCPU_ELEM = "map_lookup_percpu_elem",
        SKC_TO_MPTCP_SOCK = "skc_to_mptcp_sock",
        DYNPTR_FROM_MEM = "dynptr_from_mem",
        RINGBUF_RESERVE_DYNPTR = "ringbuf_reserve_dynptr",
        RINGBUF_SUBMIT_DYNPTR = "ringbuf_submit_dynptr",
        RINGBUF_DISCARD_DYNPTR = "ringbuf_discard_dynptr",
        DYNPTR_READ = "dynptr_read",
        DYNPTR_WRITE = "dynptr_write",
        DYNPTR_DATA = "dynptr_data",
        TCP_RAW_GEN_SYNCOOKIE_IPV4 = "tcp_raw_gen_syncookie_ipv4",
        TCP_RAW_GEN_SYNCOOKIE_IPV6 = "tcp_raw_gen_syncookie_ipv6",
        TCP_RAW_CHECK_SYNCOOKIE_IPV4 = "tcp_raw_check_syncookie_ipv4",
        TCP_RAW_CHECK_SYNCOOKIE_IPV6 = "tcp_raw_check_syncookie_ipv6",
        KTIME_GET_TAI_NS = "ktime_get_tai_ns",
        USER_RINGBUF_DRAIN = "user_ringbuf_drain",
        CGRP_STORAGE_GET = "cgrp_storage_get",
        CGRP_STORAGE_DELETE = "cgrp_storage_delete",
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
        assert_eq!((helper::RINGBUF_OUTPUT, helper::CGRP_STORAGE_DELETE), (130, 211));
    }

    #[test]
    fn numbers_have_names_and_flags_too() {
        assert_eq!(expected_attach_type(prog_type::XDP, 37), "xdp (37)");
        assert_eq!(expected_attach_type(prog_type::XDP, 99), "99");
        assert_eq!(expected_attach_type(prog_type::SCHED_CLS, 0), "none (0)");
        assert_eq!(expected_attach_type(prog_type::CGROUP_SKB, 0), "cgroup_inet_ingress (0)");
        assert_eq!(flags(0x480, MAP_FLAGS), "0x480 (rdonly_prog, mmapable)");
        assert_eq!(flags(0x110, PROG_FLAGS), "0x110 (sleepable, bit 8)");
        assert_eq!(flags(0, PROG_FLAGS), "0x0");
    }

    #[test]
    fn a_later_kernels_number_is_its_own_name() {
        assert_eq!(attach_type::name(attach_type::TCX_EGRESS), "tcx_egress");
        assert_eq!(prog_type::name(99), "99");
        assert_eq!(
            (prog_type::number("99"), prog_type::number("xdp"), prog_type::number("xpd")),
            (Some(99), Some(6), None)
        );
    }
}
