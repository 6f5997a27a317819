//! Recognises a file by its content, and makes the entries of a statement for it.
//!
//! - An eBPF object for Linux: each of its programs, by its manifest, which is what the kernel looks for.
//! - An eBPF object for Linux without programs: the whole file, since no kernel asks for its signature.
//! - An eBPF object for Windows: the whole file, as Windows has no manifests, but without the signature inside of it.
//! - A PE image: its Authenticode digest, which leaves out the signature inside of it.
//! - Anything else: the whole file.

use std::fmt;
use std::str::FromStr;

use object::LittleEndian as LE;
use object::elf::{EM_BPF, ET_REL};
use object::read::elf::{ElfFile64, SectionHeader as _};

use crate::choices::Choices;
use crate::description::Description;
use crate::embed::{self, EmbedError};
use crate::object::{Object, ObjectError, Remark, elf};
use crate::pe::{self, Image, PeError};
use crate::program::Program;
use crate::statement::{Entry, Kind};
use crate::{Digest, Error};

/// The system that an eBPF object is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// The Linux kernel.
    Linux,
    /// eBPF for Windows.
    Windows,
}

impl Platform {
    /// Finds out which system an eBPF object is made for.
    ///
    /// Both systems use the same ELF machine, and some of the same section names. It is for Windows if it has a section
    /// that holds programs on Windows only (`bind`, `xdp_test`, `cgroup/recv_accept4`, …), or if its BTF has the name of
    /// a type that eBPF for Windows' headers define and programs can hardly do without: what a program gets as its
    /// context (`bpf_sock_addr_t`, `bpf_sock_ops_t`, `bind_md_t`, `xdp_md_t`, …) or what defines a map in the old way
    /// (`_ebpf_map_definition_in_file`). Otherwise it is for Linux.
    pub fn of(object: &[u8]) -> Self {
        let is_windows = ElfFile64::<LE>::parse(object).is_ok_and(|elf| {
            let table = elf.elf_section_table();
            table.iter().any(|header| {
                table.section_name(LE, header).is_ok_and(is_windows_section)
                    || table.section_name(LE, header) == Ok(b".BTF")
                        && header.data(LE, object).is_ok_and(has_windows_type)
            })
        });
        if is_windows { Platform::Windows } else { Platform::Linux }
    }
}

impl FromStr for Platform {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "linux" => Ok(Platform::Linux),
            "windows" => Ok(Platform::Windows),
            _ => Err("there are linux and windows"),
        }
    }
}

/// Whether a section holds programs on Windows and not on Linux.
fn is_windows_section(name: &[u8]) -> bool {
    const SECTIONS: [&[u8]; 9] = [
        b"bind",
        b"cgroup/connect_authorization4",
        b"cgroup/connect_authorization6",
        b"cgroup/recv_accept4",
        b"cgroup/recv_accept6",
        b"netevent_monitor",
        b"process",
        b"sample_ext",
        b"xdp_test",
    ];
    // What follows a slash distinguishes programs of the same kind.
    let matches = |rest: &[u8]| rest.is_empty() || rest.starts_with(b"/");
    SECTIONS.iter().any(|section| name.strip_prefix(*section).is_some_and(matches))
}

/// Whether BTF names a type of eBPF for Windows' headers.
fn has_windows_type(btf: &[u8]) -> bool {
    const TYPES: [&[u8]; 8] = [
        b"_ebpf_map_definition_in_file",
        b"bind_md_t",
        b"bpf_sock_addr_t",
        b"bpf_sock_ops_t",
        b"netevent_event_md_t",
        b"process_md_t",
        b"sample_program_context_t",
        b"xdp_md_t",
    ];
    btf.split(|byte| *byte == 0).any(|name| TYPES.contains(&name))
}

/// A file of a known kind, with everything that a signature can cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// An eBPF object for Linux.
    LinuxObject {
        /// Its programs, of which there is at least one: those in modules that the signer has named once more for each.
        programs: Vec<Description>,
        /// Remarks for whoever signs it.
        remarks: Vec<Remark>,
    },
    /// An eBPF object for Linux that has maps, but no programs.
    MapsOnly(Digest),
    /// An eBPF object for Windows.
    WindowsObject(Digest),
    /// A PE image.
    PeImage(Digest),
    /// Any other file.
    File {
        /// Of the whole file.
        digest: Digest,
        /// What it may be instead of what was meant.
        remark: Option<Remark>,
    },
}

/// Why a file can't be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// An eBPF object for Linux that can't be signed.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A program that no manifest can describe.
    #[error(transparent)]
    Program(#[from] Error),
    /// An eBPF object for Windows that can't be separated from the signature in it.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// A PE image that is damaged.
    #[error(transparent)]
    Pe(#[from] PeError),
}

impl Artifact {
    /// Recognises a file. `platform` is what system an eBPF object is made for, if that is known; otherwise
    /// [`Platform::of`] tells it.
    ///
    /// # Errors
    ///
    /// An [`ArtifactError`] if the file is damaged, or an object whose programs can't be signed.
    pub fn of(file: &[u8], platform: Option<Platform>) -> Result<Self, ArtifactError> {
        Self::of_object(file, platform, |file| Ok((Object::parse(file)?, Vec::new())))
    }

    /// Recognises a file. `choices` say what an eBPF object for Linux leaves open.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub fn with_choices(
        file: &[u8],
        platform: Option<Platform>,
        choices: &Choices,
    ) -> Result<Self, ArtifactError> {
        Self::of_object(file, platform, |file| {
            let object = Object::parse_with(file, choices)?;
            let variants = object.variants(choices)?;
            Ok((object, variants))
        })
    }

    fn of_object(
        file: &[u8],
        platform: Option<Platform>,
        parse: impl FnOnce(&[u8]) -> Result<(Object, Vec<Program>), ObjectError>,
    ) -> Result<Self, ArtifactError> {
        if is_ebpf(file) {
            return match platform.unwrap_or_else(|| Platform::of(file)) {
                Platform::Linux => {
                    let (object, variants) = parse(file)?;
                    if object.programs().is_empty() {
                        return Ok(Artifact::MapsOnly(Digest::of(embed::strip(file)?)));
                    }
                    let mut programs = object.descriptions()?;
                    for variant in &variants {
                        programs.push(Description::of(variant)?);
                    }
                    Ok(Artifact::LinuxObject { programs, remarks: object.remarks().to_vec() })
                }
                Platform::Windows => Ok(Artifact::WindowsObject(Digest::of(embed::strip(file)?))),
            };
        }
        if pe::is_pe(file) {
            return Ok(Artifact::PeImage(Image::parse(file)?.digest()));
        }
        Ok(Artifact::File { digest: Digest::of(file), remark: remark_on_file(file) })
    }

    /// The entries of a statement for the file.
    pub fn entries(&self) -> Vec<Entry> {
        match self {
            Artifact::LinuxObject { programs, .. } => programs
                .iter()
                .map(|program| Entry { kind: Kind::PROGRAM, digest: program.digest() })
                .collect(),
            Artifact::MapsOnly(digest) | Artifact::WindowsObject(digest) | Artifact::File { digest, .. } => {
                vec![Entry { kind: Kind::FILE, digest: *digest }]
            }
            Artifact::PeImage(digest) => vec![Entry { kind: Kind::PE_IMAGE, digest: *digest }],
        }
    }

    /// The programs of an eBPF object for Linux; none of anything else.
    pub fn programs(&self) -> &[Description] {
        match self {
            Artifact::LinuxObject { programs, .. } => programs,
            _ => &[],
        }
    }

    /// Remarks for whoever signs it.
    pub fn remarks(&self) -> &[Remark] {
        match self {
            Artifact::LinuxObject { remarks, .. } => remarks,
            Artifact::File { remark, .. } => remark.as_slice(),
            _ => &[],
        }
    }
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Artifact::LinuxObject { .. } => "eBPF object for Linux",
            Artifact::MapsOnly(_) => "eBPF object without programs",
            Artifact::WindowsObject(_) => "eBPF object for Windows",
            Artifact::PeImage(_) => "PE image",
            Artifact::File { .. } => "file",
        })
    }
}

/// Whether a file is an ELF file for the eBPF machine, sound or not, of either byte order.
fn is_ebpf(file: &[u8]) -> bool {
    elf_number(file, MACHINE).is_some_and(|machine| [machine, machine.swap_bytes()].contains(&EM_BPF.0))
}

/// What is to be said of a file that is signed as a whole.
fn remark_on_file(file: &[u8]) -> Option<Remark> {
    if file.is_empty() {
        return Some(Remark::Empty);
    }
    if file.starts_with(b"BC\xc0\xde") {
        return Some(Remark::Bitcode);
    }
    let (machine, is_object) = (elf_number(file, MACHINE)?, elf_number(file, TYPE) == Some(ET_REL.0));
    Some(Remark::OtherMachine { machine: elf::machine(machine).into_owned(), is_object })
}

/// Offsets in the header of an ELF file, of 16-bit numbers.
const TYPE: usize = 16;
const MACHINE: usize = 18;

/// A number in the header of an ELF file, in the byte order that the header names.
fn elf_number(file: &[u8], offset: usize) -> Option<u16> {
    const ORDER: usize = 5;
    const BIG_ENDIAN: u8 = 2;
    let bytes = file.get(offset..offset + 2)?.try_into().ok().filter(|_| file.starts_with(b"\x7fELF"))?;
    Some(if file[ORDER] == BIG_ENDIAN { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
}
