//! Initial entries of an object's maps.

use super::elf::Elf;
use super::maps::{MAPS, Maps};
use super::{EntryPoints, ObjectError};
use crate::btf::{Btf, Variable};
use crate::uapi::map_type;

/// Bytes of a pointer in the object.
const POINTER_SIZE: u32 = 8;

/// Something that a loader puts into a map. A signature does not cover it: it is data, as are all later entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialEntry {
    /// An index into [`Object::maps`](super::Object::maps).
    pub map: usize,
    /// The key.
    pub index: u32,
    /// The value.
    pub value: Initial,
}

/// The value of an [`InitialEntry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// In a map of maps: an index into [`Object::maps`](super::Object::maps).
    Map(usize),
    /// In a program array: an index into [`Object::programs`](super::Object::programs).
    Program(usize),
}

/// All of an object, ordered by map and key.
pub(super) fn entries(
    elf: &Elf<'_>,
    btf: &Btf,
    maps: &Maps,
    entry_points: &EntryPoints,
) -> Result<Vec<InitialEntry>, ObjectError> {
    let (Some(section), Some(described)) = (elf.section_index(MAPS), btf.data_section(MAPS)?) else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    for relocation in &elf.sections[section].relocations {
        let offset = relocation.offset;
        let variable = described
            .variables
            .iter()
            .find(|variable| {
                let start = u64::from(variable.offset);
                start <= offset && offset + u64::from(POINTER_SIZE) <= start + u64::from(variable.size)
            })
            .ok_or_else(|| ObjectError::Section {
                section: MAPS.to_owned(),
                problem: "has an initial value that is in no map",
            })?;
        let problem =
            |problem: &str| ObjectError::Map { map: variable.name.to_owned(), problem: problem.to_owned() };
        let map = maps
            .place(section, variable.offset.into(), 0)
            .ok_or_else(|| problem("is not one of the object's maps"))?
            .map;
        let definition = &maps.definitions[map];
        let index = index(btf, variable, offset as u32 - variable.offset)
            .ok_or_else(|| problem("has an initial value that is not in its `values`"))?;

        let symbol = &elf.symbols[relocation.symbol];
        let value = match (definition.map_type, symbol.section) {
            (map_type::ARRAY_OF_MAPS | map_type::HASH_OF_MAPS, Some(at)) if at == section => maps
                .place(at, symbol.offset, 0)
                .map(|place| Initial::Map(place.map))
                .ok_or_else(|| problem(&format!("holds `{}`, where no map starts", symbol.name)))?,
            (map_type::ARRAY_OF_MAPS | map_type::HASH_OF_MAPS, _) => {
                return Err(problem(&format!("holds `{}`, which is not a map", symbol.name)));
            }
            (map_type::PROG_ARRAY, at) => at
                .and_then(|at| entry_points.get(&(at, symbol.offset)))
                .map(|program| Initial::Program(*program))
                .ok_or_else(|| problem(&format!("holds `{}`, which is not a program", symbol.name)))?,
            _ => return Err(problem("has initial values, but does not hold maps or programs")),
        };
        match definition.map_type {
            map_type::HASH_OF_MAPS if definition.key_size != 4 => {
                return Err(problem("has initial values, so that its keys must have 4 bytes"));
            }
            map_type::ARRAY_OF_MAPS | map_type::PROG_ARRAY if index >= definition.max_entries => {
                let size = definition.max_entries;
                return Err(problem(&format!("has an initial value {index}, but only {size} entries")));
            }
            _ => {}
        }
        entries.push(InitialEntry { map, index, value });
    }
    entries.sort_by_key(|entry| (entry.map, entry.index));
    Ok(entries)
}

/// Which of the last member's elements is `offset` bytes into the variable.
fn index(btf: &Btf, variable: &Variable<'_>, offset: u32) -> Option<u32> {
    let (_, members) = btf.structure(variable.type_id).ok()?;
    let values = members.last().filter(|member| member.name == "values")?;
    let offset = offset.checked_sub(values.offset)?;
    offset.is_multiple_of(POINTER_SIZE).then_some(offset / POINTER_SIZE)
}
