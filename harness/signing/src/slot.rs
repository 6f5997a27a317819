//! What a signature covers of a map (`struct bpf_sig_slot`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::map::{MapDefinition, flag};
use crate::program::NAME_LEN;
use crate::uapi::{self, map_type};
use crate::{Digest, names};

/// Bytes of a slot's record, of which `slots_sha256` of the manifest is the digest.
pub const SLOT_SIZE: usize = 2 * MAP_SIZE + Digest::SIZE;

/// `struct bpf_sig_map`.
const MAP_SIZE: usize = 52;

/// The record of one slot, field by field as `kernel-patch/README.md` specifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// The map.
    pub map: SlotMap,
    /// The inner map of a map of maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<SlotMap>,
    /// The digest of contents that user space can't change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents_sha256: Option<Digest>,
}

/// What `BPF_MAP_CREATE` was given, as the kernel keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotMap {
    /// The first [`NAME_LEN`] bytes of the name.
    pub name: String,
    /// `enum bpf_map_type`.
    #[serde(rename = "type", with = "names::map_type_json")]
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// 0 for a perf event array, whose size is the number of CPUs, and if the size is a parameter.
    pub max_entries: u32,
    /// `BPF_F_*` flags.
    pub flags: u32,
    /// `map_extra`.
    pub extra: u64,
    /// The type of keys in the BTF of the program; 0: none.
    pub btf_key_type_id: u32,
    /// The type of values in the BTF of the program; 0: none.
    pub btf_value_type_id: u32,
}

impl Slot {
    /// What is bound of a map.
    pub fn of(map: &MapDefinition) -> Self {
        Self {
            map: SlotMap::of(map),
            inner: map.inner.as_deref().map(SlotMap::inner),
            contents_sha256: has_signed_contents(map).then(|| Digest::of(image(map))),
        }
    }

    /// The record as the kernel lays it out.
    pub fn to_bytes(&self) -> [u8; SLOT_SIZE] {
        let mut bytes = Vec::with_capacity(SLOT_SIZE);
        self.map.append_to(&mut bytes);
        self.inner.clone().unwrap_or_default().append_to(&mut bytes);
        bytes.extend(self.contents_sha256.unwrap_or(Digest::ZERO).0);
        bytes.try_into().expect("the fields add up to SLOT_SIZE")
    }
}

impl SlotMap {
    /// What the kernel keeps of a map's definition.
    pub fn of(map: &MapDefinition) -> Self {
        Self {
            name: names::cut(&map.name, NAME_LEN).to_owned(),
            map_type: map.map_type,
            key_size: map.key_size,
            value_size: map.value_size,
            max_entries: if is_host_sized(map) { 0 } else { map.max_entries },
            flags: kept_flags(map),
            extra: map.extra,
            btf_key_type_id: map.btf_key_type_id,
            btf_value_type_id: map.btf_value_type_id,
        }
    }

    /// An inner map, of which the kernel keeps no name and no `map_extra`.
    fn inner(map: &MapDefinition) -> Self {
        Self { name: String::new(), extra: 0, ..Self::of(map) }
    }

    fn append_to(&self, bytes: &mut Vec<u8>) {
        let numbers = [
            self.map_type,
            self.key_size,
            self.value_size,
            self.max_entries,
            self.flags,
            self.btf_key_type_id,
            self.btf_value_type_id,
        ];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(self.extra.to_le_bytes());
        bytes.extend(names::padded(&self.name));
    }
}

/// On one line: what it is, and the digest of its contents if they are signed.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.map.name, self.map)?;
        if let Some(inner) = &self.inner {
            write!(f, ", of {inner}")?;
        }
        match &self.contents_sha256 {
            Some(digest) => write!(f, ", contents {digest}"),
            None => Ok(()),
        }
    }
}

/// Without its name, which inner maps don't have.
impl fmt::Display for SlotMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map_type = map_type::name(self.map_type);
        write!(f, "{map_type}, key_size {}, value_size {}", self.key_size, self.value_size)?;
        write!(f, ", max_entries {}, flags {}", self.max_entries, uapi::flags(self.flags, uapi::MAP_FLAGS))
    }
}

/// The size is not the signer's to say.
fn is_host_sized(map: &MapDefinition) -> bool {
    map.map_type == map_type::PERF_EVENT_ARRAY || map.has_size_parameter()
}

/// The flags as the kernel stores them: some are about the file descriptor or the caller, and it sets one itself.
fn kept_flags(map: &MapDefinition) -> u32 {
    let kept = map.flags & !(flag::RDONLY | flag::WRONLY | flag::TOKEN_FD);
    match map.map_type {
        map_type::DEVMAP | map_type::DEVMAP_HASH => kept | flag::RDONLY_PROG,
        _ => kept,
    }
}

/// Neither user space nor programs can change the contents any more, so that they decide what a program does.
fn has_signed_contents(map: &MapDefinition) -> bool {
    map.map_type == map_type::ARRAY && map.frozen && map.flags & flag::RDONLY_PROG != 0
}

/// The contents as an array has them in memory: each value takes a multiple of 8 bytes. Parameters are zeros.
fn image(map: &MapDefinition) -> Vec<u8> {
    let value_size = map.value_size as usize;
    let stride = value_size.next_multiple_of(8);
    let mut image = vec![0; stride * map.max_entries as usize];
    if value_size != 0 {
        let contents = map.signed_contents();
        for (entry, value) in image.chunks_exact_mut(stride).zip(contents.chunks(value_size)) {
            entry[..value.len()].copy_from_slice(value);
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(map: &MapDefinition) -> [u8; SLOT_SIZE] {
        Slot::of(map).to_bytes()
    }

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
        let slot = slot(&outer);
        let words: Vec<_> = (0..7).map(|index| word(&slot, 4 * index)).collect();
        assert_eq!(words, [13, 2, 3, 4, 1, 6, 7]);
        assert_eq!(slot[28..36], 0x1_0000_0005u64.to_le_bytes());
        assert_eq!(&slot[36..52], b"a_name_that_is_\0");
        let words: Vec<_> = (0..7).map(|index| word(&slot, 52 + 4 * index)).collect();
        assert_eq!(words, [1, 20, 21, 22, 7, 25, 26]);
        assert_eq!(slot[80..], [0; 56], "no extra, no name, no contents");
    }

    #[test]
    fn frozen_arrays_are_bound_by_content() {
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
        assert_eq!(slot(&rodata)[104..], Digest::of(b"first\0\0\x002nd\0\0\0\0\0").0);
        for other in [
            MapDefinition { frozen: false, ..rodata.clone() },
            MapDefinition { flags: 0, ..rodata.clone() },
            MapDefinition { map_type: map_type::PERCPU_ARRAY, ..rodata.clone() },
        ] {
            assert_eq!(slot(&other)[104..], [0; 32]);
        }
    }

    #[test]
    fn what_differs_from_host_to_host_is_left_out() {
        let map =
            |map_type, flags| MapDefinition { map_type, max_entries: 8, flags, ..MapDefinition::default() };
        assert_eq!(word(&slot(&map(map_type::PERF_EVENT_ARRAY, 0)), 12), 0);
        assert_eq!(word(&slot(&map(1, flag::RDONLY | flag::TOKEN_FD | 1)), 16), 1);
        assert_eq!(word(&slot(&map(map_type::DEVMAP, 0)), 16), flag::RDONLY_PROG);
    }
}
