//! BTF: in an object that is sound otherwise.
#![no_main]

use bpfsig_signing::object::Object;
use libfuzzer_sys::fuzz_target;
use object::elf::{FileHeader64, SectionHeader64};
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{LittleEndian as LE, U64, pod};

const OBJECT: &[u8] = include_bytes!("../seeds/object/programs.o");

fuzz_target!(|btf: &[u8]| {
    let elf = ElfFile64::<LE>::parse(OBJECT).unwrap();
    let (index, _) = elf.elf_section_table().section_by_name(LE, b".BTF").unwrap();
    let headers = elf.elf_header().e_shoff(LE) as usize;
    let header = headers + index.0 * size_of::<SectionHeader64<LE>>();

    let mut file = OBJECT.to_vec();
    let (section, _) = pod::from_bytes_mut::<SectionHeader64<LE>>(&mut file[header..]).unwrap();
    section.sh_offset = U64::new(LE, OBJECT.len() as u64);
    section.sh_size = U64::new(LE, btf.len() as u64);
    file.extend(btf);
    assert!(pod::from_bytes::<FileHeader64<LE>>(&file).is_ok());
    let _ = Object::parse(&file);
});
