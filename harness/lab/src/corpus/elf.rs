//! Objects for generated programs.

use anyhow::Result;
use bpfsig_signing::program::Program;
use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

/// An object with a socket filter that needs neither maps nor BTF.
pub(super) fn write(program: &Program) -> Result<Vec<u8>> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let license = object.add_section(Vec::new(), b"license".to_vec(), SectionKind::Data);
    object.append_section_data(license, &[program.license.as_bytes(), b"\0"].concat(), 1);
    let code = object.add_section(Vec::new(), b"socket".to_vec(), SectionKind::Text);
    object.append_section_data(code, &program.insns, 8);
    object.add_symbol(Symbol {
        name: program.name.clone().into_bytes(),
        value: 0,
        size: program.insns.len() as u64,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(code),
        flags: SymbolFlags::None,
    });
    Ok(object.write()?)
}

#[cfg(test)]
mod tests {
    use bpfsig_signing::object::Object;

    use super::*;
    use crate::corpus;

    #[test]
    fn the_object_holds_the_program() {
        for entry in corpus::ladders() {
            let bytes = write(&entry.program).unwrap();
            let object = Object::parse(&bytes).unwrap();
            let [Program { name, prog_type, license, insns, .. }] = object.programs() else {
                panic!("{}", entry.name)
            };
            assert_eq!(
                (name, prog_type, license, insns),
                (&entry.program.name, &entry.program.prog_type, &entry.program.license, &entry.program.insns)
            );
        }
    }
}
