//! Makes parameters of variables that have no such tag in the source of an object.

use super::elf::Elf;
use super::error::listed;
use super::maps::MAPS;
use super::{ObjectError, parameters, split};
use crate::btf::{Btf, BtfError, kind};
use crate::embed;
use crate::parameter::Range;

/// The object with a tag for each variable that is named, as if its source had them: a constant in `.rodata`, or a map.
///
/// Of a constant that is an array or a struct, the name is that of the variable, for all numbers in it, or goes on with
/// members and indexes: `conf.ports.0`. Such a variable becomes one for each number. Of several names that a number has, the
/// longest counts.
///
/// # Errors
///
/// It is not an object with BTF, or does not have exactly one variable of a name.
pub fn annotate(object: &[u8], ranges: &[(String, Range)]) -> Result<Vec<u8>, ObjectError> {
    let elf = Elf::parse(object)?;
    let missing = BtfError("is missing, which is where parameters are noted: compile the object with -g");
    let index = elf.section_index(".BTF").ok_or(missing)?;
    let mut btf = Btf::parse(elf.sections[index].data)?;
    let mut in_parts: Vec<(u32, Vec<(String, Range)>)> = Vec::new();
    for (name, range) in ranges {
        let variable = variable(&btf, name)?;
        if is_whole(&btf, variable, name)? {
            btf.add_tag(&range.tag(), variable);
            continue;
        }
        let part = (name.clone(), *range);
        match in_parts.iter_mut().find(|(other, _)| *other == variable) {
            Some((_, parts)) => parts.push(part),
            None => in_parts.push((variable, vec![part])),
        }
    }
    for (variable, parts) in in_parts {
        split::split(&mut btf, &elf, variable, &parts)?;
    }
    embed::replace_section(object, index, &btf.into_bytes()).map_err(ObjectError::Rewrite)
}

/// The only variable of a name, or of the name up to its first dot. Whether a parameter can be made of it is seen when the
/// object is read.
fn variable(btf: &Btf, name: &str) -> Result<u32, ObjectError> {
    let variables = |name: &str| {
        let is_it = |at: usize| btf.kind(at) == kind::VAR && btf.string(btf.word(at)) == Ok(name);
        let numbered = (1..).zip(btf.types());
        numbered.filter(|(_, at)| is_it(**at)).map(|(id, _)| id).collect::<Vec<u32>>()
    };
    let mut found = variables(name);
    if let Some((whole, _)) = name.split_once('.').filter(|_| found.is_empty()) {
        found = variables(whole);
    }
    match found[..] {
        [id] => Ok(id),
        [] => Err(parameters::problem(
            name,
            &format!("is not a variable of the object, which has {}", listed(candidates(btf).iter())),
        )),
        _ => Err(parameters::problem(name, "is the name of several variables")),
    }
}

/// The names of variables that parameters can be made of: constants and maps.
fn candidates(btf: &Btf) -> Vec<String> {
    let is_for_them = |name: &str| name == MAPS || name == ".rodata" || name.starts_with(".rodata.");
    let sections = btf
        .types()
        .iter()
        .filter(|at| btf.kind(**at) == kind::DATASEC && btf.string(btf.word(**at)).is_ok_and(is_for_them));
    let variables = sections.flat_map(|at| btf.entries(*at));
    variables.filter_map(|entry| btf.name(btf.word(entry)).ok().map(str::to_owned)).collect()
}

/// Whether a parameter is made of a variable as it is: of a map, and of a number.
fn is_whole(btf: &Btf, variable: u32, name: &str) -> Result<bool, ObjectError> {
    let at = btf.type_offset(variable).expect("it has been found");
    let is_number = btf.number(btf.word(at + 8)).is_some();
    let maps = btf.find(kind::DATASEC, MAPS).and_then(|id| btf.type_offset(id));
    let is_map = maps.is_some_and(|maps| btf.entries(maps).any(|entry| btf.word(entry) == variable));
    if (is_number || is_map) && btf.name(variable)? != name {
        return Err(parameters::problem(name, "is a part of something that has none"));
    }
    Ok(is_number || is_map)
}
