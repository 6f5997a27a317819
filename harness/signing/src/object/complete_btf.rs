//! Fills in what the compiler leaves to the loader in an object's BTF, as libbpf does: the sizes of data sections and
//! the offsets of their variables, the linkage of hidden functions, names of parameters, and placeholders for externs.

use std::collections::HashMap;

use super::ObjectError;
use super::elf::{Elf, Symbol};
use super::externs::{Externs, KCONFIG, KSYMS};
use crate::btf::{Btf, BtfError, ENTRY_SIZE, TYPE_SIZE, kind, linkage, word};
use crate::map::HostKind;
use crate::parameter::{Number, Range};

/// What the kernel believes an extern in a data section to be: an `int`.
const EXTERN_SIZE: u32 = 4;

/// The variable that stands for each function in `.ksyms`, since a data section has only variables.
const DUMMY: &str = "dummy_ksym";

/// Completes the BTF. `constant_kconfig`: the numbers of `.kconfig` become parameters.
pub(super) fn complete(
    btf: &mut Btf,
    elf: &Elf<'_>,
    externs: &Externs<'_>,
    constant_kconfig: bool,
) -> Result<(), ObjectError> {
    let symbols: HashMap<&str, &Symbol<'_>> = elf
        .symbols
        .iter()
        .filter(|symbol| symbol.section.is_some() && !symbol.is_local)
        .map(|symbol| (symbol.name, symbol))
        .collect();
    for at in btf.types().to_vec() {
        match btf.kind(at) {
            kind::FUNC if btf.vlen(at) != linkage::EXTERN => {
                name_parameters(btf, at, btf.word(at))?;
                let name = btf.string(btf.word(at))?;
                if btf.vlen(at) == linkage::GLOBAL
                    && let Some(symbol) = symbols.get(name)
                    && symbol.is_hidden
                    && symbol.section == elf.text
                {
                    set_function_linkage(btf, at, linkage::STATIC);
                }
            }
            kind::DATASEC if btf.string(btf.word(at))? == KSYMS => complete_externs(btf, at, externs)?,
            kind::DATASEC if btf.string(btf.word(at))? == KCONFIG => {
                complete_host(btf, at, externs, constant_kconfig)?
            }
            // Those of Rust have a name, which the kernel does not take.
            kind::PTR => btf.set_word(at, 0),
            kind::DATASEC => complete_data_section(btf, at, elf, &symbols)?,
            _ => {}
        }
    }
    Ok(())
}

fn complete_data_section(
    btf: &mut Btf,
    at: usize,
    elf: &Elf<'_>,
    symbols: &HashMap<&str, &Symbol<'_>>,
) -> Result<(), ObjectError> {
    let name = btf.string(btf.word(at))?;
    let unsized_by_compiler = btf.word(at + 8) == 0;
    if unsized_by_compiler {
        let size = elf
            .section(name)
            .and_then(|section| u32::try_from(section.size).ok())
            .filter(|size| *size != 0)
            .ok_or(BtfError("describes a data section that the object does not have"))?;
        btf.set_word(at + 8, size);
    }
    for entry in btf.entries(at) {
        let var = btf.var(entry)?;
        if btf.word(var + TYPE_SIZE) != linkage::GLOBAL {
            continue;
        }
        let symbol = *symbols
            .get(btf.string(btf.word(var))?)
            .ok_or(BtfError("describes a variable that the object does not have"))?;
        if unsized_by_compiler {
            let offset = u32::try_from(symbol.offset).map_err(|_| BtfError("has a variable out of range"))?;
            btf.set_word(entry + 4, offset);
        }
        if symbol.is_hidden {
            btf.set_word(var + TYPE_SIZE, linkage::STATIC);
        }
    }
    sort_variables(btf, at);
    Ok(())
}

/// Gives the variables of `.kconfig` their places, and may make parameters of them, so that they are constants to the
/// kernel although the host says what they are.
fn complete_host(btf: &mut Btf, at: usize, externs: &Externs<'_>, constant: bool) -> Result<(), ObjectError> {
    let mut end = 0;
    let mut ranges = Vec::new();
    for entry in btf.entries(at) {
        let var = btf.var(entry)?;
        let variable = externs.host(btf.string(btf.word(var))?);
        let variable = variable.ok_or(BtfError("describes an extern that the object does not use"))?;
        btf.set_word(var + TYPE_SIZE, linkage::GLOBAL);
        btf.set_word(entry + 4, variable.offset);
        end = end.max(variable.offset.saturating_add(variable.size));
        let range = host_range(btf, btf.word(var + 8), variable.kind);
        ranges.extend(range.map(|range| (btf.word(entry), range)));
    }
    btf.set_word(at + 8, end);
    sort_variables(btf, at);
    if constant && externs.has_host_numbers() {
        // Narrower limits may have been set (`sign --parameter`).
        ranges.retain(|(variable, _)| !is_parameter(btf, *variable));
        for (variable, range) in ranges {
            btf.add_tag(&range.tag(), variable);
        }
    }
    Ok(())
}

/// Whether a variable has a tag that makes a parameter of it.
fn is_parameter(btf: &Btf, variable: u32) -> bool {
    btf.types().iter().any(|at| {
        btf.kind(*at) == kind::DECL_TAG
            && btf.word(at + 8) == variable
            && btf.string(btf.word(*at)).is_ok_and(|tag| Range::of_tag(tag).is_some())
    })
}

/// All that a variable of `.kconfig` can be.
fn host_range(btf: &Btf, type_id: u32, kind: HostKind) -> Option<Range> {
    match kind {
        HostKind::Bool => Some(Range { min: 0, max: 1 }),
        HostKind::Tristate => Some(Range { min: 0, max: 2 }),
        _ => {
            let (size, is_signed) = btf.number(type_id)?;
            Some(Number { offset: 0, size, is_signed }.range())
        }
    }
}

/// The kernel wants the variables of a data section in order.
fn sort_variables(btf: &mut Btf, at: usize) {
    let variables = at + TYPE_SIZE..at + TYPE_SIZE + ENTRY_SIZE * btf.vlen(at) as usize;
    let (entries, _) = btf.bytes_mut(variables).as_chunks_mut::<ENTRY_SIZE>();
    entries.sort_by_key(|entry| word(entry, 4));
}

/// Makes the externs look like integers that are in a data section of this object: the kernel knows nothing else.
fn complete_externs(btf: &mut Btf, at: usize, externs: &Externs<'_>) -> Result<(), ObjectError> {
    let int = int32(btf).ok_or(BtfError("has externs, but no integer of 32 bits"))?;
    let mut dummy = None;
    let mut offset = 0;
    for entry in btf.entries(at) {
        let type_id = btf.word(entry);
        let symbol = btf.type_offset(type_id).ok_or(BtfError("refers to a type that does not exist"))?;
        if !externs.has(btf.string(btf.word(symbol))?) {
            return Err(BtfError("describes an extern that the object does not use").into());
        }
        if btf.kind(symbol) == kind::FUNC {
            let dummy = *dummy.get_or_insert_with(|| btf.add_variable(DUMMY, int));
            let name = btf.type_offset(dummy).map_or(0, |at| btf.word(at));
            name_parameters(btf, symbol, name)?;
            set_function_linkage(btf, symbol, linkage::GLOBAL);
            btf.set_word(entry, dummy);
        } else {
            btf.var(entry)?;
            btf.set_word(symbol + 8, int);
            btf.set_word(symbol + TYPE_SIZE, linkage::GLOBAL);
        }
        btf.set_word(entry + 4, offset);
        btf.set_word(entry + 8, EXTERN_SIZE);
        offset += EXTERN_SIZE;
    }
    btf.set_word(at + 8, offset);
    Ok(())
}

/// Gives those parameters of a function a name that have none, or else the kernel does not take the BTF: libbpf does so for
/// externs, and otherwise does without BTF, which a signature can't leave to the loader.
fn name_parameters(btf: &mut Btf, function: usize, name: u32) -> Result<(), BtfError> {
    const PARAMETER_SIZE: usize = 8;
    let missing = BtfError("has a function without a prototype");
    let prototype = btf.type_offset(btf.word(function + 8)).ok_or(missing)?;
    if btf.kind(prototype) != kind::FUNC_PROTO {
        return Err(missing);
    }
    for index in 0..btf.vlen(prototype) as usize {
        let parameter = prototype + TYPE_SIZE + index * PARAMETER_SIZE;
        let is_variadic = btf.word(parameter + 4) == 0;
        if btf.word(parameter) == 0 && !is_variadic {
            btf.set_word(parameter, name);
        }
    }
    Ok(())
}

fn set_function_linkage(btf: &mut Btf, at: usize, linkage: u32) {
    btf.set_word(at + 4, btf.word(at + 4) & !0xffff | linkage);
}

/// The first type that is an integer of 32 bits.
fn int32(btf: &Btf) -> Option<u32> {
    let is_it = |at: &usize| btf.kind(*at) == kind::INT && btf.word(at + TYPE_SIZE) & 0xff == 32;
    btf.types().iter().position(is_it).map(|index| index as u32 + 1)
}
