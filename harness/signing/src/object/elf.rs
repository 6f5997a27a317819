//! The parts of an ELF file that an eBPF object uses: sections, symbols, relocations.

use std::borrow::Cow;
use std::collections::HashMap;

use ::object::elf::{
    EM_BPF, SHF_EXECINSTR, SHT_NOBITS, SHT_PROGBITS, SHT_RELA, STB_LOCAL, STB_WEAK, STT_FUNC, STT_SECTION,
    STV_HIDDEN, STV_INTERNAL,
};
use ::object::read::elf::{ElfFile64, FileHeader, SectionHeader, Sym};
use ::object::{LittleEndian, SectionIndex};

use super::ObjectError;

const LE: LittleEndian = LittleEndian;

/// The name of an ELF machine; of a rare one, its number.
pub(crate) fn machine(machine: u16) -> Cow<'static, str> {
    match machine {
        3 => "x86".into(),
        8 => "MIPS".into(),
        20 | 21 => "PowerPC".into(),
        22 => "s390".into(),
        40 => "ARM".into(),
        62 => "x86-64".into(),
        183 => "AArch64".into(),
        243 => "RISC-V".into(),
        247 => "eBPF".into(),
        258 => "LoongArch".into(),
        other => format!("number {other} of ELF").into(),
    }
}

/// An ELF file for the eBPF machine, borrowed from its bytes. Sections and symbols have ELF's indexes.
pub(super) struct Elf<'a> {
    pub sections: Vec<Section<'a>>,
    pub symbols: Vec<Symbol<'a>>,
    /// Index of the section `.text`, which holds the subprograms.
    pub text: Option<usize>,
    /// Sections by name; of several with the same name, the first.
    names: HashMap<&'a str, usize>,
}

pub(super) struct Section<'a> {
    pub name: &'a str,
    pub kind: SectionKind,
    /// Empty for a section without bits.
    pub data: &'a [u8],
    /// Size in memory.
    pub size: u64,
    /// Ordered by offset.
    pub relocations: Vec<Relocation>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SectionKind {
    Code,
    Data,
    /// Zeroes that take no room in the file.
    ZeroData,
    Other,
}

pub(super) struct Relocation {
    /// Where in the section, in bytes.
    pub offset: u64,
    /// Index into [`Elf::symbols`].
    pub symbol: usize,
}

pub(super) struct Symbol<'a> {
    /// A section symbol carries the section's name.
    pub name: &'a str,
    /// `None` if the symbol is defined elsewhere (an extern) or in no section.
    pub section: Option<usize>,
    pub is_function: bool,
    /// Defined by the kernel or the loader.
    pub is_extern: bool,
    pub is_local: bool,
    pub is_weak: bool,
    /// Visible in this object only.
    pub is_hidden: bool,
    /// Offset in the section, in bytes.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

impl<'a> Elf<'a> {
    pub fn parse(data: &'a [u8]) -> Result<Self, ObjectError> {
        const CLASS: usize = 4;
        const DATA: usize = 5;
        if !data.starts_with(b"\x7fELF") {
            return Err(ObjectError::NotElf);
        }
        match (data.get(CLASS), data.get(DATA)) {
            (Some(2), Some(1)) => {}
            (Some(2), Some(2)) => return Err(ObjectError::BigEndian),
            _ => return Err(ObjectError::NotElf),
        }
        let file = ElfFile64::<LittleEndian>::parse(data)?;
        let machine = file.elf_header().e_machine(LE);
        if machine != EM_BPF {
            return Err(ObjectError::Machine(machine.0));
        }
        let mut sections = Self::sections(&file, data)?;
        let symbols = Self::symbols(&file, &sections)?;
        for header in file.elf_section_table().iter() {
            Self::relocate(&file, header, data, &mut sections, symbols.len())?;
        }
        let names = sections.iter().enumerate().rev().map(|(index, section)| (section.name, index)).collect();
        let mut elf = Self { sections, symbols, text: None, names };
        elf.text = elf.section_index(".text");
        Ok(elf)
    }

    fn sections(file: &ElfFile64<'a, LittleEndian>, data: &'a [u8]) -> Result<Vec<Section<'a>>, ObjectError> {
        let table = file.elf_section_table();
        let mut sections = Vec::with_capacity(table.len());
        for header in table.iter() {
            let executable = header.sh_flags(LE).contains(SHF_EXECINSTR);
            sections.push(Section {
                name: text(table.section_name(LE, header)?)?,
                kind: match header.sh_type(LE) {
                    SHT_PROGBITS if executable => SectionKind::Code,
                    SHT_PROGBITS => SectionKind::Data,
                    SHT_NOBITS => SectionKind::ZeroData,
                    _ => SectionKind::Other,
                },
                data: header.data(LE, data)?,
                size: header.sh_size(LE),
                relocations: Vec::new(),
            });
        }
        Ok(sections)
    }

    fn symbols(
        file: &ElfFile64<'a, LittleEndian>,
        sections: &[Section<'a>],
    ) -> Result<Vec<Symbol<'a>>, ObjectError> {
        let table = file.elf_symbol_table();
        let mut symbols = Vec::with_capacity(table.len());
        for (index, symbol) in table.enumerate() {
            let section = table.symbol_section(LE, symbol, index)?.map(|section| section.0);
            let mut name = text(symbol.name(LE, table.strings())?)?;
            if let Some(index) = section {
                let section =
                    sections.get(index).ok_or(ObjectError::SymbolSection { symbol: name.to_owned() })?;
                if symbol.st_type() == STT_SECTION && name.is_empty() {
                    name = section.name;
                }
            }
            symbols.push(Symbol {
                name,
                section,
                is_function: symbol.st_type() == STT_FUNC,
                is_extern: symbol.is_undefined(LE) && symbol.st_bind() != STB_LOCAL && !name.is_empty(),
                is_local: symbol.st_bind() == STB_LOCAL,
                is_weak: symbol.st_bind() == STB_WEAK,
                is_hidden: matches!(symbol.st_visibility(), STV_HIDDEN | STV_INTERNAL),
                offset: symbol.st_value(LE),
                size: symbol.st_size(LE),
            });
        }
        Ok(symbols)
    }

    fn relocate(
        file: &ElfFile64<'a, LittleEndian>,
        header: &<::object::elf::FileHeader64<LittleEndian> as FileHeader>::SectionHeader,
        data: &'a [u8],
        sections: &mut [Section<'a>],
        symbols: usize,
    ) -> Result<(), ObjectError> {
        let SectionIndex(target) = header.info_link(LE);
        let Some(section) = sections.get_mut(target) else { return Ok(()) };
        let problem = |problem| ObjectError::Section { section: section.name.to_owned(), problem };
        if header.sh_type(LE) == SHT_RELA && section.kind == SectionKind::Code {
            return Err(problem("has relocations with addends (SHT_RELA)"));
        }
        let Some((relocations, link)) = header.rel(LE, data)? else { return Ok(()) };
        if !relocations.is_empty() && link != file.elf_symbol_table().section() {
            return Err(problem("has relocations against another symbol table"));
        }
        for relocation in relocations {
            let offset = relocation.r_offset.get(LE);
            let symbol = relocation.r_sym(LE) as usize;
            if offset >= section.size {
                return Err(problem("has a relocation outside of the section"));
            }
            if symbol >= symbols {
                return Err(problem("has a relocation against a symbol that does not exist"));
            }
            section.relocations.push(Relocation { offset, symbol });
        }
        section.relocations.sort_by_key(|relocation| relocation.offset);
        Ok(())
    }

    /// Whether a name is that of a program that is not loaded unless asked for, by a question mark in front of its section's
    /// name.
    pub fn is_optional(&self, program: &str) -> bool {
        let mut functions = self.symbols.iter().filter(|it| it.is_function && it.name == program);
        functions.any(|it| it.section.is_some_and(|index| self.sections[index].name.starts_with('?')))
    }

    /// The section with this name.
    pub fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.section_index(name).map(|index| &self.sections[index])
    }

    /// The index of the section with this name.
    pub fn section_index(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }
}

fn text(bytes: &[u8]) -> Result<&str, ObjectError> {
    std::str::from_utf8(bytes).map_err(|_| ObjectError::Text)
}
