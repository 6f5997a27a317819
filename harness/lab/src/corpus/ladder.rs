//! Generated programs that cost the verifier a known effort.
//!
//! Four families, each named by the number of instructions that the verifier has to look at:
//! - `straight-N`: N instructions in a row: the price of size.
//! - `loop-N`: four instructions, followed round and round.
//! - `branch-N`: few instructions with many paths through them, none of which can be skipped.
//! - `rewrite-N`: N instructions in a row, each of which the kernel replaces by several, after verification: the price
//!   of moving all that come after it.
//!
//! The largest of each is just within the kernel's limit of 1,000,000 (`BPF_COMPLEXITY_LIMIT_INSNS`).

use bpfsig_signing::insn::{self, AluOp, Insn, JumpOp, Width};
use bpfsig_signing::program::Program;
use bpfsig_signing::uapi::prog_type;

use super::{Entry, Source};

const BPF_FUNC_GET_PRANDOM_U32: i32 = 7;

pub(super) fn ladders() -> Vec<Entry> {
    let straight = [2, 64, 512, 4096, 65_536, 1_000_000].map(straight);
    let looping = [64, 256, 1024, 16_384, 131_072, 524_288, 999_998].map(looping);
    let branching =
        [(8, 2), (12, 2), (15, 2), (17, 2), (16, 13)].map(|(levels, tail)| branching(levels, tail));
    let rewritten = [64, 512, 4096].map(rewritten);
    straight.into_iter().chain(looping).chain(branching).chain(rewritten).collect()
}

/// `count` instructions without a jump; at least 2.
fn straight(count: usize) -> Entry {
    let work = [
        Insn::alu64_imm(AluOp::Add, 0, 0x9e37),
        Insn::alu64_imm(AluOp::Mul, 0, 31),
        Insn::alu64_imm(AluOp::Xor, 0, 0x5555),
        Insn::alu64_imm(AluOp::Rsh, 0, 1),
    ];
    let body = work.into_iter().cycle().take(count - 2);
    let insns = [Insn::alu64_imm(AluOp::Mov, 0, 0)].into_iter().chain(body).chain([Insn::exit()]);
    entry(format!("straight-{count}"), insns)
}

/// A loop that the verifier follows for `effort` instructions, an even number.
fn looping(effort: i32) -> Entry {
    let insns = [
        Insn::alu64_imm(AluOp::Mov, 0, 0),
        Insn::alu64_imm(AluOp::Add, 0, 1),
        Insn::jump_imm(JumpOp::Lt, 0, (effort - 2) / 2, -2),
        Insn::exit(),
    ];
    entry(format!("loop-{effort}"), insns)
}

/// 2^`levels` paths that each end in `tail` instructions of their own.
///
/// Each path arrives at the tail with another value in r6. The comparison there makes the verifier care for that
/// value, so that it can't take one path for another that it has already seen.
fn branching(levels: u8, tail: usize) -> Entry {
    let mut insns = vec![Insn::call_helper(BPF_FUNC_GET_PRANDOM_U32), Insn::alu64_imm(AluOp::Mov, 6, 0)];
    let effort = insns.len() + 2 * ((1 << levels) - 1) + (tail << levels);
    for bit in 0..levels {
        insns.push(Insn::jump_imm(JumpOp::Set, 0, 1 << bit, 1));
        insns.push(Insn::alu64_imm(AluOp::Add, 6, 1 << bit));
    }
    insns.push(Insn::jump_imm(JumpOp::Eq, 6, -1, 0));
    insns.extend(std::iter::repeat_n(Insn::alu64_imm(AluOp::Xor, 6, 1), tail - 2));
    insns.push(Insn::exit());
    entry(format!("branch-{effort}"), insns)
}

/// `count` instructions without a jump. Each reads a member of the context that is a bit field in the kernel.
fn rewritten(count: usize) -> Entry {
    /// Of `pkt_type` in `struct __sk_buff`.
    const PKT_TYPE: i16 = 4;
    let body = std::iter::repeat_n(Insn::load(Width::W, 0, 1, PKT_TYPE), count - 1);
    entry(format!("rewrite-{count}"), body.chain([Insn::exit()]))
}

fn entry(name: String, insns: impl IntoIterator<Item = Insn>) -> Entry {
    let program = Program {
        name: name.replace('-', "_"),
        prog_type: prog_type::SOCKET_FILTER,
        license: "GPL".to_owned(),
        insns: insn::encode(insns),
        ..Program::default()
    };
    Entry { name, program, source: Source::Ladder }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUMP_SET: u8 = 0x45;
    const JUMP_LESS: u8 = 0xa5;
    const JUMP_EQUAL: u8 = 0x15;
    const ADD: u8 = 0x07;

    fn family(name: &str) -> Vec<(usize, Vec<Insn>)> {
        let entries = ladders().into_iter();
        let entries = entries.filter_map(|entry| {
            let size = entry.name.strip_prefix(name)?.strip_prefix('-')?.parse().unwrap();
            Some((size, insn::decode(&entry.program.insns).collect()))
        });
        entries.collect()
    }

    /// The number of instructions that a verifier follows if it knows the counter but not the random number, and skips
    /// nothing.
    fn effort(insns: &[Insn]) -> usize {
        let mut count = 0;
        let mut paths = vec![(0, 0)];
        while let Some((mut at, mut counter)) = paths.pop() {
            loop {
                let insn = insns[at];
                count += 1;
                at += 1;
                match insn.code {
                    ADD if insn.dst == 0 => counter += insn.imm,
                    JUMP_LESS if counter < insn.imm => at = at.strict_add_signed(insn.off.into()),
                    JUMP_SET => paths.push((at.strict_add_signed(insn.off.into()), counter)),
                    JUMP_EQUAL => assert_eq!(insn.off, 0),
                    _ if insn == Insn::exit() => break,
                    _ => {}
                }
            }
        }
        count
    }

    #[test]
    fn straight_ladders_are_as_long_as_they_say_and_do_not_jump() {
        let ladders = family("straight");
        assert_eq!(
            ladders.iter().map(|(size, _)| *size).collect::<Vec<_>>(),
            [2, 64, 512, 4096, 65_536, 1_000_000]
        );
        for (size, insns) in ladders {
            assert_eq!(insns.len(), size);
            let (last, body) = insns.split_last().unwrap();
            assert_eq!(*last, Insn::exit());
            assert!(body.iter().all(|insn| insn.code & 0x07 == 0x07 && insn.dst == 0), "not only ALU64");
        }
    }

    #[test]
    fn rewrites_are_as_long_as_they_say() {
        let ladders = family("rewrite");
        assert_eq!(ladders.iter().map(|(size, _)| *size).collect::<Vec<_>>(), [64, 512, 4096]);
        for (size, insns) in ladders {
            assert_eq!(insns.len(), size);
        }
    }

    #[test]
    fn loops_cost_the_effort_that_they_say() {
        let ladders = family("loop");
        assert_eq!(ladders.len(), 7);
        for (size, insns) in ladders {
            assert_eq!(insns.len(), 4);
            assert_eq!(effort(&insns), size);
            assert!(size <= 1_000_000);
        }
    }

    #[test]
    fn branches_cost_the_effort_that_they_say() {
        let ladders = family("branch");
        assert_eq!(ladders.len(), 5);
        for (size, insns) in ladders {
            assert!(insns.len() < 64);
            assert_eq!(effort(&insns), size);
            assert!(size <= 1_000_000);
        }
    }
}
