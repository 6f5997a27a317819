//! Binaries, in which programs are attached to functions and to statically defined tracepoints (USDT).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use glob::Pattern;
use object::{Object as _, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _, SymbolKind};

use crate::error::{Error, Result};

/// A program or a library.
pub(super) struct Binary {
    pub path: PathBuf,
    bytes: Vec<u8>,
}

/// A statically defined tracepoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usdt {
    /// Where it is in the file.
    pub offset: u64,
    /// File offset of the USDT semaphore; 0 if it does not.
    pub counter: u64,
    /// Its arguments, such as `-4@%eax 8@-16(%rbp)`.
    pub arguments: String,
}

/// `NT_STAPSDT`, of the owner `stapsdt`.
const NT_STAPSDT: u32 = 3;

impl Binary {
    /// Reads a binary. One without a directory is looked for as a shell would, a library as the linker would.
    ///
    /// # Errors
    /// There is no such file.
    pub fn read(name: &str) -> Result<Self> {
        let path = find(name).ok_or_else(|| Error::Missing(format!("no binary {name} found")))?;
        let bytes = fs::read(&path).map_err(Error::system(path.display().to_string()))?;
        Ok(Self { path, bytes })
    }

    /// File offsets of the functions that match a pattern.
    ///
    /// # Errors
    /// There is none.
    pub fn functions(&self, pattern: &str) -> Result<Vec<u64>> {
        let glob = Pattern::new(pattern).map_err(|error| Error::Invalid(format!("`{pattern}`: {error}")))?;
        let elf = self.elf()?;
        let mut offsets: Vec<u64> = elf
            .symbols()
            .chain(elf.dynamic_symbols())
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
            .filter(|symbol| symbol.name().is_ok_and(|name| glob.matches(name)))
            .filter_map(|symbol| file_offset(&elf, symbol.address()))
            .collect();
        offsets.sort_unstable();
        offsets.dedup();
        if offsets.is_empty() {
            return Err(Error::Missing(format!("{} has no function {pattern}", self.path.display())));
        }
        Ok(offsets)
    }

    /// The places of a statically defined tracepoint.
    ///
    /// # Errors
    /// There is none.
    pub fn usdt(&self, provider: &str, name: &str) -> Result<Vec<Usdt>> {
        let elf = self.elf()?;
        let missing = || Error::Missing(format!("{} has no usdt {provider}:{name}", self.path.display()));
        let section = elf.section_by_name(".note.stapsdt").ok_or_else(missing)?;
        let notes = section.data().map_err(|error| self.damaged(error))?;
        let base = elf.section_by_name(".stapsdt.base").map(|section| section.address());
        let places: Vec<_> = Notes(notes)
            .filter(|(owner, kind, _)| *owner == b"stapsdt\0" && *kind == NT_STAPSDT)
            .filter_map(|(_, _, description)| Note::parse(description))
            .filter(|note| note.provider == provider && note.name == name)
            .filter_map(|note| {
                // A linker that moves sections afterwards does not correct the notes.
                let moved = base.map_or(0, |base| base.wrapping_sub(note.base));
                let counter = match note.counter {
                    0 => 0,
                    counter => file_offset(&elf, counter.wrapping_add(moved))?,
                };
                Some(Usdt {
                    offset: file_offset(&elf, note.address.wrapping_add(moved))?,
                    counter,
                    arguments: note.arguments.to_owned(),
                })
            })
            .collect();
        if places.is_empty() { Err(missing()) } else { Ok(places) }
    }

    fn elf(&self) -> Result<object::File<'_>> {
        object::File::parse(&*self.bytes).map_err(|error| self.damaged(error))
    }

    fn damaged(&self, error: object::Error) -> Error {
        Error::Invalid(format!("{}: {error}", self.path.display()))
    }
}

/// Where in the file an address is.
fn file_offset(elf: &object::File<'_>, address: u64) -> Option<u64> {
    elf.segments().find_map(|segment| {
        let (offset, size) = segment.file_range();
        let within = address.checked_sub(segment.address())?;
        (within < size).then_some(offset + within)
    })
}

fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into());
    }
    let directories: Vec<PathBuf> = if name.ends_with(".so") || name.contains(".so.") {
        let own = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
        [&own, "/usr/lib64", "/usr/lib", "/lib64", "/lib"].map(PathBuf::from).into()
    } else {
        let path = env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
        env::split_paths(&path).collect()
    };
    directories.iter().map(|directory| directory.join(name)).find(|path: &PathBuf| Path::is_file(path))
}

/// ELF notes: owner, type and description, each padded to four bytes.
struct Notes<'n>(&'n [u8]);

impl<'n> Iterator for Notes<'n> {
    type Item = (&'n [u8], u32, &'n [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.0.split_first_chunk::<12>()?;
        let [owner_size, size, kind] =
            [0, 4, 8].map(|at| u32::from_ne_bytes(std::array::from_fn(|index| header[at + index])));
        let mut rest = rest;
        let mut part = |size: u32| {
            let (part, tail) = rest.split_at_checked(size.checked_next_multiple_of(4)? as usize)?;
            rest = tail;
            part.get(..size as usize)
        };
        let (owner, description) = (part(owner_size)?, part(size)?);
        self.0 = rest;
        Some((owner, kind, description))
    }
}

/// The description in a note of a USDT.
#[derive(Debug, PartialEq, Eq)]
struct Note<'n> {
    address: u64,
    base: u64,
    counter: u64,
    provider: &'n str,
    name: &'n str,
    arguments: &'n str,
}

impl<'n> Note<'n> {
    fn parse(description: &'n [u8]) -> Option<Self> {
        let (numbers, texts) = description.split_first_chunk::<24>()?;
        let [address, base, counter] =
            [0, 8, 16].map(|at| u64::from_ne_bytes(std::array::from_fn(|index| numbers[at + index])));
        let mut texts = texts.split(|byte| *byte == 0).map(|text| std::str::from_utf8(text).ok());
        let mut text = || texts.next().flatten();
        Some(Self { address, base, counter, provider: text()?, name: text()?, arguments: text()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_tracepoints_are_read() {
        let mut description = Vec::new();
        for number in [0x1139u64, 0x2004, 0] {
            description.extend(number.to_ne_bytes());
        }
        description.extend(b"app\0started\0-4@%eax\0");
        let mut notes = Vec::new();
        for number in [8, description.len() as u32, NT_STAPSDT] {
            notes.extend(number.to_ne_bytes());
        }
        notes.extend(b"stapsdt\0");
        notes.extend(&description);
        notes.resize(notes.len().next_multiple_of(4), 0);
        let found: Vec<_> = Notes(&notes).collect();
        assert_eq!(found, [(&b"stapsdt\0"[..], NT_STAPSDT, &description[..])]);
        let note = Note::parse(found[0].2).unwrap();
        assert_eq!((note.address, note.base, note.counter), (0x1139, 0x2004, 0));
        assert_eq!((note.provider, note.name, note.arguments), ("app", "started", "-4@%eax"));
        assert_eq!(Notes(&notes[..notes.len() - 4]).next(), None);
    }

    #[test]
    fn functions_of_this_program_are_found() {
        let binary = Binary::read("/proc/self/exe").unwrap();
        assert_eq!(binary.functions("main").unwrap().len(), 1);
        let error = binary.functions("no_such_function").err().unwrap();
        assert!(error.to_string().ends_with("has no function no_such_function"), "{error}");
    }
}
