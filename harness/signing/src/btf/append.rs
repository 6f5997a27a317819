//! Types that are added to the BTF of an object.

use super::{Btf, ENTRY_SIZE, kind, linkage};

impl Btf {
    /// Appends a variable, which becomes the type with the last id. A BTF with a base can't be changed.
    pub(crate) fn add_variable(&mut self, name: &str, type_id: u32) -> u32 {
        self.add_type(name, kind::VAR, type_id, linkage::GLOBAL)
    }

    /// Appends a variable that nothing outside of the object sees.
    pub(crate) fn add_static_variable(&mut self, name: &str, type_id: u32) -> u32 {
        self.add_type(name, kind::VAR, type_id, linkage::STATIC)
    }

    /// Puts variables into the data section at `section`, each with its id, offset and size, in the place of the one at
    /// `entry`.
    pub(crate) fn replace_variable(&mut self, section: usize, entry: usize, variables: &[[u32; 3]]) {
        let added: Vec<u8> = variables.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
        let growth = added.len() - ENTRY_SIZE;
        self.set_word(section + 4, self.word(section + 4) + variables.len() as u32 - 1);
        self.bytes.splice(entry..entry + ENTRY_SIZE, added);
        for at in self.types.iter_mut().filter(|at| **at > section) {
            *at += growth;
        }
        self.strings = self.strings.start + growth..self.strings.end + growth;
        self.set_word(12, self.word(12) + growth as u32);
        self.set_word(16, self.word(16) + growth as u32);
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
}
