//! The object's BTF, and what has to be completed before a kernel takes it.

use std::collections::HashMap;

use super::ObjectError;
use super::elf::Elf;

/// `magic` of `struct btf_header` and `struct btf_ext_header`.
pub(super) const MAGIC: u16 = 0xeb9f;
const HEADER_SIZE: usize = 24;
const TYPE_SIZE: usize = 12;
/// Of an entry of a struct or a data section.
const ENTRY_SIZE: usize = 12;

/// `BTF_KIND_*`, those that are looked at.
mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const FLOAT: u32 = 16;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// Linkage of functions and variables.
mod linkage {
    pub const STATIC: u32 = 0;
    pub const GLOBAL: u32 = 1;
}

/// A variable of a data section, or a member of a struct.
pub(super) struct Field<'b> {
    pub name: &'b str,
    pub type_id: u32,
    /// In the section or in the struct, in bytes.
    pub offset: usize,
}

/// A data section.
pub(super) struct DataSection<'b> {
    pub type_id: u32,
    /// In bytes.
    pub size: u32,
    pub variables: Vec<Field<'b>>,
    /// Whether it has a variable that is visible outside of the object.
    pub is_visible: bool,
}

/// BTF whose types and strings are known to be in range.
pub(super) struct Btf {
    bytes: Vec<u8>,
    /// Where each type starts in `bytes`, by id - 1.
    types: Vec<usize>,
    strings: std::ops::Range<usize>,
}

impl Btf {
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        let bytes = bytes.to_vec();
        if bytes.len() < HEADER_SIZE {
            return Err(ObjectError::Btf("is shorter than its header"));
        }
        if bytes[..2] != MAGIC.to_le_bytes() || bytes[2] != 1 {
            return Err(ObjectError::Btf("has a wrong magic or version"));
        }
        let header = word(&bytes, 4) as usize;
        let range = |offset: usize| {
            let start = header.checked_add(word(&bytes, offset) as usize)?;
            let end = start.checked_add(word(&bytes, offset + 4) as usize)?;
            (header >= HEADER_SIZE && end <= bytes.len()).then_some(start..end)
        };
        let (Some(types), Some(strings)) = (range(8), range(16)) else {
            return Err(ObjectError::Btf("has types or strings outside of the section"));
        };
        if !bytes[strings.clone()].ends_with(&[0]) {
            return Err(ObjectError::Btf("has strings that do not end"));
        }
        let types = type_offsets(&bytes, types)?;
        Ok(Self { bytes, types, strings })
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The string at `offset` of the string section.
    pub fn string(&self, offset: u32) -> Result<&str, ObjectError> {
        let bytes = self.bytes[self.strings.clone()]
            .get(offset as usize..)
            .and_then(|bytes| bytes.split(|byte| *byte == 0).next())
            .ok_or(ObjectError::Btf("refers to a string outside of the section"))?;
        std::str::from_utf8(bytes).map_err(|_| ObjectError::Text)
    }

    /// A data section, if the BTF describes it. To be read once the BTF is complete.
    pub fn data_section(&self, name: &str) -> Result<Option<DataSection<'_>>, ObjectError> {
        for (index, &at) in self.types.iter().enumerate() {
            if self.kind(at) != kind::DATASEC || self.string(self.word(at))? != name {
                continue;
            }
            let mut is_visible = false;
            let mut variables = Vec::new();
            for entry in self.entries(at) {
                is_visible |= self.word(self.var(entry)? + TYPE_SIZE) != linkage::STATIC;
                variables.push(self.variable(entry)?);
            }
            let size = self.word(at + 8);
            return Ok(Some(DataSection { type_id: index as u32 + 1, size, variables, is_visible }));
        }
        Ok(None)
    }

    /// Name and members of the struct that a type is, but for qualifiers.
    pub fn structure(&self, type_id: u32) -> Result<(&str, Vec<Field<'_>>), ObjectError> {
        let at = self
            .unqualified(type_id)
            .filter(|at| self.kind(*at) == kind::STRUCT)
            .ok_or(ObjectError::Btf("has another type where a struct is needed"))?;
        let members = self.entries(at).map(|entry| {
            Ok(Field {
                name: self.string(self.word(entry))?,
                type_id: self.word(entry + 4),
                // With bit fields, the upper byte is their size.
                offset: (self.word(entry + 8) & 0xff_ffff) as usize / 8,
            })
        });
        Ok((self.string(self.word(at))?, members.collect::<Result<_, ObjectError>>()?))
    }

    /// What a pointer points to, but for its own qualifiers.
    pub fn pointee(&self, type_id: u32) -> Option<u32> {
        let at = self.unqualified(type_id)?;
        (self.kind(at) == kind::PTR).then(|| self.word(at + 8))
    }

    /// Element type and length of an array.
    pub fn array(&self, type_id: u32) -> Option<(u32, u32)> {
        let at = self.type_offset(type_id)?;
        (self.kind(at) == kind::ARRAY).then(|| (self.word(at + TYPE_SIZE), self.word(at + TYPE_SIZE + 8)))
    }

    /// The value of an enum that has a single one.
    pub fn single_value(&self, type_id: u32) -> Option<u64> {
        let at = self.unqualified(type_id)?;
        let value = at + TYPE_SIZE + 4;
        match (self.kind(at), self.vlen(at)) {
            (kind::ENUM, 1) => Some(i64::from(self.word(value) as i32) as u64),
            (kind::ENUM64, 1) => Some(u64::from(self.word(value)) | u64::from(self.word(value + 4)) << 32),
            _ => None,
        }
    }

    pub fn is_function(&self, type_id: u32) -> bool {
        self.unqualified(type_id).is_some_and(|at| self.kind(at) == kind::FUNC_PROTO)
    }

    pub fn is_struct(&self, type_id: u32) -> bool {
        self.unqualified(type_id).is_some_and(|at| self.kind(at) == kind::STRUCT)
    }

    /// Whether a type is an integer of 32 bits.
    pub fn is_int32(&self, type_id: u32) -> bool {
        // Encoding, offset and number of bits.
        self.unqualified(type_id)
            .is_some_and(|at| self.kind(at) == kind::INT && self.word(at + TYPE_SIZE) & 0xff_00ff == 32)
    }

    /// Bytes that a value of a type takes.
    pub fn size(&self, mut type_id: u32) -> Option<u32> {
        let mut count = 1u32;
        // A chain that is longer than that is a circle.
        for _ in 0..32 {
            let at = self.type_offset(type_id)?;
            let size = match self.kind(at) {
                kind::INT
                | kind::STRUCT
                | kind::UNION
                | kind::ENUM
                | kind::ENUM64
                | kind::FLOAT
                | kind::DATASEC => self.word(at + 8),
                kind::PTR => 8,
                kind::TYPEDEF
                | kind::VOLATILE
                | kind::CONST
                | kind::RESTRICT
                | kind::TYPE_TAG
                | kind::DECL_TAG
                | kind::VAR => {
                    type_id = self.word(at + 8);
                    continue;
                }
                kind::ARRAY => {
                    let (element, length) = self.array(type_id)?;
                    count = count.checked_mul(length)?;
                    type_id = element;
                    continue;
                }
                _ => return None,
            };
            return size.checked_mul(count);
        }
        None
    }

    fn variable(&self, entry: usize) -> Result<Field<'_>, ObjectError> {
        let var = self.var(entry)?;
        Ok(Field {
            name: self.string(self.word(var))?,
            type_id: self.word(var + 8),
            offset: self.word(entry + 4) as usize,
        })
    }

    /// Where the type behind typedefs and qualifiers starts.
    fn unqualified(&self, mut type_id: u32) -> Option<usize> {
        // A chain that is longer than that is a circle.
        for _ in 0..32 {
            let at = self.type_offset(type_id)?;
            match self.kind(at) {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    type_id = self.word(at + 8);
                }
                _ => return Some(at),
            }
        }
        None
    }

    /// Where the variable of an entry of a data section starts.
    fn var(&self, entry: usize) -> Result<usize, ObjectError> {
        self.type_offset(self.word(entry))
            .filter(|var| self.kind(*var) == kind::VAR)
            .ok_or(ObjectError::Btf("has a data section with something else than variables"))
    }

    /// Where the entries of a struct or a data section start.
    fn entries(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let entries = at + TYPE_SIZE;
        (entries..entries + ENTRY_SIZE * self.vlen(at) as usize).step_by(ENTRY_SIZE)
    }

    /// Fills in what the compiler leaves to the loader, as libbpf does: the sizes of data sections and the offsets
    /// of their variables, and the linkage of functions and variables that are hidden.
    pub fn complete(&mut self, elf: &Elf<'_>) -> Result<(), ObjectError> {
        let symbols: HashMap<&str, _> = elf
            .symbols
            .iter()
            .filter(|symbol| symbol.section.is_some() && !symbol.is_local)
            .map(|symbol| (symbol.name, symbol))
            .collect();
        for at in self.types.clone() {
            match self.kind(at) {
                kind::FUNC if self.vlen(at) == linkage::GLOBAL => {
                    let name = self.string(self.word(at))?;
                    if let Some(symbol) = symbols.get(name)
                        && symbol.is_hidden
                        && symbol.section == elf.text
                    {
                        let info = (self.word(at + 4) & !0xffff) | linkage::STATIC;
                        self.set_word(at + 4, info);
                    }
                }
                kind::DATASEC => self.complete_data_section(at, elf, &symbols)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn complete_data_section(
        &mut self,
        at: usize,
        elf: &Elf<'_>,
        symbols: &HashMap<&str, &super::elf::Symbol<'_>>,
    ) -> Result<(), ObjectError> {
        let name = self.string(self.word(at))?;
        // Externs have no symbol in a section: they are laid out when they are resolved.
        if matches!(name, ".ksyms" | ".kconfig") {
            return Ok(());
        }
        let unsized_by_compiler = self.word(at + 8) == 0;
        if unsized_by_compiler {
            let size = elf
                .section(name)
                .and_then(|section| u32::try_from(section.size).ok())
                .filter(|size| *size != 0)
                .ok_or(ObjectError::Btf("describes a data section that the object does not have"))?;
            self.set_word(at + 8, size);
        }
        for entry in self.entries(at) {
            let var = self.var(entry)?;
            if self.word(var + TYPE_SIZE) != linkage::GLOBAL {
                continue;
            }
            let symbol = *symbols
                .get(self.string(self.word(var))?)
                .ok_or(ObjectError::Btf("describes a variable that the object does not have"))?;
            if unsized_by_compiler {
                let offset = u32::try_from(symbol.offset)
                    .map_err(|_| ObjectError::Btf("has a variable out of range"))?;
                self.set_word(entry + 4, offset);
            }
            if symbol.is_hidden {
                self.set_word(var + TYPE_SIZE, linkage::STATIC);
            }
        }
        // The kernel wants the variables in order.
        let variables = at + TYPE_SIZE..at + TYPE_SIZE + ENTRY_SIZE * self.vlen(at) as usize;
        let (entries, _) = self.bytes[variables].as_chunks_mut::<ENTRY_SIZE>();
        entries.sort_by_key(|entry| word(entry, 4));
        Ok(())
    }

    fn type_offset(&self, id: u32) -> Option<usize> {
        self.types.get((id as usize).checked_sub(1)?).copied()
    }

    fn kind(&self, at: usize) -> u32 {
        self.word(at + 4) >> 24 & 0x1f
    }

    /// The number of entries; a function's linkage.
    fn vlen(&self, at: usize) -> u32 {
        self.word(at + 4) & 0xffff
    }

    fn word(&self, at: usize) -> u32 {
        word(&self.bytes, at)
    }

    fn set_word(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

/// Where each type starts; each is known to lie within `range`.
fn type_offsets(bytes: &[u8], range: std::ops::Range<usize>) -> Result<Vec<usize>, ObjectError> {
    let mut offsets = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let outside = ObjectError::Btf("has a type that crosses the end of the types");
        if range.end - at < TYPE_SIZE {
            return Err(outside);
        }
        let info = word(bytes, at + 4);
        let vlen = (info & 0xffff) as usize;
        let size = TYPE_SIZE
            + match info >> 24 & 0x1f {
                // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
                2 | 7..=12 | 16 | 18 => 0,
                // INT, VAR, DECL_TAG
                1 | 14 | 17 => 4,
                // ARRAY
                3 => 12,
                // STRUCT, UNION, DATASEC, ENUM64
                4 | 5 | 15 | 19 => 12 * vlen,
                // ENUM, FUNC_PROTO
                6 | 13 => 8 * vlen,
                _ => return Err(ObjectError::Btf("has a type of an unknown kind")),
            };
        if range.end - at < size {
            return Err(outside);
        }
        offsets.push(at);
        at += size;
    }
    Ok(offsets)
}

/// The 32-bit word at `at`, which must be in range.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}
