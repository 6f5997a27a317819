//! BTF, the description of types: of an eBPF object, of a kernel, and of a kernel's modules.
//!
//! The format is specified in the kernel's `Documentation/bpf/btf.rst`.

use std::ops::Range;
use std::sync::Arc;

/// `magic` of `struct btf_header` and `struct btf_ext_header`.
pub(crate) const MAGIC: u16 = 0xeb9f;
const HEADER_SIZE: usize = 24;
/// Of `struct btf_type`.
pub(crate) const TYPE_SIZE: usize = 12;
/// Of an entry of a struct or a data section.
pub(crate) const ENTRY_SIZE: usize = 12;

/// `BTF_KIND_*`.
#[expect(missing_docs, reason = "the names of the specification")]
pub mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
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
pub(crate) mod linkage {
    pub const STATIC: u32 = 0;
    pub const GLOBAL: u32 = 1;
    pub const EXTERN: u32 = 2;
}

/// Why bytes are no BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("BTF {0}")]
pub struct BtfError(pub(crate) &'static str);

/// BTF whose types and strings are known to be in range.
#[derive(Debug)]
pub struct Btf {
    bytes: Vec<u8>,
    /// Where each type starts in `bytes`.
    types: Vec<usize>,
    strings: Range<usize>,
    base: Option<Arc<Btf>>,
}

/// A member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'b> {
    /// Its name; empty if it has none.
    pub name: &'b str,
    /// Its type.
    pub type_id: u32,
    /// In the struct, in bytes, rounded down for a bit field.
    pub offset: u32,
    /// It has a number of bits of its own instead of the size of its type.
    pub is_bit_field: bool,
}

/// A data section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataSection<'b> {
    pub type_id: u32,
    /// In bytes.
    pub size: u32,
    pub variables: Vec<Variable<'b>>,
    /// Whether it has a variable that is visible outside of the object.
    pub is_visible: bool,
}

/// A variable of a data section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variable<'b> {
    /// Of the variable itself.
    pub id: u32,
    pub name: &'b str,
    pub type_id: u32,
    /// In the section, in bytes.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
}

impl Btf {
    /// Reads the BTF of an object, or of the kernel (`/sys/kernel/btf/vmlinux`).
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self, BtfError> {
        Self::new(bytes.into(), None)
    }

    /// Reads the BTF of a module (`/sys/kernel/btf/MODULE`), whose types refer to those of `base`, the kernel's.
    pub fn parse_split(bytes: impl Into<Vec<u8>>, base: Arc<Btf>) -> Result<Self, BtfError> {
        Self::new(bytes.into(), Some(base))
    }

    fn new(bytes: Vec<u8>, base: Option<Arc<Btf>>) -> Result<Self, BtfError> {
        if bytes.len() < HEADER_SIZE {
            return Err(BtfError("is shorter than its header"));
        }
        if bytes[..2] != MAGIC.to_le_bytes() || bytes[2] != 1 {
            return Err(BtfError("has a wrong magic or version"));
        }
        let header = word(&bytes, 4) as usize;
        let range = |offset: usize| {
            let start = header.checked_add(word(&bytes, offset) as usize)?;
            let end = start.checked_add(word(&bytes, offset + 4) as usize)?;
            (header >= HEADER_SIZE && end <= bytes.len()).then_some(start..end)
        };
        let (Some(types), Some(strings)) = (range(8), range(16)) else {
            return Err(BtfError("has types or strings out of range"));
        };
        if types.start != header || types.end != strings.start || strings.end != bytes.len() {
            return Err(BtfError("does not consist of types and strings alone"));
        }
        // A module may have no strings of its own.
        let may_be_empty = base.is_some() && strings.is_empty();
        if !may_be_empty && !bytes[strings.clone()].ends_with(&[0]) {
            return Err(BtfError("has strings that do not end"));
        }
        if base.is_none() && !strings.is_empty() && bytes[strings.start] != 0 {
            return Err(BtfError(
                "is split: its types refer to those of another BTF, which is not in the file",
            ));
        }
        let types = type_offsets(&bytes, types)?;
        Ok(Self { bytes, types, strings, base })
    }

    /// The bytes, as `BPF_BTF_LOAD` takes them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The id of the first type with this kind ([`kind`]) and name, not looking into the base.
    pub fn find(&self, kind: u32, name: &str) -> Option<u32> {
        let is_it = |at: usize| self.kind(at) == kind && self.string(self.word(at)).is_ok_and(|n| n == name);
        self.types.iter().position(|at| is_it(*at)).map(|index| self.first_id() + index as u32)
    }

    /// The name of a type; empty if it has none.
    pub fn name(&self, type_id: u32) -> Result<&str, BtfError> {
        let (btf, at) = self.locate(type_id).ok_or(BtfError("refers to a type that does not exist"))?;
        btf.string(btf.word(at))
    }

    /// Name and members of the struct or union that a type is, but for typedefs and qualifiers.
    pub fn structure(&self, type_id: u32) -> Result<(&str, Vec<Member<'_>>), BtfError> {
        let (btf, at) = self
            .unqualified(type_id)
            .filter(|(btf, at)| matches!(btf.kind(*at), kind::STRUCT | kind::UNION))
            .ok_or(BtfError("has another type where a struct is needed"))?;
        let has_bit_fields = btf.word(at + 4) >> 31 != 0;
        let members = btf.entries(at).map(|entry| {
            let offset = btf.word(entry + 8);
            let (bits, offset) =
                if has_bit_fields { (offset >> 24, offset & 0xff_ffff) } else { (0, offset) };
            Ok(Member {
                name: btf.string(btf.word(entry))?,
                type_id: btf.word(entry + 4),
                offset: offset / 8,
                is_bit_field: bits != 0,
            })
        });
        Ok((btf.string(btf.word(at))?, members.collect::<Result<_, BtfError>>()?))
    }

    /// Bytes that a value of a type takes; `None` for one without a size, such as a function.
    pub fn size(&self, mut type_id: u32) -> Option<u32> {
        let mut count = 1u32;
        // A chain that is longer than that is a circle.
        for _ in 0..32 {
            let (btf, at) = self.locate(type_id)?;
            let size = match btf.kind(at) {
                kind::INT
                | kind::STRUCT
                | kind::UNION
                | kind::ENUM
                | kind::ENUM64
                | kind::FLOAT
                | kind::DATASEC => btf.word(at + 8),
                kind::PTR => 8,
                kind::TYPEDEF
                | kind::VOLATILE
                | kind::CONST
                | kind::RESTRICT
                | kind::TYPE_TAG
                | kind::DECL_TAG
                | kind::VAR => {
                    type_id = btf.word(at + 8);
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

    /// What a pointer points to, but for its own qualifiers.
    pub fn pointee(&self, type_id: u32) -> Option<u32> {
        let (btf, at) = self.unqualified(type_id)?;
        (btf.kind(at) == kind::PTR).then(|| btf.word(at + 8))
    }

    /// Element type and length of an array.
    pub fn array(&self, type_id: u32) -> Option<(u32, u32)> {
        let (btf, at) = self.locate(type_id)?;
        (btf.kind(at) == kind::ARRAY).then(|| (btf.word(at + TYPE_SIZE), btf.word(at + TYPE_SIZE + 8)))
    }

    /// The type behind typedefs and qualifiers, of BTF without a base.
    pub(crate) fn behind(&self, mut type_id: u32) -> Option<u32> {
        // A chain that is longer than that is a circle.
        for _ in 0..32 {
            let at = self.type_offset(type_id)?;
            if !is_qualifier(self.kind(at)) {
                return Some(type_id);
            }
            type_id = self.word(at + 8);
        }
        None
    }

    /// The value of an enum that has a single one.
    pub(crate) fn single_value(&self, type_id: u32) -> Option<u64> {
        let (btf, at) = self.unqualified(type_id)?;
        let value = at + TYPE_SIZE + 4;
        match (btf.kind(at), btf.vlen(at)) {
            (kind::ENUM, 1) => Some(i64::from(btf.word(value) as i32) as u64),
            (kind::ENUM64, 1) => Some(u64::from(btf.word(value)) | u64::from(btf.word(value + 4)) << 32),
            _ => None,
        }
    }

    /// Whether a type is a function prototype, but for typedefs and qualifiers.
    pub fn is_function(&self, type_id: u32) -> bool {
        self.unqualified(type_id).is_some_and(|(btf, at)| btf.kind(at) == kind::FUNC_PROTO)
    }

    /// Whether a type is a struct, but for typedefs and qualifiers.
    pub fn is_struct(&self, type_id: u32) -> bool {
        self.unqualified(type_id).is_some_and(|(btf, at)| btf.kind(at) == kind::STRUCT)
    }

    /// Whether a type is an integer of 32 bits.
    pub(crate) fn is_int32(&self, type_id: u32) -> bool {
        // Encoding, offset and number of bits.
        self.unqualified(type_id)
            .is_some_and(|(btf, at)| btf.kind(at) == kind::INT && btf.word(at + TYPE_SIZE) & 0xff_00ff == 32)
    }

    /// Bytes of a number, 1, 2, 4 or 8, and whether it can be negative; `None` if a type is something else.
    pub(crate) fn number(&self, type_id: u32) -> Option<(u32, bool)> {
        const SIGNED: u32 = 1;
        let (btf, at) = self.unqualified(type_id)?;
        let size = Some(btf.word(at + 8)).filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
        let is_signed = match btf.kind(at) {
            kind::INT => {
                // Encoding, offset and number of bits.
                let int = btf.word(at + TYPE_SIZE);
                if int & 0xff_00ff != 8 * size {
                    return None;
                }
                int >> 24 & SIGNED != 0
            }
            kind::ENUM | kind::ENUM64 => btf.word(at + 4) >> 31 != 0,
            _ => return None,
        };
        Some((size, is_signed))
    }

    /// Whether a type is nothing, but for typedefs and qualifiers.
    pub(crate) fn is_void(&self, mut type_id: u32) -> bool {
        // A chain that is longer than that is a circle.
        for _ in 0..32 {
            match self.locate(type_id) {
                Some((btf, at)) if is_qualifier(btf.kind(at)) => type_id = btf.word(at + 8),
                _ => break,
            }
        }
        type_id == 0
    }

    /// A data section, if there is one. To be read once the BTF is complete.
    pub(crate) fn data_section(&self, name: &str) -> Result<Option<DataSection<'_>>, BtfError> {
        let Some(type_id) = self.find(kind::DATASEC, name) else { return Ok(None) };
        let at = self.type_offset(type_id).expect("it has been found");
        let mut is_visible = false;
        let mut variables = Vec::new();
        for entry in self.entries(at) {
            let var = self.var(entry)?;
            is_visible |= self.word(var + TYPE_SIZE) != linkage::STATIC;
            variables.push(Variable {
                id: self.word(entry),
                name: self.string(self.word(var))?,
                type_id: self.word(var + 8),
                offset: self.word(entry + 4),
                size: self.word(entry + 8),
            });
        }
        Ok(Some(DataSection { type_id, size: self.word(at + 8), variables, is_visible }))
    }

    /// The string at `offset` of the strings, which follow those of the base.
    pub(crate) fn string(&self, offset: u32) -> Result<&str, BtfError> {
        let offset = offset as usize;
        let base_size = self.base.as_ref().map_or(0, |base| base.string_end());
        if let Some(base) = self.base.as_ref().filter(|_| offset < base_size) {
            return base.string(offset as u32);
        }
        let bytes = self.bytes[self.strings.clone()]
            .get(offset - base_size..)
            .and_then(|bytes| bytes.split(|byte| *byte == 0).next())
            .ok_or(BtfError("refers to a string out of range"))?;
        std::str::from_utf8(bytes).map_err(|_| BtfError("has a name that is not UTF-8"))
    }

    /// Appends a variable, which becomes the type with the last id. A BTF with a base can't be changed.
    pub(crate) fn add_variable(&mut self, name: &str, type_id: u32) -> u32 {
        self.add_type(name, kind::VAR, type_id, linkage::GLOBAL)
    }

    /// Appends a declaration tag of a variable.
    pub(crate) fn add_tag(&mut self, tag: &str, variable: u32) {
        const WHOLE: u32 = u32::MAX;
        self.add_type(tag, kind::DECL_TAG, variable, WHOLE);
    }

    fn add_type(&mut self, name: &str, kind: u32, type_id: u32, detail: u32) -> u32 {
        let name = self.add_string(name);
        let at = self.strings.start;
        let added = [name, kind << 24, type_id, detail];
        let size = size_of_val(&added);
        self.bytes.splice(at..at, added.iter().flat_map(|word| word.to_le_bytes()));
        self.types.push(at);
        self.strings = at + size..self.strings.end + size;
        self.set_word(12, self.word(12) + size as u32);
        self.set_word(16, self.word(16) + size as u32);
        self.types.len() as u32
    }

    /// The offset of a string, which is appended unless it is there already.
    fn add_string(&mut self, string: &str) -> u32 {
        let mut offset = 0;
        for existing in self.bytes[self.strings.clone()].split_inclusive(|byte| *byte == 0) {
            if existing.strip_suffix(&[0]) == Some(string.as_bytes()) {
                return offset;
            }
            offset += existing.len() as u32;
        }
        self.bytes.extend(string.bytes().chain([0]));
        self.strings.end = self.bytes.len();
        self.set_word(20, self.strings.len() as u32);
        offset
    }

    /// Where each of the types starts, in the order of their ids.
    pub(crate) fn types(&self) -> &[usize] {
        &self.types
    }

    /// Where the variable of an entry of a data section starts.
    pub(crate) fn var(&self, entry: usize) -> Result<usize, BtfError> {
        self.type_offset(self.word(entry))
            .filter(|var| self.kind(*var) == kind::VAR)
            .ok_or(BtfError("has a data section with something else than variables"))
    }

    /// Where the entries of a struct or a data section start.
    pub(crate) fn entries(&self, at: usize) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let entries = at + TYPE_SIZE;
        (entries..entries + ENTRY_SIZE * self.vlen(at) as usize).step_by(ENTRY_SIZE)
    }

    /// Where a type starts that is not in the base.
    pub(crate) fn type_offset(&self, type_id: u32) -> Option<usize> {
        self.types.get(type_id.checked_sub(self.first_id())? as usize).copied()
    }

    pub(crate) fn kind(&self, at: usize) -> u32 {
        self.word(at + 4) >> 24 & 0x1f
    }

    /// The number of entries; a function's linkage.
    pub(crate) fn vlen(&self, at: usize) -> u32 {
        self.word(at + 4) & 0xffff
    }

    pub(crate) fn word(&self, at: usize) -> u32 {
        word(&self.bytes, at)
    }

    pub(crate) fn set_word(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }

    /// The id of the first type that is not in the base.
    fn first_id(&self) -> u32 {
        self.base.as_ref().map_or(1, |base| base.first_id() + base.types.len() as u32)
    }

    /// Bytes of the strings, with those of the base.
    fn string_end(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.string_end()) + self.strings.len()
    }

    /// Which BTF a type is in, and where it starts there.
    fn locate(&self, type_id: u32) -> Option<(&Btf, usize)> {
        match &self.base {
            Some(base) if type_id < self.first_id() => base.locate(type_id),
            _ => self.type_offset(type_id).map(|at| (self, at)),
        }
    }

    /// Where the type behind typedefs and qualifiers is.
    fn unqualified(&self, mut type_id: u32) -> Option<(&Btf, usize)> {
        // A chain that is longer than that is a circle.
        for _ in 0..32 {
            let (btf, at) = self.locate(type_id)?;
            if !is_qualifier(btf.kind(at)) {
                return Some((btf, at));
            }
            type_id = btf.word(at + 8);
        }
        None
    }
}

fn is_qualifier(kind: u32) -> bool {
    matches!(kind, kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG)
}

/// Where each type starts; each is known to lie within `range`.
fn type_offsets(bytes: &[u8], range: Range<usize>) -> Result<Vec<usize>, BtfError> {
    let mut offsets = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let outside = BtfError("has a type that crosses the end of the types");
        if range.end - at < TYPE_SIZE {
            return Err(outside);
        }
        let info = word(bytes, at + 4);
        let vlen = (info & 0xffff) as usize;
        let size = TYPE_SIZE
            + match info >> 24 & 0x1f {
                kind::PTR | kind::FWD | kind::FUNC | kind::FLOAT => 0,
                kind if is_qualifier(kind) => 0,
                kind::INT | kind::VAR | kind::DECL_TAG => 4,
                kind::ARRAY => 12,
                kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * vlen,
                kind::ENUM | kind::FUNC_PROTO => 8 * vlen,
                _ => return Err(BtfError("has a type of an unknown kind")),
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
pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}
