//! A signature inside of the eBPF object that it is for.
//!
//! Two sections are added at the end of the object: [`SIGNATURE`] holds the CMS message, [`DESCRIPTIONS`] what was
//! signed, in words. What comes before stays byte for byte where it was, but for the two fields of the ELF header that
//! locate the section headers, so that loaders and linkers find all that they found before, and [`strip`] gets back
//! the very file that was signed:
//!
//! ```text
//! object │ signature │ descriptions │ section names, with the two │ section headers, with the two
//! ```

use std::borrow::Cow;

use object::elf::{EM_BPF, FileHeader64, SHN_LORESERVE, SHT_PROGBITS, SectionHeader64 as SectionHeader};
use object::endian::{U16, U32, U64};
use object::read::elf::{ElfFile64, FileHeader as _, SectionHeader as _};
use object::{LittleEndian as LE, pod};

/// The section with the CMS message.
pub const SIGNATURE: &str = ".bpfsig";

/// The section with the descriptions of the object's programs, as JSON.
pub const DESCRIPTIONS: &str = ".bpfsig.json";

/// What contents and section headers are aligned to, in bytes.
const ALIGNMENT: usize = 8;

/// Why an object can't hold a signature, or can't be separated from the one it holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// Not a 64-bit little-endian ELF file for the eBPF machine.
    #[error("not an eBPF object: only these have room for a signature in a section")]
    NotObject,
    /// Damaged.
    #[error("damaged ELF file")]
    Elf(#[from] object::read::Error),
    /// Section headers that are not where compilers write them.
    #[error("the section headers are not the last thing in the file; `llvm-objcopy` writes them there")]
    Headers,
    /// Section names that are outside of their table, or do not end.
    #[error("damaged ELF file: a section's name is not in the table of names")]
    Names,
    /// More sections than fit into the ELF header's field.
    #[error("the object has too many sections")]
    TooManySections,
    /// Another tool has written the section or moved it.
    #[error("section `{SIGNATURE}` is not as it was written by `--embed`; remove it with `llvm-objcopy -R`")]
    Moved,
}

/// The signature that an object holds, if it does.
pub fn signature(object: &[u8]) -> Option<&[u8]> {
    section(object, SIGNATURE)
}

/// The descriptions that an object holds, if it does.
pub fn descriptions(object: &[u8]) -> Option<&[u8]> {
    section(object, DESCRIPTIONS)
}

fn section<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let elf = parse(object).ok()?;
    let (_, header) = elf.elf_section_table().section_by_name(LE, name.as_bytes())?;
    header.data(LE, object).ok()
}

/// Puts a signature into an object, in place of the one that it held. Without descriptions, their section is left out.
///
/// # Errors
///
/// Any [`EmbedError`].
pub fn write(object: &[u8], signature: &[u8], descriptions: &[u8]) -> Result<Vec<u8>, EmbedError> {
    let original = strip(object)?;
    let signed = append(&original, signature, descriptions)?;
    // Such as with a section of this name that somebody else has written.
    if strip(&signed)? != original {
        return Err(EmbedError::Moved);
    }
    Ok(signed)
}

/// The object as it was before a signature was put into it.
///
/// Every byte of the file is accounted for: either it is in the result, or it is in one of the two sections, or it
/// follows from these.
///
/// # Errors
///
/// [`EmbedError::NotObject`], [`EmbedError::Elf`], and [`EmbedError::Moved`] if [`write()`] would not write these bytes.
pub fn strip(object: &[u8]) -> Result<Cow<'_, [u8]>, EmbedError> {
    let elf = parse(object)?;
    let table = elf.elf_section_table();
    let Some((first, header)) = table.section_by_name(LE, SIGNATURE.as_bytes()) else {
        return Ok(Cow::Borrowed(object));
    };

    let size = usize::try_from(header.sh_offset(LE)).map_err(|_| EmbedError::Moved)?;
    let mut original = object.get(..size).ok_or(EmbedError::Moved)?.to_vec();
    let headers = size.checked_sub(first.0 * size_of::<SectionHeader<LE>>()).ok_or(EmbedError::Moved)?;
    locate_headers(&mut original, headers, first.0).map_err(|_| EmbedError::Moved)?;

    let signature = header.data(LE, object)?;
    let again = append(&original, signature, descriptions(object).unwrap_or_default());
    if again.is_ok_and(|again| again == object) { Ok(Cow::Owned(original)) } else { Err(EmbedError::Moved) }
}

fn parse(object: &[u8]) -> Result<ElfFile64<'_, LE>, EmbedError> {
    let elf = ElfFile64::parse(object).map_err(|_| EmbedError::NotObject)?;
    if elf.elf_header().e_machine(LE) == EM_BPF { Ok(elf) } else { Err(EmbedError::NotObject) }
}

/// The section headers, which have to be the last thing in the file.
fn headers(elf: &ElfFile64<'_, LE>, object: &[u8]) -> Result<Vec<SectionHeader<LE>>, EmbedError> {
    let headers: Vec<_> = elf.elf_section_table().iter().copied().collect();
    let end = elf.elf_header().e_shoff(LE).checked_add(size_of_val(&*headers) as u64);
    if headers.is_empty() || end != Some(object.len() as u64) || !object.len().is_multiple_of(ALIGNMENT) {
        return Err(EmbedError::Headers);
    }
    Ok(headers)
}

/// The object with another content of a section. It gets a place at the end of the file.
///
/// # Errors
///
/// [`EmbedError::NotObject`] or [`EmbedError::Headers`].
pub(crate) fn replace_section(object: &[u8], index: usize, content: &[u8]) -> Result<Vec<u8>, EmbedError> {
    let mut headers = headers(&parse(object)?, object)?;
    let mut file = object[..object.len() - size_of_val(&*headers)].to_vec();
    let header = headers.get_mut(index).ok_or(EmbedError::Headers)?;
    header.sh_offset = U64::new(LE, place(&mut file, content));
    header.sh_size = U64::new(LE, content.len() as u64);
    let offset = place(&mut file, pod::bytes_of_slice(&headers));
    locate_headers(&mut file, offset as usize, headers.len())?;
    Ok(file)
}

fn append(object: &[u8], signature: &[u8], descriptions: &[u8]) -> Result<Vec<u8>, EmbedError> {
    let elf = parse(object)?;
    let mut headers = headers(&elf, object)?;
    let names_index = elf.elf_header().shstrndx(LE, object)? as usize;
    let mut names = headers.get(names_index).ok_or(EmbedError::Headers)?.data(LE, object)?.to_vec();

    // Names must not become others when the table grows.
    let is_named = |header: &SectionHeader<LE>| (header.sh_name.get(LE) as usize) < names.len();
    if !names.ends_with(&[0]) || !headers.iter().all(is_named) {
        return Err(EmbedError::Names);
    }

    let mut file = object.to_vec();
    for (name, content) in [(SIGNATURE, signature), (DESCRIPTIONS, descriptions)] {
        if !content.is_empty() {
            headers.push(SectionHeader {
                sh_name: U32::new(LE, names.len() as u32),
                sh_type: U32::new(LE, SHT_PROGBITS),
                sh_flags: U64::new(LE, object::elf::SectionFlags(0)),
                sh_addr: U64::new(LE, 0),
                sh_offset: U64::new(LE, place(&mut file, content)),
                sh_size: U64::new(LE, content.len() as u64),
                sh_link: U32::new(LE, 0),
                sh_info: U32::new(LE, 0),
                sh_addralign: U64::new(LE, ALIGNMENT as u64),
                sh_entsize: U64::new(LE, 0),
            });
            names.extend(name.bytes());
            names.push(0);
        }
    }
    headers[names_index].sh_offset = U64::new(LE, place(&mut file, &names));
    headers[names_index].sh_size = U64::new(LE, names.len() as u64);
    let offset = place(&mut file, pod::bytes_of_slice(&headers));
    locate_headers(&mut file, offset as usize, headers.len())?;
    Ok(file)
}

/// Adds aligned content to the file and says where it is.
fn place(file: &mut Vec<u8>, content: &[u8]) -> u64 {
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    let offset = file.len() as u64;
    file.extend(content);
    offset
}

/// Writes into the ELF header where the section headers are.
fn locate_headers(file: &mut [u8], offset: usize, count: usize) -> Result<(), EmbedError> {
    let count = u16::try_from(count).ok().filter(|count| *count < SHN_LORESERVE);
    let count = count.ok_or(EmbedError::TooManySections)?;
    let (header, _) = pod::from_bytes_mut::<FileHeader64<LE>>(file).map_err(|()| EmbedError::NotObject)?;
    header.e_shoff = U64::new(LE, offset as u64);
    header.e_shnum = U16::new(LE, count);
    Ok(())
}
