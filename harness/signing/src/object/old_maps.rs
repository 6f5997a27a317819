//! Maps that are defined in the old way: in a section `maps`, each by a struct of numbers.

use super::elf::{Elf, Section, SectionKind, Symbol};
use super::maps::PIN_BY_NAME;
use super::{ObjectError, Remark};
use crate::map::MapDefinition;

/// The section. aya-ebpf writes it to this day; libbpf has not read it since 1.0.
const OLD_MAPS: &str = "maps";

/// A map, and where it is defined.
pub(super) struct OldMap {
    /// Index of the section.
    pub section: usize,
    /// In the section, in bytes.
    pub offset: u64,
    pub definition: MapDefinition,
}

/// The maps that an object defines so.
pub(super) fn old_maps(elf: &Elf<'_>) -> Result<Vec<OldMap>, ObjectError> {
    // gobpf: each has a section of its own, and a definition with a path in it. ir-keytable: its loader writes parameters into
    // the instructions.
    let foreign =
        |section: &&Section<'_>| section.name.starts_with("maps/") || section.name.ends_with("/maps");
    if let Some(section) = elf.sections.iter().find(foreign) {
        return Err(ObjectError::Section {
            section: section.name.to_owned(),
            problem: "defines a map as gobpf or ir-keytable want it, and libbpf does not: define it in `.maps`",
        });
    }
    let Some(index) = elf.section_index(OLD_MAPS) else { return Ok(Vec::new()) };
    let section = &elf.sections[index];
    if section.kind == SectionKind::Other {
        return Ok(Vec::new());
    }
    let maps = elf.symbols.iter().filter(|symbol| symbol.section == Some(index) && symbol.size > 0);
    maps.map(|symbol| {
        let definition = bytes(section, symbol)
            .ok_or("is defined outside of its section")
            .and_then(|bytes| definition(symbol.name, bytes))
            .map_err(|problem| ObjectError::Map { map: symbol.name.to_owned(), problem: problem.into() })?;
        Ok(OldMap { section: index, offset: symbol.offset, definition })
    })
    .collect()
}

/// What to say about an object with such maps.
pub(super) fn remark(elf: &Elf<'_>) -> Option<Remark> {
    elf.section(OLD_MAPS).filter(|section| section.kind != SectionKind::Other && section.size > 0)?;
    Some(Remark::OldMaps)
}

fn bytes<'a>(section: &Section<'a>, symbol: &Symbol<'_>) -> Option<&'a [u8]> {
    let (start, size) = (symbol.offset.try_into().ok()?, symbol.size.try_into().ok()?);
    section.data.get(start..)?.get(..size)
}

/// Reads what libbpf called `struct bpf_map_def`, and iproute2's `struct bpf_elf_map` and aya-ebpf's `bpf_map_def`, which go
/// on: with a number of the map, and with how it is pinned; iproute2's also with which map is in it.
fn definition(name: &str, bytes: &[u8]) -> Result<MapDefinition, &'static str> {
    let (numbers, odd) = bytes.as_chunks();
    let mut numbers = numbers.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let mut next = || numbers.next().ok_or("is defined by less than 20 bytes");
    let mut map = MapDefinition {
        name: name.to_owned(),
        map_type: next()?,
        key_size: next()?,
        value_size: next()?,
        max_entries: next()?,
        flags: next()?,
        ..MapDefinition::default()
    };
    let (_number, pinning) = (numbers.next(), numbers.next().unwrap_or(0));
    if numbers.any(|number| number != 0) || odd.iter().any(|byte| *byte != 0) {
        return Err("is defined by more than is known here: define it in `.maps`");
    }
    if pinning > PIN_BY_NAME {
        return Err("is to be pinned in a way that is not LIBBPF_PIN_BY_NAME");
    }
    map.pin_by_name = pinning == PIN_BY_NAME;
    Ok(map)
}
