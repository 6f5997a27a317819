//! Brings an ELF object into load-invariant form.
//!
//! What libbpf does between reading an object and loading it, as far as it does not depend on the host:
//! each program gets the subprograms that it uses and the records about its instructions; the section's name says
//! what it is and where it attaches. What depends on the host stays open: CO-RE as the compiler left it, functions and
//! variables of the kernel by name.

mod annotate;
mod btf_ext;
mod complete_btf;
pub(crate) mod elf;
mod error;
mod exceptions;
mod externs;
mod functions;
mod initial_entries;
mod link;
mod maps;
mod old_maps;
mod parameters;
mod program_section;
mod remark;
mod section;
mod split;
mod struct_ops;
mod variants;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::btf::{Btf, BtfError};
use crate::choices::Choices;
use crate::description::Description;
use crate::map::{MapDefinition, needs_entries};
use crate::program::Program;
use crate::{Result, description, embed};
pub use annotate::annotate;
use btf_ext::BtfExt;
use elf::Elf;
pub use error::ObjectError;
use externs::Externs;
pub use initial_entries::{Initial, InitialEntry};
use maps::Maps;
use program_section::ProgramSection;
pub use remark::Remark;
pub use struct_ops::{StructOps, StructOpsMember};

/// Bytes of instructions and records that an object's programs may have together: subprograms are counted once for
/// each program that uses them.
const MAX_SIZE: usize = 256 << 20;

/// An eBPF object: one or more programs and their maps.
#[derive(Debug)]
pub struct Object {
    programs: Vec<Program>,
    /// By the names of programs, also of those that are left out: the section that each is in.
    sections: BTreeMap<String, String>,
    maps: Vec<Arc<MapDefinition>>,
    entries: Vec<InitialEntry>,
    struct_ops: Vec<StructOps>,
    btf: Option<Arc<[u8]>>,
    remarks: Vec<Remark>,
    modules: BTreeSet<String>,
}

/// The indexes of programs, by section index and offset.
type EntryPoints = HashMap<(usize, u64), usize>;

/// Refuses what is said of sections and programs that are in none of the objects: it is mistyped.
///
/// # Errors
///
/// [`ObjectError::NoProgramsInSection`], [`ObjectError::NoProgram`].
pub fn check_choices(choices: &Choices, objects: &[Object]) -> Result<(), ObjectError> {
    // Several objects can have programs of one name, in other sections.
    let (programs, sections): (BTreeSet<_>, BTreeSet<_>) = objects.iter().flat_map(Object::sections).unzip();
    if let Some(section) = choices.types.keys().find(|section| !sections.contains(section)) {
        return Err(ObjectError::no_section(section, sections.into_iter()));
    }
    if let Some(program) =
        choices.targets.keys().chain(choices.also.keys()).find(|name| !programs.contains(name))
    {
        return Err(ObjectError::no_program(program, programs.into_iter()));
    }
    Ok(())
}

impl Object {
    /// Reads an object as clang or `bpftool gen object` writes it. If a signature is in it, its signer's choices apply.
    ///
    /// # Errors
    ///
    /// Any [`ObjectError`]: the file is none, is damaged, or has something in it that can't be signed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        let said = embed::descriptions(bytes).and_then(|json| description::from_json(json).ok());
        Self::parse_with(bytes, &said.unwrap_or_default().choices)
    }

    /// Reads an object. `choices` say what it leaves open. A program that is not loaded unless asked for (`SEC("?fentry")`)
    /// is left out if it can't be signed, as libbpf leaves it alone; a [`Remark`] says so.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with(bytes: &[u8], choices: &Choices) -> Result<Self, ObjectError> {
        let elf = Elf::parse(bytes)?;
        let mut left_out = Vec::new();
        loop {
            let error = match Self::parse_without(&elf, choices, &left_out) {
                Err(ObjectError::NoPrograms) if !left_out.is_empty() => return Err(left_out.remove(0).1),
                Err(error) => error,
                result => return result,
            };
            match error.program() {
                Some(name) if elf.is_optional(name) && !is_in(&left_out, name) => {
                    left_out.push((name.to_owned(), error));
                }
                _ => return Err(error),
            }
        }
    }

    /// Reads an object without some of its programs.
    fn parse_without(
        elf: &Elf<'_>,
        choices: &Choices,
        left_out: &[(String, ObjectError)],
    ) -> Result<Self, ObjectError> {
        if elf.section(".BTF.base").is_some() {
            return Err(BtfError("is split: its types refer to those of another BTF").into());
        }
        let mut btf = elf.section(".BTF").map(|section| Btf::parse(section.data)).transpose()?;
        let ext = match (&btf, elf.section(".BTF.ext")) {
            (Some(btf), Some(section)) => BtfExt::parse(section.data, btf, elf)?,
            _ => BtfExt::default(),
        };
        let externs = Externs::of(elf, btf.as_ref())?;
        if let Some(btf) = &mut btf {
            complete_btf::complete(btf, elf, &externs, choices.constant_kconfig)?;
        }
        let maps = Maps::of(elf, btf.as_ref(), &externs)?;
        let functions = functions::functions(elf, &maps, &externs, |name| is_in(left_out, name))?;
        let mains: Vec<_> =
            (0..functions.len()).filter(|f| Some(functions[*f].section) != elf.text).collect();
        let has_code =
            |section: &elf::Section<'_>| section.kind == elf::SectionKind::Code && section.size > 0;
        if functions.is_empty() && left_out.is_empty() && elf.sections.iter().any(has_code) {
            return Err(ObjectError::Stripped);
        }
        let entry_points = mains
            .iter()
            .enumerate()
            .map(|(program, main)| ((functions[*main].section, functions[*main].offset as u64), program))
            .collect();
        let (entries, struct_ops) = match &btf {
            Some(btf) => (
                initial_entries::entries(elf, btf, &maps, &entry_points)?,
                struct_ops::variables(elf, btf, &entry_points)?,
            ),
            None if struct_ops::are_in(elf) => {
                return Err(ObjectError::NoBtf("each variable for struct_ops".to_owned()));
            }
            None => Default::default(),
        };
        let targets = struct_ops::targets(&struct_ops)?;
        let callbacks = match &btf {
            Some(btf) => exceptions::callbacks(btf, elf, &functions)?,
            None => HashMap::new(),
        };
        let btf: Option<Arc<[u8]>> = btf.map(|btf| btf.into_bytes().into());
        let license = license(elf)?;

        let mut remarks: Vec<_> = left_out
            .iter()
            .map(|(program, error)| Remark::LeftOut { program: program.clone(), reason: error.to_string() })
            .collect();
        let mut size = 0;
        let mut programs = Vec::new();
        for (index, &main) in mains.iter().enumerate() {
            let function = &functions[main];
            let section = elf.sections[function.section].name;
            let section = ProgramSection::of(section, function, choices, targets.get(&index))?;
            remarks.extend(section.remark().filter(|remark| !remarks.contains(remark)));
            let linked = link::link(&functions, main, callbacks.get(&main).copied(), &ext)?;
            size += linked.size();
            if size > MAX_SIZE {
                return Err(ObjectError::TooLarge);
            }
            programs.push(Program {
                name: function.name.to_owned(),
                section: section.name.into_owned(),
                prog_type: section.load.prog_type,
                expected_attach_type: section.load.expected_attach_type,
                flags: section.load.flags,
                license: license.clone(),
                attach: section.load.attach,
                insns: linked.insns,
                // Without func_info it is of no use, and the kernel does not take it in a signed load.
                btf: btf.clone().filter(|_| linked.func_info.count() > 0),
                func_info: linked.func_info,
                line_info: linked.line_info,
                core_relos: linked.core_relos,
                slots: linked.maps.iter().map(|index| maps.definitions[*index].clone()).collect(),
            });
        }
        let is_empty = maps.definitions.is_empty() && struct_ops.is_empty();
        if programs.is_empty() && (is_empty || !left_out.is_empty()) {
            return Err(ObjectError::NoPrograms);
        }
        remarks.extend(old_maps::remark(elf));
        remarks.extend(maps.definitions.iter().flat_map(|map| remarks_on(map)));
        if btf.is_none() && !programs.is_empty() {
            remarks.push(Remark::NoBtf);
        }
        let modules = choices.modules.clone();
        let sections = sections(elf);
        Ok(Self { programs, sections, maps: maps.definitions, entries, struct_ops, btf, remarks, modules })
    }

    /// The programs, in the order of the object's sections.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// What a signature of the object covers: its programs, and then, for each module that the signer has named, those that
    /// may find what they attach to in it.
    ///
    /// # Errors
    ///
    /// A program that could not be loaded ([`Description::of`]).
    pub fn descriptions(&self) -> Result<Vec<Description>> {
        let programs: Vec<_> = self.programs.iter().map(Description::of).collect::<Result<_>>()?;
        let elsewhere = self
            .modules
            .iter()
            .flat_map(|module| programs.iter().filter_map(|program| program.in_module(module)));
        Ok(elsewhere.collect::<Vec<_>>()).map(|elsewhere| [programs, elsewhere].concat())
    }

    /// The names of all programs, also of those that are left out, with the section that each is in. The question mark of
    /// programs that are not loaded unless asked for is not in the name.
    pub(crate) fn sections(&self) -> &BTreeMap<String, String> {
        &self.sections
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

/// The sections of programs.
fn sections(elf: &Elf<'_>) -> BTreeMap<String, String> {
    let section = |symbol: &elf::Symbol<'_>| symbol.section.filter(|index| Some(*index) != elf.text);
    let programs = elf.symbols.iter().filter(|symbol| symbol.is_function).filter_map(|symbol| {
        let section = &elf.sections[section(symbol)?];
        let name = section.name.trim_start_matches('?').to_owned();
        (section.kind == elf::SectionKind::Code).then(|| (symbol.name.to_owned(), name))
    });
    programs.collect()
}

/// Whether a program is among those that are left out.
fn is_in(left_out: &[(String, ObjectError)], program: &str) -> bool {
    left_out.iter().any(|(name, _)| name == program)
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
