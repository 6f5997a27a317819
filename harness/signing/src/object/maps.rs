//! The maps of an object: those that variables in `.maps` define, and those that hold its global data.

use std::collections::HashMap;
use std::sync::Arc;

use super::elf::{Elf, Section, SectionKind};
use super::externs::{Externs, KCONFIG};
use super::old_maps::{OldMap, old_maps};
use super::parameters::Tags;
use super::{MAX_SIZE, ObjectError};
use crate::btf::{Btf, Member};
use crate::map::{HostVariable, MapDefinition, PAGE_SIZE, flag, ring_size};
use crate::uapi::map_type;

/// The section of the variables that define maps.
pub(super) const MAPS: &str = ".maps";

/// The section that LLVM puts the global variables of an arena in.
const ARENA_DATA: &str = ".addr_space.1";
/// `LIBBPF_PIN_BY_NAME`.
pub(super) const PIN_BY_NAME: u32 = 1;

/// The maps of an object, and where in its sections they are.
#[derive(Default)]
pub(super) struct Maps {
    pub definitions: Vec<Arc<MapDefinition>>,
    /// By section index and offset.
    variables: HashMap<(usize, u64), usize>,
    /// By section index: where its first byte is.
    data: HashMap<usize, Start>,
    /// The map of `.kconfig`.
    host: Option<usize>,
}

/// Where a section of data begins.
struct Start {
    /// Index into [`Maps::definitions`].
    map: usize,
    /// In the map, in bytes.
    offset: u32,
}

/// What an instruction can refer to.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Index into [`Maps::definitions`].
    pub map: usize,
    /// In the first value, in bytes; none: the map itself.
    pub offset: Option<u32>,
}

impl Maps {
    pub fn of(elf: &Elf<'_>, btf: Option<&Btf>, externs: &Externs<'_>) -> Result<Self, ObjectError> {
        let mut maps = Self::default();
        let mut tags = btf.map(Tags::of).transpose()?.unwrap_or_default();
        match (elf.section_index(MAPS), btf) {
            (Some(section), Some(btf)) => maps.add_variables(section, btf, &mut tags)?,
            (Some(section), None) if elf.sections[section].size > 0 => {
                return Err(ObjectError::NoBtf(format!("each map in `{MAPS}`")));
            }
            _ => {}
        }
        for OldMap { section, offset, mut definition } in old_maps(elf)? {
            round(&mut definition)?;
            maps.variables.insert((section, offset), maps.definitions.len());
            maps.definitions.push(Arc::new(definition));
        }
        let mut size = 0;
        for (index, section) in elf.sections.iter().enumerate() {
            if section.size == 0 {
                continue;
            }
            if let Some(definition) = global_data(section, btf, &mut tags)? {
                // Sections may share their bytes in the file.
                size += definition.contents.len();
                if size > MAX_SIZE {
                    return Err(ObjectError::TooLarge);
                }
                maps.data.insert(index, Start { map: maps.definitions.len(), offset: 0 });
                maps.definitions.push(Arc::new(definition));
            }
            if section.name == ARENA_DATA {
                maps.add_arena_data(index, section)?;
            }
        }
        if !externs.host.is_empty() {
            maps.host = Some(maps.definitions.len());
            maps.definitions.push(Arc::new(host_map(externs, btf, &mut tags)?));
        }
        if let Some(btf) = btf {
            tags.finish(btf, &maps.definitions)?;
        }
        Ok(maps)
    }

    /// Puts the global variables of an arena into its last pages, as libbpf does since 1.7.
    fn add_arena_data(&mut self, index: usize, section: &Section<'_>) -> Result<(), ObjectError> {
        let problem = |problem| ObjectError::Section { section: ARENA_DATA.to_owned(), problem };
        let is_arena = |map: &Arc<MapDefinition>| map.map_type == map_type::ARENA;
        let arenas: Vec<_> =
            (0..self.definitions.len()).filter(|map| is_arena(&self.definitions[*map])).collect();
        let [arena] = arenas[..] else {
            return Err(problem("has variables, but there is not exactly one arena to put them in"));
        };
        let definition = Arc::make_mut(&mut self.definitions[arena]);
        if definition.has_size_parameter() {
            return Err(problem(
                "has variables, whose place depends on the arena's size: that can't be a parameter",
            ));
        }
        let size = u64::from(definition.max_entries) * u64::from(PAGE_SIZE);
        let offset = size
            .checked_sub(section.size.next_multiple_of(PAGE_SIZE.into()))
            .ok_or_else(|| problem("is larger than the arena"))?;
        let offset = offset.try_into().map_err(|_| problem("is in an arena of more than 4 GiB"))?;
        definition.contents = section.data.to_vec();
        self.data.insert(index, Start { map: arena, offset });
        Ok(())
    }

    fn add_variables(&mut self, section: usize, btf: &Btf, tags: &mut Tags) -> Result<(), ObjectError> {
        let Some(variables) = btf.data_section(MAPS)?.map(|section| section.variables) else { return Ok(()) };
        for variable in &variables {
            let mut definition = Definition::new(variable.name, btf).parse(variable.type_id)?;
            tags.take_size(&mut definition, variable, &variables)?;
            self.variables.insert((section, variable.offset.into()), self.definitions.len());
            self.definitions.push(Arc::new(definition));
        }
        Ok(())
    }

    /// Where a variable of `.kconfig` is.
    pub fn host_place(&self, variable: &HostVariable) -> Option<Place> {
        self.host.map(|map| Place { map, offset: Some(variable.offset) })
    }

    /// What is at `offset` + `addend` of a section.
    pub fn place(&self, section: usize, offset: u64, addend: i32) -> Option<Place> {
        if let Some(&Start { map, offset: start }) = self.data.get(&section) {
            let offset = offset.checked_add_signed(addend.into())?.checked_add(start.into())?;
            return Some(Place { map, offset: Some(offset.try_into().ok()?) });
        }
        // A map has no inside.
        let map = *self.variables.get(&(section, offset)).filter(|_| addend == 0)?;
        Some(Place { map, offset: None })
    }
}

/// The map for `.kconfig`. What is in it is for the host to say: each number is a parameter. With a text in it, which can't
/// be one, it is not frozen while programs are loaded, since a signature covers what is in a frozen map.
fn host_map(externs: &Externs<'_>, btf: Option<&Btf>, tags: &mut Tags) -> Result<MapDefinition, ObjectError> {
    let problem = |problem: &str| ObjectError::Map { map: KCONFIG.to_owned(), problem: problem.to_owned() };
    let end = externs.host.last().and_then(|last| last.offset.checked_add(last.size));
    let described = btf.map(|btf| btf.data_section(KCONFIG)).transpose()?.flatten();
    let variables = described.as_ref().map_or(&[][..], |described| &described.variables);
    let parameters = variables.iter().filter(|variable| tags.take_host(variable)).count();
    if parameters != 0 && parameters != variables.len() {
        return Err(problem(match externs.has_host_numbers() {
            true => "has a parameter, and numbers that are none: --constant-kconfig makes parameters of them",
            false => "has a parameter, and a text, which can't be one",
        }));
    }
    Ok(MapDefinition {
        name: KCONFIG.to_owned(),
        map_type: map_type::ARRAY,
        key_size: 4,
        value_size: end.ok_or_else(|| problem("has 4 GiB or more"))?,
        max_entries: 1,
        // libbpf makes mappable what other objects can see.
        flags: flag::RDONLY_PROG | described.as_ref().map_or(0, |_| flag::MMAPABLE),
        btf_value_type_id: described.map_or(0, |described| described.type_id),
        host: externs.host.clone(),
        frozen: parameters != 0,
        ..MapDefinition::default()
    })
}

/// The map for a section, if it is one of global data.
fn global_data(
    section: &Section<'_>,
    btf: Option<&Btf>,
    tags: &mut Tags,
) -> Result<Option<MapDefinition>, ObjectError> {
    let is = |name: &str| {
        section.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let (map_type, contents, frozen) = match section.kind {
        SectionKind::Data if is(".data") => (map_type::ARRAY, section.data, false),
        SectionKind::Data if is(".percpu") => (map_type::PERCPU_ARRAY, section.data, false),
        SectionKind::Data if is(".rodata") => (map_type::ARRAY, section.data, true),
        SectionKind::ZeroData if is(".bss") => (map_type::ARRAY, &[][..], false),
        _ => return Ok(None),
    };
    // The kernel takes no other characters.
    let name = section.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.', "_");
    let map = Definition::new(&name, btf);
    let value_size = u32::try_from(section.size).map_err(|_| map.problem("has 4 GiB or more"))?;
    // Sections of string literals have no description.
    let described = match btf {
        Some(btf) => btf.data_section(section.name)?,
        None => None,
    };
    let mut flags = if frozen { flag::RDONLY_PROG } else { 0 };
    let mut btf_value_type_id = 0;
    if let Some(described) = &described {
        if described.is_visible && map_type == map_type::ARRAY {
            flags |= flag::MMAPABLE;
        }
        // Else the kernel refuses the type.
        if described.size == value_size {
            btf_value_type_id = described.type_id;
        }
    }
    let mut map = MapDefinition {
        name: map.name.to_owned(),
        map_type,
        key_size: 4,
        value_size,
        max_entries: 1,
        flags,
        btf_value_type_id,
        contents: contents.to_vec(),
        frozen,
        ..MapDefinition::default()
    };
    if let (Some(btf), Some(described), true) = (btf, described, frozen) {
        tags.take_constants(&mut map, btf, &described.variables)?;
    }
    Ok(Some(map))
}

/// Rounds the size of a map as libbpf does.
fn round(map: &mut MapDefinition) -> Result<(), ObjectError> {
    match map.map_type {
        map_type::RINGBUF | map_type::USER_RINGBUF => map.max_entries = ring_size(map.max_entries),
        map_type::LRU_HASH | map_type::LRU_PERCPU_HASH if map.flags & flag::NO_COMMON_LRU != 0 => {
            return Err(ObjectError::Map {
                map: map.name.clone(),
                problem: "has BPF_F_NO_COMMON_LRU: its size depends on the number of CPUs".to_owned(),
            });
        }
        _ => {}
    }
    Ok(())
}

/// Reads the definition of a map from the members of a struct, which say everything by their types.
struct Definition<'d, B> {
    name: &'d str,
    btf: B,
}

impl<'d, B> Definition<'d, B> {
    fn new(name: &'d str, btf: B) -> Self {
        Self { name, btf }
    }

    fn problem(&self, problem: impl Into<String>) -> ObjectError {
        ObjectError::Map { map: self.name.to_owned(), problem: problem.into() }
    }
}

impl Definition<'_, &Btf> {
    fn parse(&self, type_id: u32) -> Result<MapDefinition, ObjectError> {
        let mut map = self.members(type_id, true)?;
        self.finish(&mut map)?;
        if let Some(inner) = &mut map.inner {
            self.finish(inner)?;
        }
        Ok(map)
    }

    fn members(&self, type_id: u32, may_nest: bool) -> Result<MapDefinition, ObjectError> {
        if !self.btf.is_struct(type_id) {
            return Err(self.problem("is not defined by a struct"));
        }
        let (_, members) = self.btf.structure(type_id)?;
        let mut map = MapDefinition { name: self.name.to_owned(), ..MapDefinition::default() };
        for member in &members {
            match member.name {
                "type" => map.map_type = self.number(member)?,
                "max_entries" => map.max_entries = self.number(member)?,
                "map_flags" => map.flags = self.number(member)?,
                "map_extra" => map.extra = self.long(member)?,
                "numa_node" => map.numa_node = self.number(member)?,
                "key_size" => self.set_size(&mut map.key_size, self.number(member)?, member)?,
                "value_size" => self.set_size(&mut map.value_size, self.number(member)?, member)?,
                "key" => {
                    map.btf_key_type_id = self.typed(&mut map.key_size, member)?;
                }
                "value" => {
                    map.btf_value_type_id = self.typed(&mut map.value_size, member)?;
                }
                "values" if may_nest => self.values(&mut map, member)?,
                "pinning" if may_nest => match self.number(member)? {
                    0 => map.pin_by_name = false,
                    PIN_BY_NAME => map.pin_by_name = true,
                    _ => return Err(self.problem("has a `pinning` that is not LIBBPF_PIN_BY_NAME")),
                },
                name => return Err(self.problem(format!("has a member `{name}`, which is not supported"))),
            }
        }
        if map.map_type == 0 {
            return Err(self.problem("has no type"));
        }
        Ok(map)
    }

    /// What a map of maps or a program array holds.
    fn values(&self, map: &mut MapDefinition, member: &Member<'_>) -> Result<(), ObjectError> {
        self.set_size(&mut map.value_size, 4, member)?;
        let element = self.btf.array(member.type_id).filter(|(_, length)| *length == 0);
        let Some(target) = element.and_then(|(element, _)| self.btf.pointee(element)) else {
            return Err(self.problem("has `values` that are not an array of pointers without a size"));
        };
        match map.map_type {
            map_type::ARRAY_OF_MAPS | map_type::HASH_OF_MAPS => {
                map.inner = Some(Box::new(self.members(target, false)?));
                Ok(())
            }
            map_type::PROG_ARRAY if self.btf.is_function(target) => Ok(()),
            _ => Err(self.problem("has `values` that do not fit its type")),
        }
    }

    /// A number, which is written as the length of an array that a pointer points to.
    fn number(&self, member: &Member<'_>) -> Result<u32, ObjectError> {
        self.btf
            .pointee(member.type_id)
            .and_then(|array| self.btf.array(array))
            .map(|(_, length)| length)
            .ok_or_else(|| self.problem(format!("has a `{}` that is not a number", member.name)))
    }

    /// A number of 64 bits, which is written as the value of an enum.
    fn long(&self, member: &Member<'_>) -> Result<u64, ObjectError> {
        match self.btf.single_value(member.type_id) {
            Some(value) => Ok(value),
            None => self.number(member).map(u64::from),
        }
    }

    /// The type that a pointer points to; sets its size.
    fn typed(&self, size: &mut u32, member: &Member<'_>) -> Result<u32, ObjectError> {
        let type_id = self.btf.pointee(member.type_id);
        let Some((type_id, found)) = type_id.and_then(|id| Some((id, self.btf.size(id)?))) else {
            return Err(
                self.problem(format!("has a `{}` that is not a pointer to a type with a size", member.name))
            );
        };
        self.set_size(size, found, member)?;
        Ok(type_id)
    }

    fn set_size(&self, size: &mut u32, found: u32, member: &Member<'_>) -> Result<(), ObjectError> {
        if *size != 0 && *size != found {
            return Err(
                self.problem(format!("has sizes that contradict each other: {size} and `{}`", member.name))
            );
        }
        *size = found;
        Ok(())
    }

    /// Does what libbpf does when it creates a map.
    fn finish(&self, map: &mut MapDefinition) -> Result<(), ObjectError> {
        if !self.takes_types(map) {
            (map.btf_key_type_id, map.btf_value_type_id) = (0, 0);
        }
        round(map)
    }

    /// Whether the kernel takes type ids for the map. If it does not, libbpf creates the map without.
    fn takes_types(&self, map: &MapDefinition) -> bool {
        let (key, value) = (map.btf_key_type_id, map.btf_value_type_id);
        if value == 0 {
            return false;
        }
        match map.map_type {
            map_type::PROG_ARRAY
            | map_type::PERF_EVENT_ARRAY
            | map_type::STACK_TRACE
            | map_type::CGROUP_ARRAY
            | map_type::ARRAY_OF_MAPS
            | map_type::HASH_OF_MAPS
            | map_type::DEVMAP
            | map_type::DEVMAP_HASH
            | map_type::SOCKMAP
            | map_type::SOCKHASH
            | map_type::CPUMAP
            | map_type::XSKMAP
            | map_type::QUEUE
            | map_type::STACK
            | map_type::ARENA => false,
            map_type::BLOOM_FILTER => key == 0,
            map_type::ARRAY
            | map_type::PERCPU_ARRAY
            | map_type::SK_STORAGE
            | map_type::INODE_STORAGE
            | map_type::TASK_STORAGE
            | map_type::CGRP_STORAGE => self.btf.is_int32(key),
            map_type::LPM_TRIE => self.btf.is_struct(key),
            _ => key != 0,
        }
    }
}
