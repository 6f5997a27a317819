//! Creating the maps of a program.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;

use super::arena;
use super::kconfig;
use super::libbpf::{map_freeze, map_update};
use super::syscall::{self, MapCreate};

/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY`, which by default has an entry for each CPU.
const MAP_TYPE_PERF_EVENT_ARRAY: u32 = 4;

/// `BPF_MAP_TYPE_ARENA`.
const MAP_TYPE_ARENA: u32 = 33;

/// Creates the maps that a program refers to, in the order of its slots. `btf` is the program's.
///
/// # Errors
/// The kernel refuses a map.
pub fn create_maps(program: &Program, btf: Option<BorrowedFd<'_>>) -> Result<Vec<OwnedFd>> {
    program.slots.iter().map(|map| create_map(map, btf)).collect()
}

/// Creates a map, gives it its contents and freezes it if it is to be frozen. `btf` is the one that its types are in.
///
/// # Errors
/// The kernel refuses the map.
pub fn create_map(map: &MapDefinition, btf: Option<BorrowedFd<'_>>) -> Result<OwnedFd> {
    let inner = map.inner.as_ref().map(|inner| create_map(inner, btf)).transpose()?;
    let max_entries = match (map.map_type, map.max_entries) {
        (MAP_TYPE_PERF_EVENT_ARRAY, 0) => possible_cpus()?,
        (_, entries) => entries,
    };
    let with_types = map.btf_key_type_id != 0 || map.btf_value_type_id != 0;
    let fd = syscall::map_create(&MapCreate {
        map_type: map.map_type,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries,
        map_flags: map.flags,
        numa_node: map.numa_node,
        inner_map_fd: inner.as_ref().map_or(0, syscall::number),
        map_name: syscall::object_name(&map.name),
        btf_fd: btf.as_ref().filter(|_| with_types).map_or(0, syscall::number),
        btf_key_type_id: map.btf_key_type_id,
        btf_value_type_id: map.btf_value_type_id,
        map_extra: map.extra,
        ..MapCreate::default()
    })
    .with_context(|| format!("creating map {}", map.name))?;
    fill(fd.as_fd(), map).with_context(|| format!("initialising map {}", map.name))?;
    Ok(fd)
}

fn fill(fd: BorrowedFd<'_>, map: &MapDefinition) -> Result<()> {
    if map.map_type == MAP_TYPE_ARENA {
        return arena::place(fd, map);
    }
    if !map.host.is_empty() {
        // SAFETY: the value has `value_size` bytes, and the key of an array has four.
        return Ok(unsafe { map_update(fd, &0u32.to_ne_bytes(), &kconfig::value(map)?) }?);
    }
    if !map.contents.is_empty() {
        let size = map.value_size as usize;
        for (index, value) in (0u32..).zip(map.contents.chunks(size)) {
            let mut value = value.to_vec();
            value.resize(size, 0);
            // SAFETY: the keys of an array have four bytes, its values `value_size`.
            unsafe { map_update(fd, &index.to_ne_bytes(), &value) }?;
        }
    }
    if map.frozen {
        map_freeze(fd)?;
    }
    Ok(())
}

/// How many CPUs there can be, which is one more than the last number in a list such as `0-3`.
fn possible_cpus() -> Result<u32> {
    const POSSIBLE: &str = "/sys/devices/system/cpu/possible";
    let list = fs::read_to_string(POSSIBLE).context(POSSIBLE)?;
    let last = list.trim().rsplit([',', '-']).next().unwrap_or_default();
    let last: u32 = last.parse().with_context(|| format!("{POSSIBLE} is `{}`", list.trim()))?;
    Ok(last + 1)
}
