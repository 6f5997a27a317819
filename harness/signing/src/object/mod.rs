//! Brings an ELF object into load-invariant form.
//!
//! What libbpf does between reading an object and loading it, as far as it does not depend on the host:
//! each program gets the subprograms that it uses and the records about its instructions; the section's name says
//! what it is and where it attaches. What depends on the host stays open: CO-RE as the compiler left it, functions and
//! variables of the kernel by name.

mod annotate;
mod btf_ext;
mod complete;
mod elf;
mod entries;
mod exceptions;
mod externs;
mod functions;
mod link;
mod maps;
mod parameters;
mod remark;
mod section;
mod struct_ops;

use std::collections::HashMap;
use std::sync::Arc;

use crate::btf::{Btf, BtfError};
use crate::choices::Choices;
use crate::map::{MapDefinition, needs_entries};
use crate::program::{Attach, Program};
use crate::{description, embed};
pub use annotate::annotate;
use btf_ext::BtfExt;
use elf::Elf;
pub use entries::{Initial, InitialEntry};
use externs::Externs;
use maps::Maps;
pub use remark::Remark;
pub use struct_ops::{StructOps, StructOpsMember};

/// Bytes of instructions and records that an object's programs may have together: subprograms are counted once for
/// each program that uses them.
const MAX_SIZE: usize = 256 << 20;

/// An eBPF object: one or more programs and their maps.
#[derive(Debug)]
pub struct Object {
    programs: Vec<Program>,
    maps: Vec<Arc<MapDefinition>>,
    entries: Vec<InitialEntry>,
    struct_ops: Vec<StructOps>,
    btf: Option<Arc<[u8]>>,
    remarks: Vec<Remark>,
}

/// The indexes of programs, by section index and offset.
type EntryPoints = HashMap<(usize, u64), usize>;

/// Why a file is not an object that can be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// Some other kind of file.
    #[error("not a 64-bit ELF file")]
    NotElf,
    /// Built with `-target bpfeb`.
    #[error("an object for big-endian machines, which is not supported")]
    BigEndian,
    /// For a CPU.
    #[error("not an eBPF object: it is for ELF machine {0}")]
    Machine(u16),
    /// Damaged.
    #[error("damaged ELF file")]
    Elf(#[from] ::object::read::Error),
    /// A name that is not UTF-8.
    #[error("damaged object: it has a name that is not UTF-8")]
    Text,
    /// A symbol in a section that does not exist.
    #[error("damaged object: symbol `{symbol}` is in a section that does not exist")]
    SymbolSection {
        /// The symbol's name.
        symbol: String,
    },
    /// A section that makes no sense.
    #[error("section `{section}` {problem}")]
    Section {
        /// The section's name.
        section: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Type information that makes no sense.
    #[error(".{0}")]
    Btf(BtfError),
    /// Type information about instructions that makes no sense.
    #[error(".BTF.ext {0}")]
    BtfExt(&'static str),
    /// A map that makes no sense or that is not supported.
    #[error("map `{map}` {problem}")]
    Map {
        /// The map's name.
        map: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A variable for the kernel that makes no sense.
    #[error("variable `{variable}` for struct_ops {problem}")]
    StructOps {
        /// The variable's name.
        variable: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tag that can't make a parameter of a variable.
    #[error("parameter `{parameter}` {problem}")]
    Parameter {
        /// The variable's name.
        parameter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An object that can't be written again with parameters.
    #[error("the object can't be written again: {0}")]
    Rewrite(embed::EmbedError),
    /// A function that makes no sense.
    #[error("function `{function}`: {problem}")]
    Function {
        /// The function's name.
        function: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A section name that is not one of libbpf's.
    #[error(
        "program `{program}`: section name `{section}` does not say what kind of program it is; say so with \
         --type {name}=TYPE, where TYPE is a section name that libbpf knows (xdp, tc, kprobe/FUNCTION, …)",
        name = .section.trim_start_matches('?')
    )]
    UnknownSection {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
    },
    /// `SEC("fentry")` and the like without the name of a function.
    #[error(
        "program `{program}`: section name `{section}` does not say what it attaches to; say so with \
         --target-function {program}=FUNCTION"
    )]
    NoTarget {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
    },
    /// A target that was chosen for a program that takes none.
    #[error(
        "program `{program}`: a program in section `{section}` attaches to no function that a signature could bind"
    )]
    NoTargetTaken {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
    },
    /// Something that is not in the object and that a kernel could not find either.
    #[error("extern `{symbol}` {problem}")]
    Extern {
        /// Its name.
        symbol: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Its programs are too large together.
    #[error("the object's programs take more than {} MiB together", MAX_SIZE >> 20)]
    TooLarge,
    /// Code, but no symbols that say where functions start.
    #[error(
        "the object has code but no functions: it has been stripped of its symbols, which `strip -g` leaves in"
    )]
    Stripped,
    /// Neither a map nor a function outside of `.text`.
    #[error("the object has no programs and no maps")]
    NoPrograms,
}

impl From<BtfError> for ObjectError {
    fn from(error: BtfError) -> Self {
        ObjectError::Btf(error)
    }
}

impl Object {
    /// Reads an object as clang or `bpftool gen object` writes it. If a signature is in it, what its signer has said about
    /// the object holds.
    ///
    /// # Errors
    ///
    /// Any [`ObjectError`]: the file is none, is damaged, or has something in it that can't be signed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        let said = embed::descriptions(bytes).and_then(|json| description::from_json(json).ok());
        Self::parse_with(bytes, &said.unwrap_or_default().choices)
    }

    /// Reads an object, with what is said about it.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with(bytes: &[u8], choices: &Choices) -> Result<Self, ObjectError> {
        let elf = Elf::parse(bytes)?;
        if elf.section(".BTF.base").is_some() {
            return Err(BtfError("is split: its types refer to those of another BTF").into());
        }
        let mut btf = elf.section(".BTF").map(|section| Btf::parse(section.data)).transpose()?;
        let ext = match (&btf, elf.section(".BTF.ext")) {
            (Some(btf), Some(section)) => BtfExt::parse(section.data, btf, &elf)?,
            _ => BtfExt::default(),
        };
        let externs = Externs::of(&elf, btf.as_ref())?;
        if let Some(btf) = &mut btf {
            complete::complete(btf, &elf, &externs)?;
        }
        let maps = Maps::of(&elf, btf.as_ref(), &externs)?;
        let functions = functions::functions(&elf, &maps, &externs)?;
        let mains: Vec<_> =
            (0..functions.len()).filter(|f| Some(functions[*f].section) != elf.text).collect();
        let has_code =
            |section: &elf::Section<'_>| section.kind == elf::SectionKind::Code && section.size > 0;
        if functions.is_empty() && elf.sections.iter().any(has_code) {
            return Err(ObjectError::Stripped);
        }
        let entry_points = mains
            .iter()
            .enumerate()
            .map(|(program, main)| ((functions[*main].section, functions[*main].offset as u64), program))
            .collect();
        let (entries, struct_ops) = match &btf {
            Some(btf) => (
                entries::entries(&elf, btf, &maps, &entry_points)?,
                struct_ops::variables(&elf, btf, &entry_points)?,
            ),
            None => Default::default(),
        };
        let targets = struct_ops::targets(&struct_ops)?;
        let callbacks = match &btf {
            Some(btf) => exceptions::callbacks(btf, &elf, &functions)?,
            None => HashMap::new(),
        };
        let btf: Option<Arc<[u8]>> = btf.map(|btf| btf.into_bytes().into());
        let license = license(&elf)?;

        let mut remarks = Vec::new();
        let mut size = 0;
        let mut programs = Vec::new();
        for (index, &main) in mains.iter().enumerate() {
            let function = &functions[main];
            let section = choices.section(elf.sections[function.section].name, function.name);
            let load = section::load(&section, function.name)?;
            if choices.targets.contains_key(function.name) && load.attach == Attach::None {
                return Err(ObjectError::NoTargetTaken {
                    program: function.name.to_owned(),
                    section: elf.sections[function.section].name.to_owned(),
                });
            }
            if let Some(prefix) = load.prefix {
                let remark = Remark::Prefix { section: section.clone().into_owned(), prefix };
                if !remarks.contains(&remark) {
                    remarks.push(remark);
                }
            }
            let attach = match (load.is_struct_ops, targets.get(&index)) {
                (false, _) => load.attach,
                (true, Some(attach)) => attach.clone(),
                (true, None) => return Err(function.problem("is in no variable of a struct_ops type")),
            };
            let linked = link::link(&functions, main, callbacks.get(&main).copied(), &ext)?;
            size += linked.size();
            if size > MAX_SIZE {
                return Err(ObjectError::TooLarge);
            }
            programs.push(Program {
                name: function.name.to_owned(),
                section: section.into_owned(),
                prog_type: load.prog_type,
                expected_attach_type: load.expected_attach_type,
                flags: load.flags,
                license: license.clone(),
                attach,
                insns: linked.insns,
                // Of no use without, and the kernel can't take it as signed.
                btf: btf.clone().filter(|_| linked.func_info.count() > 0),
                func_info: linked.func_info,
                line_info: linked.line_info,
                core_relos: linked.core_relos,
                slots: linked.maps.iter().map(|index| maps.definitions[*index].clone()).collect(),
            });
        }
        if programs.is_empty() && maps.definitions.is_empty() {
            return Err(ObjectError::NoPrograms);
        }
        remarks.extend(maps.definitions.iter().flat_map(|map| remarks_on(map)));
        Ok(Self { programs, maps: maps.definitions, entries, struct_ops, btf, remarks })
    }

    /// The programs, in the order of the object's sections.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The maps: first those that the source defines, then global data.
    pub fn maps(&self) -> &[Arc<MapDefinition>] {
        &self.maps
    }

    /// The BTF as it is given to `BPF_BTF_LOAD`.
    pub fn btf(&self) -> Option<&[u8]> {
        self.btf.as_deref()
    }

    /// Remarks about the object, for whoever signs it.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The maps' initial entries, without global data.
    pub fn entries(&self) -> &[InitialEntry] {
        &self.entries
    }

    /// The tables of functions for the kernel. They are not among the maps: their layout is the kernel's.
    pub fn struct_ops(&self) -> &[StructOps] {
        &self.struct_ops
    }
}

fn remarks_on(map: &MapDefinition) -> Vec<Remark> {
    let definitions = [Some(map), map.inner.as_deref()].into_iter().flatten();
    let mut remarks: Vec<_> = definitions
        .filter(|definition| definition.max_entries == 0 && needs_entries(definition.map_type))
        .filter(|definition| !definition.has_size_parameter())
        .map(|_| Remark::NoEntries { map: map.name.clone() })
        .collect();
    remarks.extend(map.parameters.iter().map(|parameter| Remark::Parameter {
        parameter: parameter.clone(),
        value: map.parameter_value(parameter),
    }));
    if !map.host.is_empty() {
        let names = map.host.iter().map(|variable| variable.name.clone()).collect();
        remarks.push(Remark::HostVariables { names });
    }
    remarks
}

/// The string in the section `license`; empty if there is none.
fn license(elf: &Elf<'_>) -> Result<String, ObjectError> {
    let bytes = elf.section("license").map_or(&[][..], |section| section.data);
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8(text.to_vec()).map_err(|_| ObjectError::Text)
}
