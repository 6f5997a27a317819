//! Programs that take as much of the verifier's time or memory as they can.
//!
//! The verifier gives up after 1,000,000 instructions (`BPF_COMPLEXITY_LIMIT_INSNS`). Its work for each of them has no limit.

use bpfsig_signing::insn::{self, AluOp, Insn, JumpOp, PSEUDO_CALL};
use bpfsig_signing::program::Program;
use bpfsig_signing::uapi::prog_type;

/// Bytes of stack that a function may use.
const STACK: i16 = 512;

/// Loops until the verifier gives up.
pub(super) fn endless() -> Program {
    program(
        "endless",
        [
            Insn::alu64_imm(AluOp::Mov, 0, 0),
            Insn::alu64_imm(AluOp::Add, 0, 1),
            Insn::jump_imm(JumpOp::Lt, 0, 1_000_000_000, -2),
            Insn::exit(),
        ],
    )
}

/// Adds the same number to a pointer again and again: `steps` times two instructions.
///
/// For each, the verifier walks back to the origin of the number, instruction by instruction, to mark it as precise. Without a
/// jump it has no earlier state to stop at, so the effort grows with the square.
pub(super) fn quadratic(steps: usize) -> Program {
    let step = [Insn::alu64_reg(AluOp::Mov, 3, 10), Insn::alu64_reg(AluOp::Add, 3, 6)].into_iter().cycle();
    let begin = [Insn::alu64_imm(AluOp::Mov, 0, 0), Insn::alu64_imm(AluOp::Mov, 6, -8)];
    program("quadratic", begin.into_iter().chain(step.take(2 * steps)).chain([Insn::exit()]))
}

/// A chain of `depth` functions. All fill their stacks, and the last one loops for about `effort` instructions.
///
/// Each of the verifier's states has a copy of all stacks, with 15 bytes for each byte. It refuses the program because of their
/// common size, but only at the end.
pub(super) fn deep(depth: usize, effort: i32) -> Program {
    let mut insns = Vec::new();
    for level in 1..=depth {
        let slots = (1..=STACK / 8).map(|slot| store(10, -8 * slot, 0));
        insns.extend(slots);
        if level < depth {
            insns.push(Insn { code: insn::CALL, src: PSEUDO_CALL, imm: 1, ..Insn::default() });
        } else {
            insns.push(Insn::alu64_imm(AluOp::Mov, 0, 0));
            insns.push(Insn::alu64_imm(AluOp::Add, 0, 1));
            insns.push(Insn::jump_imm(JumpOp::Lt, 0, effort / 2, -2));
        }
        insns.push(Insn::exit());
    }
    program("deep", insns)
}

/// `*(u64 *)(dst + off) = imm` (`BPF_ST | BPF_MEM | BPF_DW`).
fn store(dst: u8, off: i16, imm: i32) -> Insn {
    Insn { code: 0x7a, dst, off, imm, ..Insn::default() }
}

fn program(name: &str, insns: impl IntoIterator<Item = Insn>) -> Program {
    Program {
        name: name.to_owned(),
        prog_type: prog_type::SOCKET_FILTER,
        license: "GPL".to_owned(),
        insns: insn::encode(insns),
        ..Program::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_call_the_one_that_follows() {
        let insns: Vec<_> = insn::decode(&deep(3, 100).insns).collect();
        let calls: Vec<_> = (0..insns.len()).filter(|at| insns[*at].code == insn::CALL).collect();
        assert_eq!(calls.len(), 2);
        for call in calls {
            assert_eq!(insns[call + 1], Insn::exit());
            // The first instruction of the next function.
            let target = (call + 1).strict_add_signed(insns[call].imm as isize);
            assert_eq!(insns[target], store(10, -8, 0));
        }
        assert_eq!(insns.iter().filter(|insn| **insn == Insn::exit()).count(), 3);
    }

    #[test]
    fn a_quadratic_program_has_no_jump() {
        let program = quadratic(100);
        assert_eq!(program.insn_count(), 203);
        let is_jump = |insn: Insn| insn.code & 0x06 == 0x04 && insn.code & 1 == 1;
        assert_eq!(insn::decode(&program.insns).filter(|insn| is_jump(*insn)).count(), 1);
    }
}
