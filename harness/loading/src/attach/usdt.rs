//! What the arguments of a statically defined tracepoint (USDT) are, for the program to read them.
//!
//! The program's half is libbpf's `usdt.bpf.h`: a map `__bpf_usdt_specs` that says for each place, by the cookie of its
//! link, in which registers or where in memory the arguments are.

use std::os::fd::AsFd;

use crate::error::{Error, Result};
use crate::info;
use crate::libbpf::map_update;
use crate::loaded_object::LoadedMap;

/// The map of `usdt.bpf.h`.
pub(super) const SPECS: &str = "__bpf_usdt_specs";

/// `BPF_USDT_MAX_ARG_CNT`.
const MAX_ARGUMENTS: usize = 12;
/// Bytes of `struct __bpf_usdt_arg_spec`.
const ARGUMENT_SIZE: usize = 16;
/// Bytes of `struct __bpf_usdt_spec`: arguments, a cookie, their count, padded.
const SPEC_SIZE: usize = MAX_ARGUMENTS * ARGUMENT_SIZE + 16;

/// Where the value of an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Constant(i64),
    /// At this offset in `struct pt_regs`.
    Register(u16),
    /// In memory, at the address in a register and a distance.
    Memory(u16, i64),
    /// In memory, at the address in a register, another register shifted to the left, and a distance.
    Indexed(u16, u16, u8, i64),
}

/// An argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Argument {
    value: Value,
    /// In bytes; negative for a signed number.
    size: i8,
}

/// Tells a program what the arguments at a place are: `spec` is the cookie of the link to be.
///
/// # Errors
/// There are more than the map or the program has room for, or an argument is in a form that is not known.
pub(super) fn describe(map: &LoadedMap, spec: u32, arguments: &str) -> Result<()> {
    let there = info::map_info(map.as_fd()).map_err(Error::system(SPECS))?;
    if there.value_size as usize != SPEC_SIZE || there.key_size as usize != size_of::<u32>() {
        return Err(Error::Invalid(format!("{SPECS} is not as libbpf's usdt.bpf.h defines it")));
    }
    if spec >= there.max_entries {
        let room = there.max_entries;
        return Err(Error::Invalid(format!("{SPECS} has room for {room} places (BPF_USDT_MAX_SPEC_CNT)")));
    }
    let value = encode(&parse(arguments)?);
    // SAFETY: the sizes have been looked at.
    unsafe { map_update(map.as_fd(), &spec.to_ne_bytes(), &value) }.map_err(Error::system(SPECS))
}

fn encode(arguments: &[Argument]) -> [u8; SPEC_SIZE] {
    let mut spec = [0; SPEC_SIZE];
    for (argument, bytes) in arguments.iter().zip(spec.chunks_mut(ARGUMENT_SIZE)) {
        let (kind, register, offset) = match argument.value {
            Value::Constant(value) => (0, 0, value),
            Value::Register(register) => (1, register, 0),
            Value::Memory(register, offset) => (2, register, offset),
            Value::Indexed(register, index, shift, offset) => {
                (3 | u32::from(index) << 8 | u32::from(shift) << 20, register, offset)
            }
        };
        bytes[0..8].copy_from_slice(&offset.to_ne_bytes());
        bytes[8..12].copy_from_slice(&kind.to_ne_bytes());
        bytes[12..14].copy_from_slice(&register.to_ne_bytes());
        bytes[14] = u8::from(argument.size < 0);
        bytes[15] = 64 - argument.size.unsigned_abs() * 8;
    }
    let count = MAX_ARGUMENTS * ARGUMENT_SIZE + size_of::<u64>();
    spec[count..count + 2].copy_from_slice(&(arguments.len() as u16).to_ne_bytes());
    spec
}

fn parse(arguments: &str) -> Result<Vec<Argument>> {
    let mut parsed = Vec::new();
    for text in split(arguments) {
        let argument = argument(text)
            .ok_or_else(|| Error::Invalid(format!("the usdt has an argument `{text}` of an unknown form")))?;
        parsed.push(argument);
    }
    if parsed.len() > MAX_ARGUMENTS {
        return Err(Error::Invalid(format!("the usdt has more than {MAX_ARGUMENTS} arguments")));
    }
    Ok(parsed)
}

/// Each begins with its size and an at sign. On Arm64, there are spaces within.
fn split(arguments: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for word in arguments.split(' ') {
        if word.contains('@') {
            starts.push(at);
        }
        at += word.len() + 1;
    }
    let ends = starts.iter().skip(1).copied().chain([arguments.len()]);
    starts.iter().zip(ends).map(|(start, end)| arguments[*start..end].trim()).collect()
}

/// Such as `-4@%eax`.
fn argument(text: &str) -> Option<Argument> {
    let (size, value) = text.split_once('@')?;
    let size: i8 = size.parse().ok()?;
    if ![1, 2, 4, 8].contains(&size.unsigned_abs()) {
        return None;
    }
    Some(Argument { size, value: machine::value(value)? })
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use super::Value;

    /// `$5`, `%eax`, `-16(%rbp)`, `8(%rax,%rcx,4)`.
    pub(super) fn value(text: &str) -> Option<Value> {
        if let Some(number) = text.strip_prefix('$') {
            return Some(Value::Constant(number.parse().ok()?));
        }
        if text.starts_with('%') {
            return Some(Value::Register(register(text)?));
        }
        let (offset, inside) = text.strip_suffix(')')?.split_once('(')?;
        let offset = if offset.is_empty() { 0 } else { offset.parse().ok()? };
        let mut parts = inside.split(',');
        let base = register(parts.next()?)?;
        let Some(index) = parts.next() else { return Some(Value::Memory(base, offset)) };
        let shift = match parts.next() {
            None | Some("1") => 0,
            Some("2") => 1,
            Some("4") => 2,
            Some("8") => 3,
            Some(_) => return None,
        };
        Some(Value::Indexed(base, register(index)?, shift, offset))
    }

    /// Where a register is in `struct pt_regs`.
    fn register(name: &str) -> Option<u16> {
        // In the order of the struct; numbers and segments that are not arguments have no name.
        const NAMES: [&[&str]; 20] = [
            &["r15", "r15d", "r15w", "r15b"],
            &["r14", "r14d", "r14w", "r14b"],
            &["r13", "r13d", "r13w", "r13b"],
            &["r12", "r12d", "r12w", "r12b"],
            &["rbp", "ebp", "bp", "bpl"],
            &["rbx", "ebx", "bx", "bl"],
            &["r11", "r11d", "r11w", "r11b"],
            &["r10", "r10d", "r10w", "r10b"],
            &["r9", "r9d", "r9w", "r9b"],
            &["r8", "r8d", "r8w", "r8b"],
            &["rax", "eax", "ax", "al"],
            &["rcx", "ecx", "cx", "cl"],
            &["rdx", "edx", "dx", "dl"],
            &["rsi", "esi", "si", "sil"],
            &["rdi", "edi", "di", "dil"],
            &[],
            &["rip", "eip"],
            &[],
            &[],
            &["rsp", "esp", "sp", "spl"],
        ];
        let name = name.strip_prefix('%')?;
        let index = NAMES.iter().position(|names| names.contains(&name))?;
        Some((index * size_of::<u64>()) as u16)
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use super::Value;

    /// `5`, `x0`, `[sp, 16]`.
    pub(super) fn value(text: &str) -> Option<Value> {
        if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let (base, offset) = inside.split_once(',').unwrap_or((inside, "0"));
            return Some(Value::Memory(register(base.trim())?, offset.trim().parse().ok()?));
        }
        match text.parse() {
            Ok(number) => Some(Value::Constant(number)),
            Err(_) => Some(Value::Register(register(text)?)),
        }
    }

    /// Where a register is in `struct user_pt_regs`: 31 numbered ones, then the stack pointer.
    fn register(name: &str) -> Option<u16> {
        let number: u16 = match name {
            "sp" => 31,
            _ => name.strip_prefix('x')?.parse().ok().filter(|number| *number < 31)?,
        };
        Some(number * size_of::<u64>() as u16)
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod machine {
    /// The registers of this machine are not known here.
    pub(super) fn value(_text: &str) -> Option<super::Value> {
        None
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_gcc_writes_them() {
        let argument = |size, value| Argument { size, value };
        assert_eq!(
            parse("-4@%eax 8@-16(%rbp) 1@$7 -8@(%rdi) 2@8(%rax,%rcx,4)").unwrap(),
            [
                argument(-4, Value::Register(80)),
                argument(8, Value::Memory(32, -16)),
                argument(1, Value::Constant(7)),
                argument(-8, Value::Memory(112, 0)),
                argument(2, Value::Indexed(80, 88, 2, 8)),
            ]
        );
        assert_eq!(parse("").unwrap(), []);
        for text in ["4@%xmm0", "3@%eax", "4@var(%rip)x", "%eax@"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    /// As `struct __bpf_usdt_spec` lays it out.
    #[test]
    fn a_description_has_the_layout_of_the_header() {
        let spec = encode(&parse("-4@%eax 2@8(%rax,%rcx,4)").unwrap());
        assert_eq!(spec.len(), 208);
        assert_eq!(spec[8..16], [1, 0, 0, 0, 80, 0, 1, 32]);
        assert_eq!(spec[16..24], 8u64.to_ne_bytes());
        assert_eq!(spec[24..32], [3, 88, 0x20, 0, 80, 0, 0, 48]);
        assert_eq!(spec[200..202], 2u16.to_ne_bytes());
    }
}
