//! `.BTF.ext`: what the compiler says about single instructions.

use std::collections::HashMap;

use super::ObjectError;
use super::elf::Elf;
use super::functions::Function;
use crate::btf::{Btf, MAGIC, word};
use crate::program::Records;

const HEADER_SIZE: usize = 24;

/// The three tables of `.BTF.ext`. Each record starts with the offset of an instruction in its section, in bytes.
#[derive(Default)]
pub(super) struct BtfExt<'a> {
    pub func_info: Table<'a>,
    pub line_info: Table<'a>,
    pub core_relos: Table<'a>,
}

/// Records of one kind.
#[derive(Default)]
pub(super) struct Table<'a> {
    record_size: u32,
    /// By section index, ordered by instruction.
    sections: HashMap<usize, Vec<&'a [u8]>>,
}

impl<'a> BtfExt<'a> {
    pub fn parse(bytes: &'a [u8], btf: &Btf, elf: &Elf<'_>) -> Result<Self, ObjectError> {
        if bytes.len() < HEADER_SIZE {
            return Err(ObjectError::BtfExt("is shorter than its header"));
        }
        if bytes[..2] != MAGIC.to_le_bytes() || bytes[2] != 1 {
            return Err(ObjectError::BtfExt("has a wrong magic or version"));
        }
        let header = word(bytes, 4) as usize;
        if header < HEADER_SIZE || header > bytes.len() {
            return Err(ObjectError::BtfExt("has a wrong header size"));
        }
        let table = |field: usize, smallest| {
            // A short header is an old one, without the later tables.
            if header < field + 8 {
                return Ok(Table::default());
            }
            let start = word(bytes, field) as usize;
            let end = start.saturating_add(word(bytes, field + 4) as usize);
            let info = bytes[header..]
                .get(start..end)
                .ok_or(ObjectError::BtfExt("has a table outside of the section"))?;
            Table::parse(info, smallest, btf, elf)
        };
        Ok(Self { func_info: table(8, 8)?, line_info: table(16, 16)?, core_relos: table(24, 16)? })
    }
}

impl<'a> Table<'a> {
    fn parse(bytes: &'a [u8], smallest: u32, btf: &Btf, elf: &Elf<'_>) -> Result<Self, ObjectError> {
        const SECTION_HEADER: usize = 8;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let truncated = || ObjectError::BtfExt("has a table that ends early");
        let (record_size, mut rest) = bytes.split_first_chunk().ok_or_else(truncated)?;
        let record_size = u32::from_le_bytes(*record_size);
        if record_size < smallest || !record_size.is_multiple_of(4) {
            return Err(ObjectError::BtfExt("has an impossible record size"));
        }
        let mut sections: HashMap<_, Vec<_>> = HashMap::new();
        while !rest.is_empty() {
            let (header, body) = rest.split_at_checked(SECTION_HEADER).ok_or_else(truncated)?;
            let name = btf.string(word(header, 0))?;
            let size = u64::from(word(header, 4)) * u64::from(record_size);
            let size = usize::try_from(size).map_err(|_| truncated())?;
            let (records, next) = body.split_at_checked(size).ok_or_else(truncated)?;
            // Not there: the records are about code that the linker dropped.
            if let Some(index) = elf.section_index(name) {
                sections.entry(index).or_default().extend(records.chunks_exact(record_size as usize));
            }
            rest = next;
        }
        for records in sections.values_mut() {
            records.sort_by_key(|record| word(record, 0));
        }
        Ok(Self { record_size, sections })
    }

    /// The records about `function`.
    fn of(&self, function: &Function<'_>) -> &[&'a [u8]] {
        let Some(records) = self.sections.get(&function.section) else { return &[] };
        let before = |offset: usize| records.partition_point(|record| (word(record, 0) as usize) < offset);
        &records[before(function.offset)..before(function.offset + function.code.len())]
    }

    /// Whether there is a record about `function`.
    pub fn covers(&self, function: &Function<'_>) -> bool {
        !self.of(function).is_empty()
    }

    /// Appends the records about `function`, which now starts at byte `start` of the program; `unit` is the number
    /// of bytes that the kernel counts instructions in.
    pub fn append(&self, records: &mut Records, function: &Function<'_>, start: usize, unit: usize) {
        for record in self.of(function) {
            let offset = word(record, 0) as usize - function.offset + start;
            records.record_size = self.record_size;
            records.bytes.extend_from_slice(&((offset / unit) as u32).to_le_bytes());
            records.bytes.extend_from_slice(&record[4..]);
        }
    }
}
