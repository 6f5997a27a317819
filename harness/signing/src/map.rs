//! What the maps that programs use are created from.

use serde::{Deserialize, Serialize};

/// Flags of `BPF_MAP_CREATE`.
pub(crate) mod flag {
    pub const NO_COMMON_LRU: u32 = 1 << 1;
    pub const RDONLY: u32 = 1 << 3;
    pub const WRONLY: u32 = 1 << 4;
    pub const RDONLY_PROG: u32 = 1 << 7;
    pub const MMAPABLE: u32 = 1 << 10;
    pub const TOKEN_FD: u32 = 1 << 16;
}

/// What a map is created from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapDefinition {
    /// The name of the variable, or of the section of global data; the kernel keeps the first 15 bytes.
    pub name: String,
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The number of entries, or what the type of map takes it for (bytes, for a ring buffer). 0 for a perf event
    /// array means one for each CPU.
    pub max_entries: u32,
    /// `BPF_F_*` flags of `BPF_MAP_CREATE`.
    pub flags: u32,
    /// `map_extra` of `BPF_MAP_CREATE`.
    pub extra: u64,
    /// The type of keys in the BTF of the program; 0: none.
    pub btf_key_type_id: u32,
    /// The type of values in the BTF of the program; 0: none.
    pub btf_value_type_id: u32,
    /// What the maps in a map of maps look like.
    pub inner: Option<Box<MapDefinition>>,
    /// The initial values of an array, one after the other, or the first bytes of an arena; what is missing is zero.
    #[serde(with = "serde_bytes")]
    pub contents: Vec<u8>,
    /// What the host puts into the first value: the variables of `.kconfig`. Not signed.
    pub host: Vec<HostVariable>,
    /// With `BPF_F_NUMA_NODE`, the node whose memory the map takes. Not signed.
    pub numa_node: u32,
    /// The loader shares it by its name with whoever has pinned one (`LIBBPF_PIN_BY_NAME`). Not signed: it is where the
    /// map comes from, not what it is.
    pub pin_by_name: bool,
    /// The map is frozen once it has its contents: user space can't change them any more.
    pub frozen: bool,
}

/// Whether a kernel refuses maps of a type that have no entries. It has as many as CPUs of some, and as many as needed of
/// others.
pub fn needs_entries(map_type: u32) -> bool {
    use crate::uapi::map_type::*;
    ![
        PERF_EVENT_ARRAY,
        CGROUP_STORAGE,
        PERCPU_CGROUP_STORAGE,
        SK_STORAGE,
        INODE_STORAGE,
        TASK_STORAGE,
        CGRP_STORAGE,
        STRUCT_OPS,
    ]
    .contains(&map_type)
}

/// A variable of `.kconfig`: what a host says of itself, under libbpf's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostVariable {
    /// `CONFIG_…`, an option of the kernel's configuration, or `LINUX_…`, which libbpf defines.
    pub name: String,
    /// In the map's value, in bytes.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// How it is to be written.
    pub kind: HostKind,
    /// It is 0 where the host has nothing to say of it.
    pub is_weak: bool,
}

/// The types that a variable of `.kconfig` may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostKind {
    /// `bool`.
    Bool,
    /// `char`.
    Char,
    /// `int` and others, of 2 to 8 bytes.
    Int {
        /// It can be negative.
        is_signed: bool,
    },
    /// `enum libbpf_tristate`.
    Tristate,
    /// An array of `char`.
    Text,
}
