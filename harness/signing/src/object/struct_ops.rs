//! Variables that hold a table of functions for the kernel: they say what their functions attach to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::ObjectError;
use super::btf::Btf;
use super::elf::Elf;
use super::functions::Function;
use crate::program::Attach;

const SECTIONS: [&str; 4] = [".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link"];

/// What each function that is in such a table attaches to.
pub(super) fn targets(
    elf: &Elf<'_>,
    btf: &Btf,
    functions: &[Function<'_>],
) -> Result<HashMap<usize, Attach>, ObjectError> {
    let mut targets = HashMap::new();
    for name in SECTIONS {
        let Some(section) = elf.section(name) else { continue };
        let problem = |problem| ObjectError::Section { section: name.to_owned(), problem };
        let variables = btf.data_section(name)?.map_or_else(Vec::new, |section| section.variables);
        let mut tables = HashMap::new();
        for relocation in &section.relocations {
            let symbol = &elf.symbols[relocation.symbol];
            let function = functions
                .binary_search_by_key(&(symbol.section, symbol.offset), |f| {
                    (Some(f.section), f.offset as u64)
                })
                .map_err(|_| problem("refers to something else than a function"))?;
            let offset = relocation.offset as usize;
            let last = variables.partition_point(|variable| variable.offset <= offset);
            let variable = last.checked_sub(1).map(|last| &variables[last]);
            let variable = variable.ok_or_else(|| problem("has a function that is in no variable"))?;
            let table = match tables.entry(variable.type_id) {
                Entry::Occupied(table) => table.into_mut(),
                Entry::Vacant(table) => table.insert(Table::of(btf, variable.type_id)?),
            };
            let member = table
                .members
                .get(&(offset - variable.offset))
                .ok_or_else(|| problem("has a function that is in no member of its struct"))?;
            let attach = Attach::KernelType {
                object: "vmlinux".to_owned(),
                name: table.name.to_owned(),
                member: (*member).to_owned(),
            };
            if targets.insert(function, attach.clone()).is_some_and(|other| other != attach) {
                return Err(functions[function].problem("is used for two different members of struct_ops"));
            }
        }
    }
    Ok(targets)
}

/// A struct_ops type.
struct Table<'b> {
    name: &'b str,
    /// Names by offset, in bytes.
    members: HashMap<usize, &'b str>,
}

impl<'b> Table<'b> {
    fn of(btf: &'b Btf, type_id: u32) -> Result<Self, ObjectError> {
        let (name, members) = btf.structure(type_id)?;
        let members = members.iter().map(|member| (member.offset, member.name)).collect();
        Ok(Self { name: without_flavor(name), members })
    }
}

/// What follows three underscores distinguishes versions of a struct within the object; the kernel does not know it.
fn without_flavor(name: &str) -> &str {
    name.split_once("___").map_or(name, |(name, _)| name)
}
