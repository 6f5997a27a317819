//! Makes parameters of variables that have no such tag in the source of an object.

use super::elf::Elf;
use super::{ObjectError, parameters};
use crate::btf::{Btf, BtfError, kind};
use crate::embed;
use crate::parameter::Range;

/// The object with a tag for each variable that is named, as if its source had them: a constant in `.rodata`, or a map.
///
/// # Errors
///
/// It is not an object with BTF, or does not have exactly one variable of a name.
pub fn annotate(object: &[u8], ranges: &[(String, Range)]) -> Result<Vec<u8>, ObjectError> {
    let elf = Elf::parse(object)?;
    let missing = BtfError("is missing, which is where parameters are noted: compile the object with -g");
    let index = elf.section_index(".BTF").ok_or(missing)?;
    let mut btf = Btf::parse(elf.sections[index].data)?;
    for (name, range) in ranges {
        let variable = variable(&btf, name)?;
        btf.add_tag(&range.tag(), variable);
    }
    embed::replace_section(object, index, &btf.into_bytes()).map_err(ObjectError::Rewrite)
}

/// The only variable of a name. Whether a parameter can be made of it is seen when the object is read.
fn variable(btf: &Btf, name: &str) -> Result<u32, ObjectError> {
    let is_it = |at: usize| btf.kind(at) == kind::VAR && btf.string(btf.word(at)) == Ok(name);
    let mut found = (1..).zip(btf.types()).filter(|(_, at)| is_it(**at)).map(|(id, _)| id);
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(parameters::problem(name, "is not a variable of the object")),
        (Some(_), Some(_)) => Err(parameters::problem(name, "is the name of several variables")),
    }
}
