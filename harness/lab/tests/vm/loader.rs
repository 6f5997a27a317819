//! Loader programs: each loads another program that lies in its map.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use bpfsig_lab::loader::Loader;
use bpfsig_loading as bpf;
use bpfsig_signing::insn::{self, AluOp, Insn};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;

use crate::load::small;

/// `BPF_PROG_LOAD`, `BPF_FUNC_sys_bpf`, and the size of its attributes.
const PROG_LOAD: i32 = 5;
const SYS_BPF: i32 = 166;
const ATTR_SIZE: usize = 168;

/// What the map holds after the attributes.
const LICENSE: usize = ATTR_SIZE;
const INSNS: usize = LICENSE + 8;
const MAP_SIZE: usize = 256;

/// A small loader. User space can still write to its map, unless that is frozen.
pub fn loader(frozen: bool) -> Program {
    let mut contents = vec![0; MAP_SIZE];
    // `prog_type`, `insn_cnt`
    contents[0] = small().prog_type as u8;
    contents[4] = small().insn_count() as u8;
    contents[48..54].copy_from_slice(b"target");
    contents[LICENSE..LICENSE + 3].copy_from_slice(b"GPL");
    contents[INSNS..INSNS + small().insns.len()].copy_from_slice(&small().insns);

    // *(r7 + field) = r7 + offset
    let point = |field, offset: usize| {
        [
            Insn::alu64_reg(AluOp::Mov, 1, 7),
            Insn::alu64_imm(AluOp::Add, 1, offset as i32),
            Insn { code: 0x7b, dst: 7, src: 1, off: field, ..Insn::default() },
        ]
    };
    let mut insns = vec![
        Insn { code: insn::LD_IMM64, dst: 7, src: insn::PSEUDO_MAP_IDX_VALUE, ..Insn::default() },
        Insn::default(),
    ];
    insns.extend(point(8, INSNS));
    insns.extend(point(16, LICENSE));
    insns.extend([
        Insn::alu64_imm(AluOp::Mov, 1, PROG_LOAD),
        Insn::alu64_reg(AluOp::Mov, 2, 7),
        Insn::alu64_imm(AluOp::Mov, 3, ATTR_SIZE as i32),
        Insn::call_helper(SYS_BPF),
        Insn::exit(),
    ]);
    program(insn::encode(insns), contents, frozen)
}

fn program(insns: Vec<u8>, contents: Vec<u8>, frozen: bool) -> Program {
    let map = MapDefinition {
        name: "loader".into(),
        map_type: 2,
        key_size: 4,
        value_size: contents.len() as u32,
        max_entries: 1,
        contents,
        frozen,
        ..MapDefinition::default()
    };
    Program {
        name: "loader".into(),
        prog_type: 31,
        // BPF_F_SLEEPABLE
        flags: 16,
        license: "GPL".into(),
        insns,
        slots: vec![Arc::new(map)],
        ..Program::default()
    }
}

/// Runs a small loader: the program that it has loaded, or the error number.
pub fn run(loader: BorrowedFd<'_>) -> Result<OwnedFd, i32> {
    let result = bpf::raw::test_run(loader, &[], &[]).unwrap().retval as i32;
    if result < 0 { Err(-result) } else { Ok(owned(result)) }
}

/// The loader of a light skeleton, with its map as a slot.
pub fn light_skeleton(loader: &Loader, frozen: bool) -> Program {
    program(loader.program.insns.clone(), loader.metadata.clone(), frozen)
}

fn owned(fd: i32) -> OwnedFd {
    assert!(fd > 2, "no file descriptor: {fd}");
    // SAFETY: the loader has just opened it for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
