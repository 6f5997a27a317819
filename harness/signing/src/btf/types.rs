//! What BTF says about types.

use super::{Btf, BtfError, TYPE_SIZE, is_qualifier, kind, linkage};

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

    /// Name and members of a struct or union, behind typedefs and qualifiers.
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
        // A longer chain is a cycle.
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

    /// The type that a pointer points to. Qualifiers of the pointer itself do not matter.
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
        // A longer chain is a cycle.
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

    /// Whether a type is a function prototype, behind typedefs and qualifiers.
    pub fn is_function(&self, type_id: u32) -> bool {
        self.unqualified(type_id).is_some_and(|(btf, at)| btf.kind(at) == kind::FUNC_PROTO)
    }

    /// Whether a type is a struct, behind typedefs and qualifiers.
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

    /// Whether a type is `void`, behind typedefs and qualifiers.
    pub(crate) fn is_void(&self, mut type_id: u32) -> bool {
        // A longer chain is a cycle.
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

    /// Where the type behind typedefs and qualifiers is.
    fn unqualified(&self, mut type_id: u32) -> Option<(&Btf, usize)> {
        // A longer chain is a cycle.
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
