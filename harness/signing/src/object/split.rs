//! Replaces a constant that is an array or a struct, in an object's BTF, with a variable for each number in it that is to be
//! a parameter: only numbers can be. The instructions refer to constants by their place and notice nothing.

use super::ObjectError;
use super::elf::Elf;
use super::parameters::problem;
use crate::btf::{Btf, BtfError, TYPE_SIZE, kind, linkage};
use crate::parameter::{MAX_PARAMETERS, Range};

/// What a variable becomes.
struct Part {
    name: String,
    type_id: u32,
    /// In the data section, in bytes.
    offset: u32,
    size: u32,
    range: Option<Range>,
}

/// Splits a variable and tags what `ranges` name of it.
pub(super) fn split(
    btf: &mut Btf,
    elf: &Elf<'_>,
    variable: u32,
    ranges: &[(String, Range)],
) -> Result<(), ObjectError> {
    let at = btf.type_offset(variable).ok_or(BtfError("refers to a type that does not exist"))?;
    let name = btf.name(variable)?.to_owned();
    let (section, entry) = place(btf, variable)
        .filter(|(section, _)| btf.string(btf.word(*section)).is_ok_and(|name| name.starts_with(".rodata")))
        .ok_or_else(|| problem(&name, "is neither in `.rodata` nor a map in `.maps`"))?;
    let offset = offset(btf, elf, section, entry)?;

    let mut parts = Vec::new();
    let splitter = Splitter { btf, ranges };
    splitter.add(&name, btf.word(at + 8), offset, &mut parts)?;
    let nothing = ranges.iter().find(|(name, _)| !parts.iter().any(|part| is_within(&part.name, name)));
    if let Some((name, _)) = nothing {
        return Err(problem(name, "is not in the variable"));
    }

    let mut entries = Vec::new();
    for part in parts {
        let id = btf.add_static_variable(&part.name, part.type_id);
        if let Some(range) = part.range {
            btf.add_tag(&range.tag(), id);
        }
        entries.push([id, part.offset, part.size]);
    }
    btf.replace_variable(section, entry, &entries);
    Ok(())
}

/// The data section that a variable is in, and its entry there.
fn place(btf: &Btf, variable: u32) -> Option<(usize, usize)> {
    let sections = btf.types().iter().filter(|at| btf.kind(**at) == kind::DATASEC);
    let mut entries = sections.flat_map(|section| btf.entries(*section).map(|entry| (*section, entry)));
    entries.find(|(_, entry)| btf.word(*entry) == variable)
}

/// Where a variable is in its section. The compiler leaves it to the symbol of a variable that is visible.
fn offset(btf: &Btf, elf: &Elf<'_>, section: usize, entry: usize) -> Result<u32, ObjectError> {
    let var = btf.var(entry)?;
    let is_complete = btf.word(section + 8) != 0 || btf.word(var + TYPE_SIZE) == linkage::STATIC;
    if is_complete {
        return Ok(btf.word(entry + 4));
    }
    let name = btf.string(btf.word(var))?;
    let symbol = elf.symbols.iter().find(|symbol| symbol.name == name && symbol.section.is_some());
    let offset = symbol.and_then(|symbol| u32::try_from(symbol.offset).ok());
    Ok(offset.ok_or(BtfError("describes a variable that the object does not have"))?)
}

/// Whether `inner` is `outer`, or in it.
fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

struct Splitter<'a> {
    btf: &'a Btf,
    ranges: &'a [(String, Range)],
}

impl Splitter<'_> {
    /// Adds what a value becomes: itself, if nothing in it is to be a parameter. Of an array, what is left has no name any more.
    fn add(&self, name: &str, type_id: u32, offset: u32, parts: &mut Vec<Part>) -> Result<(), ObjectError> {
        let around = self.ranges.iter().filter(|(outer, _)| is_within(name, outer));
        let range = around.max_by_key(|(outer, _)| outer.len()).map(|(_, range)| *range);
        let is_split = range.is_some() || self.ranges.iter().any(|(inner, _)| is_within(inner, name));
        let type_id = self.btf.behind(type_id).ok_or(BtfError("refers to a type that does not exist"))?;
        let number = self.btf.number(type_id);
        if !is_split || number.is_some() {
            if parts.len() == MAX_PARAMETERS {
                return Err(problem(name, &format!("is one of more than {MAX_PARAMETERS} parts")));
            }
            let size = self.btf.size(type_id).ok_or(BtfError("has a variable without a size"))?;
            let range = range.filter(|_| number.is_some());
            parts.push(Part { name: name.to_owned(), type_id, offset, size, range });
            return Ok(());
        }
        if let Some((element, length)) = self.btf.array(type_id) {
            let size = self.btf.size(element).ok_or(BtfError("has an array of something without a size"))?;
            let indexes = if range.is_some() { (0..length).collect() } else { self.indexes(name, length) };
            for index in indexes {
                let at = size.checked_mul(index).and_then(|at| at.checked_add(offset));
                let at = at.ok_or(BtfError("has a variable out of range"))?;
                self.add(&format!("{name}.{index}"), element, at, parts)?;
            }
            return Ok(());
        }
        if !self.btf.is_struct(type_id) {
            return Err(problem(name, "has a type that is neither a number nor made of numbers"));
        }
        for member in self.btf.structure(type_id)?.1 {
            let inner = match member.name {
                "" => name.to_owned(),
                member => format!("{name}.{member}"),
            };
            if !member.is_bit_field {
                let at = offset.checked_add(member.offset).ok_or(BtfError("has a variable out of range"))?;
                self.add(&inner, member.type_id, at, parts)?;
            } else if self.ranges.iter().any(|(outer, _)| is_within(&inner, outer)) {
                return Err(problem(&inner, "is a bit field"));
            }
        }
        Ok(())
    }

    /// The elements of an array in which something is to be a parameter.
    fn indexes(&self, name: &str, length: u32) -> Vec<u32> {
        let rests = self.ranges.iter().filter_map(|(inner, _)| inner.strip_prefix(name)?.strip_prefix('.'));
        let numbers = rests.filter_map(|rest| rest.split('.').next()?.parse().ok());
        let mut indexes: Vec<u32> = numbers.filter(|index| *index < length).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}
