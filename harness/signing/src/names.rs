//! Names: of programs and maps as the kernel keeps them, of types as bpftool prints them.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::program::NAME_LEN;

/// By `enum bpf_map_type`.
const MAP_TYPES: &[&str] = &[
    "unspec",
    "hash",
    "array",
    "prog_array",
    "perf_event_array",
    "percpu_hash",
    "percpu_array",
    "stack_trace",
    "cgroup_array",
    "lru_hash",
    "lru_percpu_hash",
    "lpm_trie",
    "array_of_maps",
    "hash_of_maps",
    "devmap",
    "sockmap",
    "cpumap",
    "xskmap",
    "sockhash",
    "cgroup_storage",
    "reuseport_sockarray",
    "percpu_cgroup_storage",
    "queue",
    "stack",
    "sk_storage",
    "devmap_hash",
    "struct_ops",
    "ringbuf",
    "inode_storage",
    "task_storage",
    "bloom_filter",
    "user_ringbuf",
    "cgrp_storage",
    "arena",
    "insn_array",
];

/// By `enum bpf_prog_type`.
const PROG_TYPES: &[&str] = &[
    "unspec",
    "socket_filter",
    "kprobe",
    "sched_cls",
    "sched_act",
    "tracepoint",
    "xdp",
    "perf_event",
    "cgroup_skb",
    "cgroup_sock",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "sock_ops",
    "sk_skb",
    "cgroup_device",
    "sk_msg",
    "raw_tracepoint",
    "cgroup_sock_addr",
    "lwt_seg6local",
    "lirc_mode2",
    "sk_reuseport",
    "flow_dissector",
    "cgroup_sysctl",
    "raw_tracepoint_writable",
    "cgroup_sockopt",
    "tracing",
    "struct_ops",
    "ext",
    "lsm",
    "sk_lookup",
    "syscall",
    "netfilter",
];

/// The name of an `enum bpf_map_type`; one without a name is shown as a number.
pub fn map_type(number: u32) -> Cow<'static, str> {
    name(MAP_TYPES, number)
}

/// The name of an `enum bpf_prog_type`; one without a name is shown as a number.
pub fn prog_type(number: u32) -> Cow<'static, str> {
    name(PROG_TYPES, number)
}

fn name(names: &'static [&'static str], number: u32) -> Cow<'static, str> {
    names.get(number as usize).map_or_else(|| number.to_string().into(), |name| (*name).into())
}

/// As much of a name as fits into `max` bytes.
pub(crate) fn cut(name: &str, max: usize) -> &str {
    let ends = (0..=max.min(name.len())).rev();
    ends.filter_map(|end| name.get(..end)).next().unwrap_or_default()
}

/// A name as the kernel keeps it: cut to [`NAME_LEN`], padded with zeros.
pub(crate) fn padded(name: &str) -> [u8; NAME_LEN + 1] {
    let mut bytes = [0; NAME_LEN + 1];
    let name = cut(name, NAME_LEN);
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

/// A map type in JSON: its name, or the number if it has none.
pub(crate) mod map_type_json {
    use super::*;

    pub fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(MAP_TYPES, *number, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        super::deserialize(MAP_TYPES, deserializer)
    }
}

/// A program type in JSON: its name, or the number if it has none.
pub(crate) mod prog_type_json {
    use super::*;

    pub fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(PROG_TYPES, *number, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        super::deserialize(PROG_TYPES, deserializer)
    }
}

fn serialize<S: Serializer>(names: &[&str], number: u32, serializer: S) -> Result<S::Ok, S::Error> {
    match names.get(number as usize) {
        Some(name) => serializer.serialize_str(name),
        None => serializer.serialize_u32(number),
    }
}

fn deserialize<'de, D: Deserializer<'de>>(names: &[&str], deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Type {
        Number(u32),
        Name(String),
    }
    match Type::deserialize(deserializer)? {
        Type::Number(number) => Ok(number),
        Type::Name(text) => match names.iter().position(|name| *name == text) {
            Some(number) => Ok(number as u32),
            None => Err(D::Error::custom(format_args!("there is no type `{text}`"))),
        },
    }
}
