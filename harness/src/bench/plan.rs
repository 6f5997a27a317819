//! What the guest is told to do, and whether it got the answers that it should.

use std::collections::HashMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail};
use bpfsig_signing::insn::{AluOp, Insn};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::{INSN_SIZE, Program};
use nix::errno::Errno;

use super::matrix::Cell;
use super::message;
use super::mode::{Machine, Mode};
use super::signers::Signers;
use super::subject::Subject;
use crate::guest::{self, Load, Measured, Plan};

/// How many different messages there are for one load: one for each sample.
const MESSAGES: u64 = 21;

/// Signs everything for one machine and writes it down for the guest: one group of loads for each subject, in order.
///
/// # Errors
/// A program can't be signed.
pub fn plan(subjects: &[Subject], machine: Machine, signers: &[Signers]) -> Result<Plan> {
    let mut plan = Plan::default();
    if machine == Machine::Signed {
        let certificate = |signers: &Signers| signers.known.certificate().to_der().to_vec();
        plan.certificates = signers.iter().map(certificate).collect();
    }
    let signers: HashMap<Algorithm, &Signers> = signers.iter().map(|s| (s.algorithm, s)).collect();
    for subject in subjects {
        let first = plan.programs.len();
        let load = |cell: &Cell| -> Result<Load> {
            let signatures = match cell.algorithm {
                None => Vec::new(),
                Some(algorithm) => {
                    let signers = signers.get(&algorithm).context("an algorithm without signers")?;
                    sign(&subject.programs, signers, cell.mode)?
                }
            };
            Ok(Load {
                name: name(subject, cell),
                programs: (first..first + subject.programs.len()).collect(),
                signatures,
                replacement: match cell.mode {
                    Mode::Altered => Some(alteration(&subject.programs[0])?),
                    _ => None,
                },
            })
        };
        let group: Result<Vec<_>> = subject.cells_on(machine).map(|(_, cell)| load(cell)).collect();
        plan.groups.push(group.with_context(|| format!("signing {}", subject.name))?);
        plan.programs.extend(subject.programs.iter().cloned());
    }
    Ok(plan)
}

/// What a load is called in messages.
fn name(subject: &Subject, cell: &Cell) -> String {
    match cell.algorithm {
        Some(algorithm) => format!("{} {} {algorithm}", subject.name, cell.mode.name()),
        None => format!("{} {}", subject.name, cell.mode.name()),
    }
}

/// The CMS messages for a mode. A first load is only one if the kernel has not seen the message yet.
fn sign(programs: &[Program], signers: &Signers, mode: Mode) -> Result<Vec<Vec<u8>>> {
    let signer = if mode == Mode::UnknownSigner { &signers.unknown } else { &signers.known };
    let entries = message::entries(programs)?;
    let message = |expiry| match message::signed(entries.clone(), expiry, signer) {
        Ok(message) if mode == Mode::Forged => message::forged(message),
        result => result,
    };
    // Dates that are far away, and never.
    let expiries =
        (0..if mode == Mode::Signed { MESSAGES } else { 1 }).map(|n| if n == 0 { 0 } else { u64::MAX - n });
    expiries.map(message).collect()
}

/// Another first instruction for the program: `r0 = 1`, or `r0 = 2` if that is what it was.
fn alteration(program: &Program) -> Result<(usize, [u8; INSN_SIZE])> {
    let first = program.insns.first_chunk().context("an empty program")?;
    let [one, two] = [1, 2].map(|value| Insn::alu64_imm(AluOp::Mov, 0, value).encode());
    Ok((0, if one == *first { two } else { one }))
}

/// Fails if the kernel accepted what it must refuse, or refused what it must accept, or gave another reason.
///
/// # Errors
/// Names each program, mode, errno and what the kernel's log says.
pub fn check(subjects: &[Subject], machine: Machine, measured: &[Vec<Measured>]) -> Result<()> {
    let mut wrong = String::new();
    for (subject, group) in subjects.iter().zip(measured) {
        for ((_, cell), measured) in subject.cells_on(machine).zip(group) {
            let expected = cell.mode.errno();
            if measured.errno != expected {
                let _ = write!(
                    wrong,
                    "\n  {}: {} instead of {}; the kernel's log: {}",
                    name(subject, cell),
                    verdict(measured.errno),
                    verdict(expected),
                    guest::reason(&measured.log),
                );
            }
        }
    }
    if !wrong.is_empty() {
        bail!("the kernel gave wrong verdicts:{wrong}");
    }
    Ok(())
}

fn verdict(errno: i32) -> String {
    if errno == 0 { "accepted".to_owned() } else { Errno::from_raw(errno).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    fn subject(name: &str, modes: &[Mode]) -> Subject {
        let entry = corpus::select(Some(name)).unwrap().remove(0);
        let cells = modes.iter().map(|mode| Cell { mode: *mode, algorithm: None }).collect();
        Subject { name: entry.name, programs: vec![entry.program], source: entry.source, cells }
    }

    fn measured(errno: i32, log: &str) -> Measured {
        Measured { errno, log: log.to_owned(), ..Measured::default() }
    }

    #[test]
    fn an_alteration_changes_the_program() {
        for entry in corpus::select(None).unwrap() {
            let (index, insn) = alteration(&entry.program).unwrap();
            assert_ne!(entry.program.insns[index * INSN_SIZE..][..INSN_SIZE], insn, "{}", entry.name);
        }
        let program =
            Program { insns: Insn::alu64_imm(AluOp::Mov, 0, 1).encode().to_vec(), ..Program::default() };
        assert_ne!(program.insns, alteration(&program).unwrap().1);
    }

    #[test]
    fn expected_verdicts_pass() {
        let subjects = [subject("straight-2", &[Mode::Signed, Mode::UnknownSigner])];
        check(&subjects, Machine::Signed, &[vec![measured(0, ""), measured(libc::ENOKEY, "")]]).unwrap();
    }

    #[test]
    fn a_wrong_verdict_is_named_with_the_reason_of_the_kernel() {
        let subjects = [subject("straight-2", &[Mode::Signed, Mode::Forged])];
        let refused = measured(libc::ENOKEY, "signature: no such signer\nsignature check 1 nsec: 1, 0, 0\n");
        let error =
            check(&subjects, Machine::Signed, &[vec![refused, measured(0, "")]]).unwrap_err().to_string();
        for part in
            ["straight-2 signed", "ENOKEY", "no such signer", "straight-2 forged", "EKEYREJECTED", "accepted"]
        {
            assert!(error.contains(part), "{error}");
        }
    }
}
