//! Definitions of the maps that programs use.

use serde::{Deserialize, Serialize};

use crate::parameter::{OutOfRange, Parameter, Place};
use crate::uapi::map_type;

/// Flags of `BPF_MAP_CREATE`.
pub(crate) mod flag {
    pub const NO_COMMON_LRU: u32 = 1 << 1;
    pub const RDONLY: u32 = 1 << 3;
    pub const WRONLY: u32 = 1 << 4;
    pub const RDONLY_PROG: u32 = 1 << 7;
    pub const MMAPABLE: u32 = 1 << 10;
    pub const TOKEN_FD: u32 = 1 << 16;
}

/// Ring buffers' sizes are multiples of a page; this is the size on most hosts.
pub(crate) const PAGE_SIZE: u32 = 4096;

/// The definition of a map.
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
    /// The definition of the maps in a map of maps.
    pub inner: Option<Box<MapDefinition>>,
    /// The initial values of an array, one after the other, or what is in the last pages of an arena, from the beginning of
    /// a page; what is missing is zero.
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
    /// Values in its contents, and its size, that whoever loads the map may choose. The ranges are signed, the values
    /// are not.
    pub parameters: Vec<Parameter>,
}

impl MapDefinition {
    /// The present value of a parameter of the map.
    pub fn parameter_value(&self, parameter: &Parameter) -> i128 {
        match parameter.place {
            Place::Contents(number) => number.read(&self.contents),
            Place::Size => self.max_entries.into(),
        }
    }

    /// Sets a parameter of the map. The size of a ring buffer is rounded up, as libbpf does it.
    ///
    /// # Errors
    ///
    /// The value is not in the range.
    pub fn set_parameter(&mut self, parameter: &Parameter, value: i128) -> Result<(), OutOfRange> {
        let is_ring = matches!(self.map_type, map_type::RINGBUF | map_type::USER_RINGBUF);
        let value = match (parameter.place, u32::try_from(value)) {
            (Place::Size, Ok(size)) if is_ring => ring_size(size).into(),
            _ => value,
        };
        parameter.check(value)?;
        match parameter.place {
            Place::Contents(number) => number.write(&mut self.contents, value),
            Place::Size => self.max_entries = value as u32,
        }
        Ok(())
    }

    /// The contents as they are signed: where the parameters are, there are zeros.
    pub(crate) fn signed_contents(&self) -> Vec<u8> {
        let mut contents = self.contents.clone();
        for parameter in &self.parameters {
            if let Place::Contents(number) = parameter.place {
                number.write(&mut contents, 0);
            }
        }
        contents
    }

    /// Whether whoever loads the map chooses its size.
    pub(crate) fn has_size_parameter(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.place == Place::Size)
    }
}

/// Whether a kernel refuses a map of this type without entries. Some types have one for each CPU, others as many as needed.
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

/// The size of a ring buffer that a kernel creates: the next power of two times the page size.
pub(crate) fn ring_size(size: u32) -> u32 {
    match size {
        0 => 0,
        _ => size
            .div_ceil(PAGE_SIZE)
            .checked_next_power_of_two()
            .and_then(|n| n.checked_mul(PAGE_SIZE))
            .unwrap_or(size),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{Number, Range};

    fn map(number: Number, range: Range) -> (MapDefinition, Parameter) {
        let parameter = Parameter { name: "limit".into(), range, place: Place::Contents(number) };
        let map = MapDefinition {
            contents: vec![0xee; 16],
            parameters: vec![parameter.clone()],
            ..MapDefinition::default()
        };
        (map, parameter)
    }

    #[test]
    fn numbers_of_all_types_are_written_and_read() {
        for size in [1, 2, 4, 8] {
            for is_signed in [false, true] {
                let number = Number { offset: 3, size, is_signed };
                let range = number.range();
                let (mut map, parameter) = map(number, range);
                for value in [range.min, -1, 0, 1, range.max] {
                    if range.contains(value) {
                        map.set_parameter(&parameter, value).unwrap();
                        assert_eq!(map.parameter_value(&parameter), value);
                    }
                }
                assert!(map.set_parameter(&parameter, range.max + 1).is_err());
                assert!(map.set_parameter(&parameter, range.min - 1).is_err());
                let signed = map.signed_contents();
                let (start, end) = (3, 3 + size as usize);
                assert!(signed[start..end].iter().all(|byte| *byte == 0));
                assert!(signed[..start].iter().chain(&signed[end..]).all(|byte| *byte == 0xee));
            }
        }
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let number = Number { offset: 0, size: 4, is_signed: true };
        let (mut map, parameter) = map(number, Range { min: -5, max: 5 });
        let unchanged = map.clone();
        assert_eq!(
            map.set_parameter(&parameter, 6).unwrap_err().to_string(),
            "parameter `limit` is to be 6, which is not in -5..5"
        );
        assert_eq!(map, unchanged);
    }

    #[test]
    fn a_ring_buffer_grows_to_what_it_can_be() {
        let range = Range { min: 4096, max: 16384 };
        let size = Parameter { name: "events".into(), range, place: Place::Size };
        let mut map = MapDefinition { map_type: map_type::RINGBUF, ..MapDefinition::default() };
        map.set_parameter(&size, 9000).unwrap();
        assert_eq!(map.max_entries, 16384);
        assert_eq!(map.set_parameter(&size, 16385).unwrap_err().value, 32768);
        assert_eq!(map.set_parameter(&size, 1 << 32).unwrap_err().value, 1 << 32);
    }
}
