//! Functions and variables that an object refers to by name: the kernel's, and those that the host fills in.

use std::collections::HashMap;

use super::ObjectError;
use super::elf::{Elf, Symbol};
use crate::btf::{Btf, TYPE_SIZE, kind, linkage};
use crate::insn::{Insn, LD_IMM64, PSEUDO_BTF_ID, PSEUDO_KFUNC_CALL};
use crate::map::{HostKind, HostVariable};
use crate::program::RELO_EXTERN;

/// The data section of kernel symbols.
pub(super) const KSYMS: &str = ".ksyms";
/// The data section that the host fills in.
pub(super) const KCONFIG: &str = ".kconfig";

/// The externs of an object, by name.
#[derive(Default)]
pub(super) struct Externs<'a> {
    /// Symbols of the kernel.
    kernel: HashMap<&'a str, Extern>,
    /// The variables of `.kconfig`, in the order of their offsets.
    pub host: Vec<HostVariable>,
}

/// A function or a variable of the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extern {
    /// Of the function or the variable in the object's BTF.
    pub type_id: u32,
    pub kind: ExternKind,
    /// It need not exist.
    pub is_weak: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExternKind {
    Function,
    /// A variable whose type the kernel knows.
    Variable,
    /// `extern const void`: an address, of whatever it may be.
    Address,
}

/// `BPF_CORE_EXTERN_WEAK`: it may be missing in the kernel.
const RELO_EXTERN_WEAK: u32 = 257;
/// Bytes of a `struct bpf_core_relo`.
pub(super) const RECORD_SIZE: usize = 16;

impl Extern {
    /// The instruction that refers to it, before it is resolved.
    pub fn reference(&self, insn: Insn) -> Insn {
        let src = match (insn.code, self.kind) {
            (LD_IMM64, ExternKind::Address) => 0,
            (LD_IMM64, _) => PSEUDO_BTF_ID,
            _ => PSEUDO_KFUNC_CALL,
        };
        Insn { src, off: 0, imm: 0, ..insn }
    }

    /// The record about the instruction at byte `offset` of the program.
    pub fn record(&self, offset: u32) -> [u8; RECORD_SIZE] {
        let kind = if self.is_weak { RELO_EXTERN_WEAK } else { RELO_EXTERN };
        let mut record = [0; RECORD_SIZE];
        let (words, _) = record.as_chunks_mut();
        for (word, value) in words.iter_mut().zip([offset, self.type_id, 0, kind]) {
            *word = value.to_le_bytes();
        }
        record
    }
}

impl<'a> Externs<'a> {
    /// To be read before the BTF is completed, which changes the types of externs.
    pub fn of(elf: &Elf<'a>, btf: Option<&Btf>) -> Result<Self, ObjectError> {
        let symbols = || elf.symbols.iter().filter(|symbol| symbol.is_extern);
        if symbols().next().is_none() {
            return Ok(Self::default());
        }
        if let (Some(symbol), None) = (symbols().next(), btf) {
            return Err(ObjectError::NoBtf(format!("extern `{}`", symbol.name)));
        }
        let described = btf.map(Described::of).transpose()?.unwrap_or_default();
        let mut externs = Self::default();
        for symbol in symbols() {
            let problem =
                |problem: &'static str| ObjectError::Extern { symbol: symbol.name.to_owned(), problem };
            let type_id = described.names.get(symbol.name);
            match type_id.and_then(|type_id| described.sections.get(type_id)) {
                Some(&KSYMS) => {}
                Some(&KCONFIG) => {
                    let variable = btf.zip(type_id).and_then(|(btf, id)| host_variable(btf, *id, symbol));
                    externs
                        .host
                        .push(variable.ok_or_else(|| problem("has a type that `.kconfig` can't have"))?);
                    continue;
                }
                _ => return Err(problem("is defined nowhere, and not declared to be in `.ksyms`")),
            }
            let (Some(btf), Some(&type_id)) = (btf, type_id) else { continue };
            let kind = kind_of(btf, type_id).ok_or_else(|| problem("is in the BTF, but not as an extern"))?;
            externs.kernel.insert(symbol.name, Extern { type_id, kind, is_weak: symbol.is_weak });
        }
        lay_out(&mut externs.host);
        Ok(externs)
    }

    pub fn has(&self, name: &str) -> bool {
        self.kernel.contains_key(name)
    }

    pub fn get(&self, name: &str) -> Option<Extern> {
        self.kernel.get(name).copied()
    }

    /// Whether all variables of `.kconfig` are numbers, which can be parameters; texts can't.
    pub fn has_host_numbers(&self) -> bool {
        self.host.iter().all(|variable| variable.kind != HostKind::Text)
    }

    /// A variable of `.kconfig`.
    pub fn host(&self, name: &str) -> Option<&HostVariable> {
        self.host.iter().find(|variable| variable.name == name)
    }
}

/// A variable of `.kconfig`, not yet in its place; `None` if it has a type that libbpf does not take there.
fn host_variable(btf: &Btf, type_id: u32, symbol: &Symbol<'_>) -> Option<HostVariable> {
    let at = btf.type_offset(type_id).filter(|at| btf.kind(*at) == kind::VAR)?;
    let type_id = btf.word(at + 8);
    let kind = match btf.array(btf.behind(type_id)?) {
        Some((_, 0)) => return None,
        Some((element, _)) => (host_kind(btf, element)? == HostKind::Char).then_some(HostKind::Text)?,
        None => host_kind(btf, type_id)?,
    };
    let size = btf.size(type_id)?;
    Some(HostVariable { name: symbol.name.to_owned(), offset: 0, size, kind, is_weak: symbol.is_weak })
}

fn host_kind(btf: &Btf, type_id: u32) -> Option<HostKind> {
    const SIGNED: u32 = 1;
    const BOOL: u32 = 4;
    let at = btf.type_offset(btf.behind(type_id)?)?;
    let size = btf.word(at + 8);
    match btf.kind(at) {
        kind::INT => {
            let encoding = btf.word(at + TYPE_SIZE) >> 24;
            match size {
                1 if encoding & BOOL != 0 => Some(HostKind::Bool),
                _ if encoding & BOOL != 0 => None,
                1 => Some(HostKind::Char),
                2 | 4 | 8 => Some(HostKind::Int { is_signed: encoding & SIGNED != 0 }),
                _ => None,
            }
        }
        kind::ENUM | kind::ENUM64 if size == 4 && btf.string(btf.word(at)) == Ok("libbpf_tristate") => {
            Some(HostKind::Tristate)
        }
        _ => None,
    }
}

/// Gives the variables their places, in libbpf's order: the most aligned first, then the smallest, then by name.
fn lay_out(variables: &mut [HostVariable]) {
    let alignment = |variable: &HostVariable| match variable.kind {
        HostKind::Bool | HostKind::Char | HostKind::Text => 1,
        HostKind::Int { .. } | HostKind::Tristate => variable.size,
    };
    variables.sort_by(|a, b| (alignment(b), a.size, &a.name).cmp(&(alignment(a), b.size, &b.name)));
    let mut end = 0u32;
    for variable in variables {
        variable.offset = end.next_multiple_of(alignment(variable));
        end = variable.offset.saturating_add(variable.size);
    }
}

/// What an object's BTF says about externs.
#[derive(Default)]
struct Described<'b> {
    /// The first function or variable of each name.
    names: HashMap<&'b str, u32>,
    /// The data section that a type is in.
    sections: HashMap<u32, &'b str>,
}

impl<'b> Described<'b> {
    fn of(btf: &'b Btf) -> Result<Self, ObjectError> {
        let mut described = Self::default();
        for (type_id, &at) in (1..).zip(btf.types()) {
            let name = btf.string(btf.word(at))?;
            match btf.kind(at) {
                kind::FUNC | kind::VAR => {
                    described.names.entry(name).or_insert(type_id);
                }
                kind::DATASEC => {
                    for entry in btf.entries(at) {
                        described.sections.entry(btf.word(entry)).or_insert(name);
                    }
                }
                _ => {}
            }
        }
        Ok(described)
    }
}

/// `None` if the type is not one of an extern.
fn kind_of(btf: &Btf, type_id: u32) -> Option<ExternKind> {
    let at = btf.type_offset(type_id)?;
    let (is_function, linkage) = match btf.kind(at) {
        kind::FUNC => (true, btf.vlen(at)),
        _ => (false, btf.word(at + TYPE_SIZE)),
    };
    match (is_function, linkage == linkage::EXTERN) {
        (_, false) => None,
        (true, true) => Some(ExternKind::Function),
        (false, true) if btf.is_void(btf.word(at + 8)) => Some(ExternKind::Address),
        (false, true) => Some(ExternKind::Variable),
    }
}
