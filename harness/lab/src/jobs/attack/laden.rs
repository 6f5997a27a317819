//! Programs that are laden with what the kernel hashes before it knows that nobody has signed them.

use std::iter;
use std::sync::Arc;

use bpfsig_signing::insn::{self, AluOp, INSN_SIZE, Insn, PSEUDO_CALL};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::{Program, Records};
use bpfsig_signing::uapi::{map_type, prog_type};
use libbpf_rs::libbpf_sys::BPF_F_RDONLY_PROG;

/// Bytes of a BTF (`BTF_MAX_SIZE` in `kernel/bpf/btf.c`), and of constants that a manifest covers (`MAX_CONTENTS` in
/// `kernel/bpf/manifest.c`).
const MAX_BYTES: usize = 16 << 20;

/// Bytes of a `struct btf_type` of an integer, and of a `struct bpf_core_relo`.
const TYPE: usize = 16;
const RECORD: usize = 16;

/// What a manifest covers, and a program can have much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Instructions.
    Instructions,
    /// Functions, each with a record of `func_info`.
    Functions,
    /// CO-RE records.
    Relocations,
    /// Types in the BTF.
    Types,
    /// Bytes of text in the BTF.
    Text,
    /// Maps of constants.
    Maps,
    /// Bytes of constants, in all maps together.
    Constants,
}

impl Thing {
    /// All of them.
    pub const ALL: [Thing; 7] = [
        Thing::Instructions,
        Thing::Functions,
        Thing::Relocations,
        Thing::Types,
        Thing::Text,
        Thing::Maps,
        Thing::Constants,
    ];

    /// The most of it that the kernel takes, where it is not limited by something else.
    pub fn most(self) -> usize {
        match self {
            Thing::Instructions | Thing::Relocations => 1_000_000,
            Thing::Functions => 256,
            Thing::Types | Thing::Text | Thing::Constants => MAX_BYTES,
            Thing::Maps => 64,
        }
    }
}

/// A program with such amounts, at least 1, or with as much as there can be beside the rest.
pub fn laden(amount: impl Fn(Thing) -> usize) -> Program {
    let (insns, functions) = insns(amount(Thing::Instructions), amount(Thing::Functions));
    let function = |start: usize| [start as u32, FUNCTION].map(u32::to_le_bytes).concat();
    let relocations = amount(Thing::Relocations).min(insns.len() / INSN_SIZE);
    Program {
        name: "laden".to_owned(),
        prog_type: prog_type::SOCKET_FILTER,
        license: "GPL".to_owned(),
        btf: Some(btf(amount(Thing::Types), amount(Thing::Text)).into()),
        func_info: Records { record_size: 8, bytes: functions.into_iter().flat_map(function).collect() },
        core_relos: Records { record_size: RECORD as u32, bytes: vec![0; RECORD * relocations] },
        slots: constants(amount(Thing::Constants), amount(Thing::Maps)),
        insns,
        ..Program::default()
    }
}

/// A function that calls the others, and then goes on for as long as is wanted; and where each of them begins.
fn insns(count: usize, functions: usize) -> (Vec<u8>, Vec<usize>) {
    let function = [Insn::alu64_imm(AluOp::Mov, 0, 0), Insn::exit()];
    let others = functions - 1;
    let rest = count.saturating_sub(others + function.len() * functions);
    let starts: Vec<_> = (0..others).map(|index| others + rest + function.len() * (index + 1)).collect();
    let call = |(index, start): (usize, &usize)| Insn {
        code: insn::CALL,
        src: PSEUDO_CALL,
        imm: (start - index - 1) as i32,
        ..Insn::default()
    };
    let calls = starts.iter().enumerate().map(call);
    let padding = iter::repeat_n(function[0], rest);
    let insns = insn::encode(calls.chain(padding).chain(function.repeat(functions)));
    (insns, iter::once(0).chain(starts).collect())
}

/// The type of all functions in [`btf`].
const FUNCTION: u32 = 2;

/// A BTF with a function, so many integers, and so much text, as far as they fit. See `Documentation/bpf/btf.rst`.
fn btf(integers: usize, text: usize) -> Vec<u8> {
    const HEADER: usize = 24;
    const FUNCTION_TYPES: usize = 2 * 12;
    let room = MAX_BYTES - HEADER - FUNCTION_TYPES - b"\0f\0".len();
    let integers = integers.min(room / TYPE);
    let text = text.min(room - integers * TYPE);
    let kind = |kind: u32| kind << 24;
    // Name, kind, size or type, and what belongs to the kind.
    let function = [0, kind(13), 0, 1, kind(12), 1];
    let integer = [1, kind(1), 4, 32];
    let mut types = function.map(u32::to_le_bytes).concat();
    types.extend(integer.map(u32::to_le_bytes).concat().repeat(integers));
    let mut strings = b"\0f\0".to_vec();
    strings.resize(strings.len() + text, 0);
    let lengths = [0, types.len(), types.len(), strings.len()].map(|length| (length as u32).to_le_bytes());
    [&[0x9f, 0xeb, 1, 0, HEADER as u8, 0, 0, 0], &lengths.concat()[..], &types, &strings].concat()
}

/// Constants in so many maps.
fn constants(bytes: usize, maps: usize) -> Vec<Arc<MapDefinition>> {
    let value_size = (bytes / maps / 8 * 8).max(8) as u32;
    let map = |index: usize| MapDefinition {
        name: format!("c{index}.rodata"),
        map_type: map_type::ARRAY,
        key_size: size_of::<u32>() as u32,
        value_size,
        max_entries: 1,
        contents: vec![0; value_size as usize],
        flags: BPF_F_RDONLY_PROG,
        frozen: true,
        ..MapDefinition::default()
    };
    (0..maps).map(|index| Arc::new(map(index))).collect()
}

#[cfg(test)]
mod tests {
    use bpfsig_signing::manifest::Manifest;

    use super::*;

    #[test]
    fn programs_have_the_amounts_that_were_asked_for() {
        for amount in [1, 1000] {
            let program = laden(|_| amount);
            assert_eq!(program.func_info.count() as usize, amount);
            assert_eq!(program.slots.len(), amount);
            Manifest::of(&program).unwrap();
        }
        let program = laden(|thing| if thing == Thing::Functions { 3 } else { 100 });
        assert_eq!((program.insn_count(), program.core_relos.count()), (100, 100));
    }

    #[test]
    fn functions_begin_where_they_are_called() {
        let (bytes, starts) = insns(100, 3);
        let insns: Vec<_> = insn::decode(&bytes).collect();
        let calls = insns.iter().enumerate().filter(|(_, insn)| insn.code == insn::CALL);
        let targets: Vec<_> = calls.map(|(at, insn)| at + 1 + insn.imm as usize).collect();
        assert_eq!(targets, starts[1..]);
        assert!(starts[1..].iter().all(|start| insns[start - 1] == Insn::exit()));
    }

    #[test]
    fn nothing_is_more_than_the_kernel_takes() {
        let program = laden(Thing::most);
        assert_eq!((program.insn_count(), program.core_relos.count()), (1_000_000, 1_000_000));
        assert!((MAX_BYTES - TYPE..=MAX_BYTES).contains(&program.btf.unwrap().len()));
        assert_eq!(program.slots.iter().map(|map| map.contents.len()).sum::<usize>(), MAX_BYTES);
    }
}
