//! Variables that hold a table of functions for the kernel: they say what their functions attach to.

use std::collections::HashMap;

use super::elf::{Elf, Section, SectionKind};
use super::{EntryPoints, ObjectError};
use crate::btf::{Btf, Variable};
use crate::program::{Attach, VMLINUX};

const SECTIONS: [&str; 4] = [".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link"];

/// A table of functions for the kernel. The loader makes a `BPF_MAP_TYPE_STRUCT_OPS` of it: the kernel's type of that
/// name says where each member goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructOps {
    /// The name of the variable, and of the map.
    pub name: String,
    /// The name of the type in the kernel.
    pub type_name: String,
    /// It is attached by a link (`BPF_F_LINK`), not by filling the map.
    pub is_link: bool,
    /// It is created when the object is loaded; one in `?.struct_ops` is not, nor are its programs loaded.
    pub autocreate: bool,
    /// The initial value, in the layout that `members` describe.
    pub data: Vec<u8>,
    /// The members of the type, as the object knows it.
    pub members: Vec<StructOpsMember>,
}

/// A member of a [`StructOps`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructOpsMember {
    /// Its name in the kernel, too.
    pub name: String,
    /// In [`StructOps::data`], in bytes.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// The program that implements it: an index into [`Object::programs`](super::Object::programs).
    pub program: Option<usize>,
}

/// Whether the object has any, which its type information describes.
pub(super) fn are_in(elf: &Elf<'_>) -> bool {
    SECTIONS.iter().any(|name| elf.section(name).is_some())
}

/// All of an object, in the order of the sections.
pub(super) fn variables(
    elf: &Elf<'_>,
    btf: &Btf,
    entry_points: &EntryPoints,
) -> Result<Vec<StructOps>, ObjectError> {
    let mut tables = Vec::new();
    for section in SECTIONS.iter().filter_map(|name| elf.section(name)) {
        let problem = |problem| ObjectError::Section { section: section.name.to_owned(), problem };
        let variables = btf.data_section(section.name)?.map_or_else(Vec::new, |section| section.variables);
        let first = tables.len();
        for variable in &variables {
            tables.push(table(section, variable, btf)?);
        }
        for relocation in &section.relocations {
            let symbol = &elf.symbols[relocation.symbol];
            let program = symbol
                .section
                .and_then(|index| entry_points.get(&(index, symbol.offset)))
                .ok_or_else(|| problem("refers to something other than a program"))?;
            let after = variables.partition_point(|variable| u64::from(variable.offset) <= relocation.offset);
            let index =
                after.checked_sub(1).ok_or_else(|| problem("has a function that is in no variable"))?;
            let offset = relocation.offset - u64::from(variables[index].offset);
            tables[first + index]
                .members
                .iter_mut()
                .find(|member| u64::from(member.offset) == offset && member.size == 8)
                .ok_or_else(|| problem("has a function that is in no member of its struct"))?
                .program = Some(*program);
        }
    }
    Ok(tables)
}

fn table(section: &Section<'_>, variable: &Variable<'_>, btf: &Btf) -> Result<StructOps, ObjectError> {
    let problem = |problem: &str| ObjectError::StructOps {
        variable: variable.name.to_owned(),
        problem: problem.to_owned(),
    };
    if !btf.is_struct(variable.type_id) {
        return Err(problem("is not a struct"));
    }
    let (type_name, fields) = btf.structure(variable.type_id)?;
    if type_name.is_empty() {
        return Err(problem("has a type without a name"));
    }
    let size = btf.size(variable.type_id).unwrap_or_default();
    let data = match section.kind {
        SectionKind::ZeroData => vec![0; size as usize],
        _ => section
            .data
            .get(variable.offset as usize..)
            .and_then(|data| data.get(..size as usize))
            .ok_or_else(|| problem("crosses the end of its section"))?
            .to_vec(),
    };
    let mut members = Vec::new();
    for field in fields {
        let size = match btf.size(field.type_id) {
            Some(size) if !field.is_bit_field => size,
            _ => return Err(problem(&format!("has a member `{}` that is not made of bytes", field.name))),
        };
        if field.offset.checked_add(size).is_none_or(|end| end as usize > data.len()) {
            return Err(problem(&format!("has a member `{}` that crosses its end", field.name)));
        }
        members.push(StructOpsMember {
            name: field.name.to_owned(),
            offset: field.offset,
            size,
            program: None,
        });
    }
    Ok(StructOps {
        name: variable.name.to_owned(),
        type_name: without_flavor(type_name).to_owned(),
        is_link: section.name.ends_with(".link"),
        autocreate: !section.name.starts_with('?'),
        data,
        members,
    })
}

/// What each program that is in such a table attaches to, by its index.
pub(super) fn targets(tables: &[StructOps]) -> Result<HashMap<usize, Attach>, ObjectError> {
    let mut targets = HashMap::new();
    for table in tables {
        for member in &table.members {
            let Some(program) = member.program else { continue };
            let attach = Attach::KernelType {
                btf: VMLINUX.to_owned(),
                name: table.type_name.clone(),
                member: member.name.clone(),
            };
            if targets.insert(program, attach.clone()).is_some_and(|other| other != attach) {
                return Err(ObjectError::StructOps {
                    variable: table.name.clone(),
                    problem: format!(
                        "has a program for `{}` that is used for something else, too",
                        member.name
                    ),
                });
            }
        }
    }
    Ok(targets)
}

/// What follows three underscores distinguishes versions of a struct within the object; the kernel does not know it.
fn without_flavor(name: &str) -> &str {
    name.split_once("___").map_or(name, |(name, _)| name)
}
