//! BTF, the description of types: of an eBPF object, of a kernel, and of a kernel's modules.
//!
//! The format is specified in the kernel's `Documentation/bpf/btf.rst`.

mod append;
mod types;

use std::ops::Range;
use std::sync::Arc;

pub use self::types::Member;
pub(crate) use self::types::Variable;

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

/// Why bytes are not BTF.
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

    /// Where each of the types starts, in the order of their ids.
    pub(crate) fn types(&self) -> &[usize] {
        &self.types
    }

    /// Where the variable of an entry of a data section starts.
    pub(crate) fn var(&self, entry: usize) -> Result<usize, BtfError> {
        self.type_offset(self.word(entry))
            .filter(|var| self.kind(*var) == kind::VAR)
            .ok_or(BtfError("has a data section with something other than variables"))
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
