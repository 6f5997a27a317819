//! The functions of an object, and what each of their instructions refers to.

use super::ObjectError;
use super::elf::{Elf, Section, SectionKind, Symbol};
use super::externs::{Extern, ExternKind, Externs};
use super::maps::{Maps, Place};
use crate::insn::{self, CALL, Insn, LD_IMM64, PSEUDO_CALL};
use crate::program::INSN_SIZE;

/// The section of the tables that `gotox` jumps through. A loader makes instruction arrays of them
/// (`BPF_MAP_TYPE_INSN_ARRAY`), which the kernel refuses in a signed load.
const JUMP_TABLES: &str = ".jumptables";

/// A function: a program if it is in a section of its type, a subprogram if it is in `.text`.
pub(super) struct Function<'a> {
    pub name: &'a str,
    /// Section index.
    pub section: usize,
    /// In the section, in bytes.
    pub offset: usize,
    /// Whole instructions, as the compiler wrote them.
    pub code: &'a [u8],
    /// Ordered by instruction.
    pub references: Vec<Reference>,
}

/// Something outside of a function that one of its instructions refers to.
pub(super) struct Reference {
    /// Index of the instruction in the function.
    pub insn: usize,
    pub target: Target,
}

/// What an instruction refers to. Functions are indexes into [`functions`]' result.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// Calls a function.
    Call(usize),
    /// Takes the address of a function, for a helper that calls it.
    Callback(usize),
    /// The address of a map, or of something in its first value.
    Map(Place),
    /// Calls a function of the kernel.
    KernelCall(Extern),
    /// The address of a function or a variable of the kernel.
    KernelAddress(Extern),
}

/// All functions but some, ordered by section and offset, with their references.
pub(super) fn functions<'a>(
    elf: &Elf<'a>,
    maps: &Maps,
    externs: &Externs<'_>,
    is_left_out: impl Fn(&str) -> bool,
) -> Result<Vec<Function<'a>>, ObjectError> {
    let mut functions = Vec::new();
    for symbol in elf.symbols.iter().filter(|symbol| symbol.is_function && !is_left_out(symbol.name)) {
        let Some(index) = symbol.section else { continue };
        if elf.sections[index].kind == SectionKind::Code {
            functions.push(function(symbol, index, &elf.sections[index], elf.text)?);
        }
    }
    functions.sort_by_key(|function| (function.section, function.offset));
    for pair in functions.windows(2) {
        if pair[0].section == pair[1].section && pair[0].offset + pair[0].code.len() > pair[1].offset {
            return Err(pair[1].problem(format!("overlaps with `{}`", pair[0].name)));
        }
    }
    for index in 0..functions.len() {
        functions[index].references = references(&functions[index], &functions, elf, maps, externs)?;
    }
    refuse_recursion(&functions)?;
    Ok(functions)
}

fn function<'a>(
    symbol: &Symbol<'a>,
    index: usize,
    section: &Section<'a>,
    text: Option<usize>,
) -> Result<Function<'a>, ObjectError> {
    let offset = usize::try_from(symbol.offset).unwrap_or(usize::MAX);
    let end = offset.saturating_add(usize::try_from(symbol.size).unwrap_or(usize::MAX));
    let function =
        |code| Function { name: symbol.name, section: index, offset, code, references: Vec::new() };
    let Some(code) = section.data.get(offset..end) else {
        return Err(function(&[]).problem("crosses the end of its section"));
    };
    if code.is_empty() || offset % INSN_SIZE != 0 || code.len() % INSN_SIZE != 0 {
        return Err(function(&[]).problem("is not made of whole instructions"));
    }
    if symbol.is_local && text != Some(index) {
        return Err(function(&[]).problem("is static: only functions in `.text` can be"));
    }
    Ok(function(code))
}

fn references<'a>(
    function: &Function<'a>,
    functions: &[Function<'a>],
    elf: &Elf<'a>,
    maps: &Maps,
    externs: &Externs<'_>,
) -> Result<Vec<Reference>, ObjectError> {
    let section = &elf.sections[function.section];
    let end = (function.offset + function.code.len()) as u64;
    let first = section.relocations.partition_point(|relocation| relocation.offset < function.offset as u64);
    let mut relocations =
        section.relocations[first..].iter().take_while(|relocation| relocation.offset < end).peekable();

    let mut references = Vec::new();
    let mut insns = insn::decode(function.code).enumerate();
    while let Some((index, insn)) = insns.next() {
        let offset = (function.offset + index * INSN_SIZE) as u64;
        let symbol = relocations
            .next_if(|relocation| relocation.offset == offset)
            .map(|relocation| &elf.symbols[relocation.symbol]);
        let resolve = Resolve { function, functions, elf, maps, externs, index };
        if let Some(target) = resolve.target(insn, symbol)? {
            references.push(Reference { insn: index, target });
        }
        if insn.code == LD_IMM64 && insns.next().is_none() {
            return Err(resolve.problem("is half of a 64-bit load"));
        }
    }
    match relocations.next() {
        None => Ok(references),
        Some(left) => {
            let index = (left.offset as usize - function.offset) / INSN_SIZE;
            Err(Resolve { function, functions, elf, maps, externs, index }
                .problem("has a relocation that is not its first or not at its start"))
        }
    }
}

/// One instruction, with all it needs to be resolved.
struct Resolve<'r, 'a> {
    function: &'r Function<'a>,
    functions: &'r [Function<'a>],
    elf: &'r Elf<'a>,
    maps: &'r Maps,
    externs: &'r Externs<'r>,
    index: usize,
}

impl<'a> Resolve<'_, 'a> {
    fn target(&self, insn: Insn, symbol: Option<&Symbol<'a>>) -> Result<Option<Target>, ObjectError> {
        let target = match (insn.code, insn.src, symbol) {
            (CALL, _, Some(symbol)) if symbol.is_extern => match self.external(symbol)? {
                external if external.kind == ExternKind::Function => Target::KernelCall(external),
                _ => return Err(self.problem(&format!("calls `{}`, which is not a function", symbol.name))),
            },
            (CALL, PSEUDO_CALL, Some(symbol)) => {
                Target::Call(self.function_at(symbol.section, symbol.offset, i64::from(insn.imm) + 1)?)
            }
            (CALL, PSEUDO_CALL, None) => {
                let next = self.function.offset + (self.index + 1) * INSN_SIZE;
                Target::Call(self.function_at(
                    Some(self.function.section),
                    next as u64,
                    i64::from(insn.imm),
                )?)
            }
            (LD_IMM64, 0, Some(symbol)) if symbol.is_extern => match insn.imm {
                0 => match self.externs.host(symbol.name).and_then(|host| self.maps.host_place(host)) {
                    Some(place) => Target::Map(place),
                    None => Target::KernelAddress(self.external(symbol)?),
                },
                _ => return Err(self.problem(&format!("refers to the inside of `{}`", symbol.name))),
            },
            (LD_IMM64, 0, Some(symbol)) if symbol.section.is_some() && symbol.section == self.elf.text => {
                if i64::from(insn.imm) % INSN_SIZE as i64 != 0 {
                    return Err(self.problem("takes the address of half an instruction"));
                }
                let distance = i64::from(insn.imm) / INSN_SIZE as i64;
                Target::Callback(self.function_at(symbol.section, symbol.offset, distance)?)
            }
            (LD_IMM64, 0, Some(symbol)) => self.map(symbol, insn.imm)?,
            (CALL, 0, None) | (LD_IMM64, 0, None) => return Ok(None),
            (CALL | LD_IMM64, _, _) => {
                return Err(
                    self.problem("refers to something by a number that means nothing on another host")
                );
            }
            (_, _, Some(_)) => {
                return Err(self.problem("has a relocation, but is neither a call nor a 64-bit load"));
            }
            (_, _, None) => return Ok(None),
        };
        Ok(Some(target))
    }

    fn external(&self, symbol: &Symbol<'a>) -> Result<Extern, ObjectError> {
        self.externs.get(symbol.name).ok_or_else(|| self.problem("refers to an unknown extern"))
    }

    /// The subprogram that starts `distance` instructions after `offset`.
    fn function_at(&self, section: Option<usize>, offset: u64, distance: i64) -> Result<usize, ObjectError> {
        if section != self.elf.text {
            return Err(self.problem("refers to a function that is not in `.text`"));
        }
        let start = i64::try_from(offset)
            .ok()
            .and_then(|offset| offset.checked_add(distance * INSN_SIZE as i64))
            .and_then(|start| usize::try_from(start).ok());
        start
            .and_then(|start| {
                self.functions.binary_search_by_key(&(section, start), |f| (Some(f.section), f.offset)).ok()
            })
            .ok_or_else(|| self.problem("refers to a place in `.text` where no function starts"))
    }

    /// The map that `symbol` is or is in; `addend` is the place in the symbol.
    fn map(&self, symbol: &Symbol<'a>, addend: i32) -> Result<Target, ObjectError> {
        let Some(section) = symbol.section else {
            return Err(self.problem("refers to a symbol that is in no section"));
        };
        match self.maps.place(section, symbol.offset, addend) {
            Some(place) => Ok(Target::Map(place)),
            None if self.elf.sections[section].name == JUMP_TABLES => Err(self.problem(
                "jumps through a table (`.jumptables`), and no signature covers where to: compile with \
                 -fno-jump-tables, or for -mcpu=v3",
            )),
            None => {
                let name = self.elf.sections[section].name;
                Err(self
                    .problem(&format!("refers to `{}` in section `{name}`, where no map is", symbol.name)))
            }
        }
    }

    fn problem(&self, problem: &str) -> ObjectError {
        self.function.problem(format!("instruction {} {problem}", self.index))
    }
}

/// A function that calls itself, directly or through others, can never be loaded. A callback that is set up again
/// from within itself is not recursion.
fn refuse_recursion(functions: &[Function<'_>]) -> Result<(), ObjectError> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; functions.len()];
    for root in 0..functions.len() {
        if states[root] != State::New {
            continue;
        }
        states[root] = State::Open;
        let mut stack = vec![(root, functions[root].references.iter())];
        while let Some((index, references)) = stack.last_mut() {
            match references.next() {
                Some(Reference { target: Target::Call(callee), .. }) => match states[*callee] {
                    State::New => {
                        states[*callee] = State::Open;
                        stack.push((*callee, functions[*callee].references.iter()));
                    }
                    State::Open => {
                        return Err(functions[*callee].problem("calls itself, directly or through others"));
                    }
                    State::Done => {}
                },
                Some(_) => {}
                None => {
                    states[*index] = State::Done;
                    stack.pop();
                }
            }
        }
    }
    Ok(())
}

impl Function<'_> {
    pub fn problem(&self, problem: impl Into<String>) -> ObjectError {
        ObjectError::Function { function: self.name.to_owned(), problem: problem.into() }
    }
}
