//! Creating the maps of an object, and finding those that exist.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use bpfsig_signing::map::{MapDefinition, needs_entries};
use bpfsig_signing::names;
use bpfsig_signing::program::Program;
use bpfsig_signing::slot::SlotMap;
use bpfsig_signing::uapi::map_type;

use crate::arena;
use crate::error::{Error, Result};
use crate::info;
use crate::kconfig;
use crate::libbpf::{map_freeze, map_update, map_update_with};
use crate::pin::{self, Pinned};
use crate::syscall::{self, MapCreate};

/// Creates the maps that a program refers to, in the order of its slots. `btf` is the program's.
///
/// # Errors
/// The kernel refuses a map.
pub fn create_all(program: &Program, btf: Option<BorrowedFd<'_>>) -> Result<Vec<OwnedFd>> {
    program.slots.iter().map(|map| create(map, btf).map_err(|error| error.in_map(&map.name))).collect()
}

/// Creates a map, gives it its contents and freezes it if it is to be frozen. `btf` is the one that its types are in.
///
/// # Errors
/// The kernel refuses the map.
pub fn create(map: &MapDefinition, btf: Option<BorrowedFd<'_>>) -> Result<OwnedFd> {
    if let Some(problem) = missing_size(map) {
        return Err(Error::Invalid(problem.to_owned()));
    }
    let inner = map.inner.as_ref().map(|inner| create(inner, btf)).transpose();
    let inner = inner.map_err(|error| error.in_map(&format!("{}.inner", map.name)))?;
    let with_types = map.btf_key_type_id != 0 || map.btf_value_type_id != 0;
    let fd = syscall::map_create(&MapCreate {
        map_type: map.map_type,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: max_entries(map)?,
        map_flags: map.flags,
        numa_node: map.numa_node,
        inner_map_fd: inner.as_ref().map_or(0, syscall::number),
        map_name: names::padded(&map.name),
        btf_fd: btf.as_ref().filter(|_| with_types).map_or(0, syscall::number),
        btf_key_type_id: map.btf_key_type_id,
        btf_value_type_id: map.btf_value_type_id,
        map_extra: map.extra,
        ..MapCreate::default()
    })
    .map_err(Error::system(format!("creating it as {}", map_type::name(map.map_type))))?;
    fill(fd.as_fd(), map)?;
    Ok(fd)
}

/// Takes the map that is pinned at a path, or creates one and pins it there.
///
/// # Errors
/// What is pinned there has another definition; the kernel refuses the map, or nothing can be pinned there.
pub(crate) fn create_or_reuse(
    map: &MapDefinition,
    btf: Option<BorrowedFd<'_>>,
    path: &Path,
    pinned: &mut Pinned,
) -> Result<OwnedFd> {
    if let Some(fd) = pin::find(path)? {
        check_same(fd.as_fd(), map)
            .map_err(|error| Error::Invalid(format!("{} can't be shared: {error:#}", path.display())))?;
        return Ok(fd);
    }
    let fd = create(map, btf)?;
    pinned.pin(path, fd.as_fd())?;
    Ok(fd)
}

/// Compares a map with a definition as libbpf does before it reuses one.
///
/// # Errors
/// They differ, or it is not a map.
pub(crate) fn check_same(fd: BorrowedFd<'_>, map: &MapDefinition) -> Result<()> {
    let there = info::map_info(fd).map_err(Error::system("what is there"))?;
    let here = SlotMap::of(map);
    let number = |there: u32, here: u32| (there.to_string(), here.to_string());
    let fields = [
        ("type", (map_type::name(there.type_).into_owned(), map_type::name(here.map_type).into_owned())),
        ("key_size", number(there.key_size, here.key_size)),
        ("value_size", number(there.value_size, here.value_size)),
        ("max_entries", number(there.max_entries, max_entries(map)?)),
        ("flags", number(there.map_flags, here.flags)),
        ("map_extra", (there.map_extra.to_string(), here.extra.to_string())),
    ];
    let differences: Vec<_> = fields
        .iter()
        .filter(|(_, (there, here))| there != here)
        .map(|(field, (there, here))| format!("its {field} is {there}, not {here}"))
        .collect();
    if differences.is_empty() { Ok(()) } else { Err(Error::Invalid(differences.join(", "))) }
}

fn fill(fd: BorrowedFd<'_>, map: &MapDefinition) -> Result<()> {
    if map.map_type == map_type::ARENA {
        return arena::place(fd, map);
    }
    if !map.host.is_empty() {
        // SAFETY: the value has `value_size` bytes, and the key of an array has four.
        unsafe { map_update(fd, &0u32.to_ne_bytes(), &kconfig::value(map)?) }
            .map_err(Error::system("filling it with what the host says"))?;
    }
    let size = map.value_size as usize;
    let flags = if map.map_type == map_type::PERCPU_ARRAY { F_ALL_CPUS } else { 0 };
    if size != 0 {
        for (index, value) in (0u32..).zip(map.contents.chunks(size)) {
            let mut value = value.to_vec();
            value.resize(size, 0);
            // SAFETY: the keys of an array have four bytes, its values `value_size`; the kernel sets it for each CPU.
            unsafe { map_update_with(fd, &index.to_ne_bytes(), &value, flags) }
                .map_err(Error::system("filling it with its initial value"))?;
        }
    }
    if map.frozen {
        map_freeze(fd).map_err(Error::system("freezing it"))?;
    }
    Ok(())
}

/// `BPF_F_ALL_CPUS`: sets the value of each CPU.
const F_ALL_CPUS: u64 = 16;

/// As many as the definition says. A perf event array has an entry for each CPU by default.
fn max_entries(map: &MapDefinition) -> Result<u32> {
    match (map.map_type, map.max_entries) {
        (map_type::PERF_EVENT_ARRAY, 0) => possible_cpus(),
        (_, entries) => Ok(entries),
    }
}

/// What is missing in a definition that the kernel would refuse with a bare EINVAL.
fn missing_size(map: &MapDefinition) -> Option<&'static str> {
    (map.max_entries == 0 && needs_entries(map.map_type)).then_some(
        "its size is not in the object (max_entries is 0): the program that belongs to it sets the size before it \
         loads it",
    )
}

/// How many CPUs there can be, which is one more than the last number in a list such as `0-3`.
fn possible_cpus() -> Result<u32> {
    const POSSIBLE: &str = "/sys/devices/system/cpu/possible";
    let list = fs::read_to_string(POSSIBLE).map_err(Error::system(POSSIBLE))?;
    let last = list.trim().rsplit([',', '-']).next().unwrap_or_default();
    let last: u32 = last.parse().map_err(|_| Error::Invalid(format!("{POSSIBLE} is `{}`", list.trim())))?;
    Ok(last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_without_a_size_is_found_before_the_kernel_refuses_it() {
        let map = |map_type, max_entries| MapDefinition { map_type, max_entries, ..MapDefinition::default() };
        assert!(missing_size(&map(map_type::HASH, 0)).is_some());
        assert!(missing_size(&map(map_type::RINGBUF, 0)).is_some());
        assert!(missing_size(&map(map_type::HASH, 1)).is_none());
        assert!(missing_size(&map(map_type::TASK_STORAGE, 0)).is_none());
        assert!(missing_size(&map(map_type::PERF_EVENT_ARRAY, 0)).is_none());
    }
}
