//! The maps that programs use: what they are created from, and what a signature binds of them.

use crate::Digest;

/// Bytes of a slot's record, of which `slots_sha256` of the manifest is the digest (`struct bpf_sig_slot`).
pub const SLOT_SIZE: usize = 2 * MAP_SIZE + Digest::SIZE;

/// `struct bpf_sig_map`.
const MAP_SIZE: usize = 52;
/// `BPF_OBJ_NAME_LEN`, with the terminating zero.
const OBJ_NAME_LEN: usize = 16;

/// `enum bpf_map_type`, those that are treated specially.
pub(crate) mod map_type {
    pub const ARRAY: u32 = 2;
    pub const PROG_ARRAY: u32 = 3;
    pub const PERF_EVENT_ARRAY: u32 = 4;
    pub const PERCPU_ARRAY: u32 = 6;
    pub const STACK_TRACE: u32 = 7;
    pub const CGROUP_ARRAY: u32 = 8;
    pub const LRU_HASH: u32 = 9;
    pub const LRU_PERCPU_HASH: u32 = 10;
    pub const LPM_TRIE: u32 = 11;
    pub const ARRAY_OF_MAPS: u32 = 12;
    pub const HASH_OF_MAPS: u32 = 13;
    pub const DEVMAP: u32 = 14;
    pub const SOCKMAP: u32 = 15;
    pub const CPUMAP: u32 = 16;
    pub const XSKMAP: u32 = 17;
    pub const SOCKHASH: u32 = 18;
    pub const QUEUE: u32 = 22;
    pub const STACK: u32 = 23;
    pub const SK_STORAGE: u32 = 24;
    pub const DEVMAP_HASH: u32 = 25;
    pub const RINGBUF: u32 = 27;
    pub const INODE_STORAGE: u32 = 28;
    pub const TASK_STORAGE: u32 = 29;
    pub const BLOOM_FILTER: u32 = 30;
    pub const USER_RINGBUF: u32 = 31;
    pub const CGRP_STORAGE: u32 = 32;
    pub const ARENA: u32 = 33;
}

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// The initial values of an array, one after the other; what is missing is zero.
    #[cfg_attr(feature = "serde", serde(with = "serde_bytes"))]
    pub contents: Vec<u8>,
    /// The map is frozen once it has its contents: user space can't change them any more.
    pub frozen: bool,
}

impl MapDefinition {
    /// What a signature binds of the map, as the kernel lays it out.
    pub fn to_slot(&self) -> [u8; SLOT_SIZE] {
        let mut slot = [0; SLOT_SIZE];
        slot[..MAP_SIZE].copy_from_slice(&self.record());
        if let Some(inner) = &self.inner {
            // All that the kernel keeps of it.
            let kept = Self {
                map_type: inner.map_type,
                key_size: inner.key_size,
                value_size: inner.value_size,
                max_entries: inner.max_entries,
                flags: inner.flags,
                ..Self::default()
            };
            slot[MAP_SIZE..2 * MAP_SIZE].copy_from_slice(&kept.record());
        }
        if self.has_signed_contents() {
            slot[2 * MAP_SIZE..].copy_from_slice(&Digest::of(self.image()).0);
        }
        slot
    }

    /// User space can't change the contents any more, so that they are the signer's word.
    fn has_signed_contents(&self) -> bool {
        self.map_type == map_type::ARRAY && self.frozen
    }

    /// The contents as an array has them in memory: each value takes a multiple of 8 bytes.
    fn image(&self) -> Vec<u8> {
        let value_size = self.value_size as usize;
        let stride = value_size.next_multiple_of(8);
        let mut image = vec![0; stride * self.max_entries as usize];
        if value_size != 0 {
            for (entry, value) in image.chunks_exact_mut(stride).zip(self.contents.chunks(value_size)) {
                entry[..value.len()].copy_from_slice(value);
            }
        }
        image
    }

    fn record(&self) -> [u8; MAP_SIZE] {
        let max_entries = match self.map_type {
            map_type::PERF_EVENT_ARRAY => 0,
            _ => self.max_entries,
        };
        let numbers = [
            self.map_type,
            self.key_size,
            self.value_size,
            max_entries,
            self.kept_flags(),
            self.btf_key_type_id,
            self.btf_value_type_id,
        ];
        let mut name = [0; OBJ_NAME_LEN];
        let kept = &self.name.as_bytes()[..self.name.len().min(OBJ_NAME_LEN - 1)];
        name[..kept.len()].copy_from_slice(kept);

        let mut bytes = Vec::with_capacity(MAP_SIZE);
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(self.extra.to_le_bytes());
        bytes.extend(name);
        bytes.try_into().expect("the fields add up to MAP_SIZE")
    }

    /// The flags as the kernel stores them: some are about the file descriptor or the caller, and it sets one itself.
    fn kept_flags(&self) -> u32 {
        let kept = self.flags & !(flag::RDONLY | flag::WRONLY | flag::TOKEN_FD);
        match self.map_type {
            map_type::DEVMAP | map_type::DEVMAP_HASH => kept | flag::RDONLY_PROG,
            _ => kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(slot: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(slot[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn fields_are_where_the_specification_has_them() {
        let inner = MapDefinition {
            name: "inner".into(),
            map_type: 1,
            key_size: 20,
            value_size: 21,
            max_entries: 22,
            flags: 23 & !(flag::RDONLY | flag::WRONLY),
            extra: 24,
            btf_key_type_id: 25,
            btf_value_type_id: 26,
            ..MapDefinition::default()
        };
        let outer = MapDefinition {
            name: "a_name_that_is_too_long".into(),
            map_type: 13,
            key_size: 2,
            value_size: 3,
            max_entries: 4,
            flags: 1,
            extra: 0x1_0000_0005,
            btf_key_type_id: 6,
            btf_value_type_id: 7,
            inner: Some(Box::new(inner)),
            ..MapDefinition::default()
        };
        let slot = outer.to_slot();
        let words: Vec<_> = (0..7).map(|index| word(&slot, 4 * index)).collect();
        assert_eq!(words, [13, 2, 3, 4, 1, 6, 7]);
        assert_eq!(slot[28..36], 0x1_0000_0005u64.to_le_bytes());
        assert_eq!(&slot[36..52], b"a_name_that_is_\0");
        let words: Vec<_> = (0..7).map(|index| word(&slot, 52 + 4 * index)).collect();
        assert_eq!(words, [1, 20, 21, 22, 7, 0, 0]);
        assert_eq!(slot[80..], [0; 56], "no extra, no name, no contents");
    }

    #[test]
    fn constants_are_bound_by_content() {
        let rodata = MapDefinition {
            map_type: map_type::ARRAY,
            key_size: 4,
            value_size: 5,
            max_entries: 2,
            flags: flag::RDONLY_PROG,
            contents: b"first2nd".to_vec(),
            frozen: true,
            ..MapDefinition::default()
        };
        assert_eq!(rodata.to_slot()[104..], Digest::of(b"first\0\0\x002nd\0\0\0\0\0").0);
        for other in [
            MapDefinition { frozen: false, ..rodata.clone() },
            MapDefinition { flags: 0, ..rodata.clone() },
            MapDefinition { map_type: map_type::PERCPU_ARRAY, ..rodata.clone() },
        ] {
            assert_eq!(other.to_slot()[104..], [0; 32]);
        }
    }

    #[test]
    fn what_differs_from_host_to_host_is_left_out() {
        let map =
            |map_type, flags| MapDefinition { map_type, max_entries: 8, flags, ..MapDefinition::default() };
        assert_eq!(word(&map(map_type::PERF_EVENT_ARRAY, 0).to_slot(), 12), 0);
        assert_eq!(word(&map(1, flag::RDONLY | flag::TOKEN_FD | 1).to_slot(), 16), 1);
        assert_eq!(word(&map(map_type::DEVMAP, 0).to_slot(), 16), flag::RDONLY_PROG);
    }
}
