//! What the guest is told to do, and whether it got the answers that it should.

use std::collections::HashMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::insn::{AluOp, Insn};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::{INSN_SIZE, Program};
use nix::errno::Errno;

use super::matrix::Cell;
use super::message;
use super::mode::{Form, Machine, Mode};
use super::signers::Signers;
use super::subject::Subject;
use super::unsupported::Unsupported;
use crate::guest::{self, AttestedFacts, Load, Measured, Plan};

/// How many different messages there are for one load: one for each sample.
const MESSAGES: u64 = 21;

/// Signs everything for one machine and writes it down for the guest: one group of loads for each subject, in order.
///
/// # Errors
/// A program can't be signed.
pub fn plan(subjects: &[Subject], machine: Machine, signers: &[Signers]) -> Result<Plan> {
    let mut plan = Plan { listing: machine.listing(), ..Plan::default() };
    let certificate = |signers: &Signers| signers.known.certificate().to_der().to_vec();
    plan.certificates = signers.iter().map(certificate).collect();
    if machine == Machine::Signed {
        let attester = |signers: &Signers| signers.attester.certificate().to_der().to_vec();
        plan.attesters = signers.iter().map(attester).collect();
    }
    let signers: HashMap<Algorithm, &Signers> = signers.iter().map(|s| (s.algorithm, s)).collect();
    for subject in subjects {
        let (first, loader) = (plan.programs.len(), plan.loaders.len());
        let load = |cell: &Cell| -> Result<Load> {
            let signatures = match cell.algorithm {
                None => Vec::new(),
                Some(algorithm) => {
                    let signers = signers.get(&algorithm).context("an algorithm without signers")?;
                    sign(subject, signers, cell.mode)?
                }
            };
            Ok(Load {
                name: name(subject, cell),
                form: match cell.mode.form() {
                    Form::Loader => guest::Form::Loader(loader),
                    Form::Manifests | Form::Instructions => {
                        guest::Form::Programs((first..first + subject.programs.len()).collect())
                    }
                },
                signatures,
                replacement: match cell.mode {
                    Mode::Altered => Some(alteration(&subject.programs[0])?),
                    _ => None,
                },
                attested: match (cell.mode.is_attested(), cell.algorithm) {
                    (true, Some(algorithm)) => {
                        Some(attest(subject, &signers[&algorithm].attester, cell.mode)?)
                    }
                    _ => None,
                },
            })
        };
        let group: Result<Vec<_>> = subject.cells_on(machine).map(|(_, cell)| load(cell)).collect();
        plan.groups.push(group.with_context(|| format!("signing {}", subject.name))?);
        plan.programs.extend(subject.programs.iter().cloned());
        if machine == Machine::Mainline {
            plan.loaders.extend(subject.loader.clone());
        }
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
fn sign(subject: &Subject, signers: &Signers, mode: Mode) -> Result<Vec<Vec<u8>>> {
    let is_unknown = matches!(mode, Mode::UnknownSigner | Mode::MainlineUnknownSigner);
    let signer = if is_unknown { &signers.unknown } else { &signers.known };
    let messages = match mode.form() {
        Form::Instructions => vec![cms::sign_detached(&subject.programs[0].insns, signer)?],
        Form::Loader => {
            let loader = subject.loader.as_ref().context("no loader")?;
            vec![cms::sign_detached(&loader.signed_bytes(), signer)?]
        }
        Form::Manifests => {
            let entries = message::entries(&subject.programs)?;
            let sign = |expiry| message::signed(entries.clone(), expiry, signer);
            expiries(mode).map(sign).collect::<Result<_>>()?
        }
    };
    match mode {
        Mode::Forged | Mode::MainlineForged => messages.into_iter().map(message::forged).collect(),
        _ => Ok(messages),
    }
}

/// When the statements of the messages for a mode expire: at dates that are far away, or never. Those of first loads
/// are no others', and the first of them is that of repeated ones.
fn expiries(mode: Mode) -> impl Iterator<Item = u64> {
    let (first, count) = match mode {
        Mode::Signed => (0, MESSAGES),
        Mode::AttestedFirst => (MESSAGES, MESSAGES),
        Mode::Attested => (MESSAGES, 1),
        _ => (0, 1),
    };
    (first..first + count).map(|n| if n == 0 { 0 } else { u64::MAX - n })
}

/// The facts about the programs, attested in as many messages as there are signatures.
fn attest(subject: &Subject, attester: &Signer, mode: Mode) -> Result<AttestedFacts> {
    let facts = subject.facts.clone().context("nothing is known of it")?;
    let entries = message::attestations(&subject.programs, &facts)?;
    let messages = expiries(mode).map(|expiry| message::signed(entries.clone(), expiry, attester));
    Ok(AttestedFacts { messages: messages.collect::<Result<_>>()?, facts })
}

/// Another first instruction for the program: `r0 = 1`, or `r0 = 2` if that is what it was.
fn alteration(program: &Program) -> Result<(usize, [u8; INSN_SIZE])> {
    let first = program.insns.first_chunk().context("an empty program")?;
    let [one, two] = [1, 2].map(|value| Insn::alu64_imm(AluOp::Mov, 0, value).encode());
    Ok((0, if one == *first { two } else { one }))
}

/// Fails if the kernel accepted what it must refuse, or refused what it must accept, or gave another reason; but for
/// what it has been found not to support.
///
/// # Errors
/// Names each program, mode, errno and what the kernel's log says.
pub fn check(
    subjects: &[Subject],
    machine: Machine,
    measured: &[Vec<Measured>],
    unsupported: &[Unsupported],
) -> Result<()> {
    let mut wrong = String::new();
    for (subject, group) in subjects.iter().zip(measured) {
        for ((_, cell), measured) in subject.cells_on(machine).zip(group) {
            let expected = cell.mode.errno();
            let is_excused = unsupported.iter().any(|row| row.explains(subject, cell));
            if measured.errno != expected && !is_excused {
                let _ = write!(
                    wrong,
                    "\n  {}: {} instead of {}; the kernel's log: {}",
                    name(subject, cell),
                    verdict(measured.errno),
                    verdict(expected),
                    guest::reason(&measured.log).unwrap_or("(empty)"),
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
        let (name, source) = (entry.name, entry.source);
        Subject { name, programs: vec![entry.program], source, cells, loader: None, facts: None }
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
        check(&subjects, Machine::Signed, &[vec![measured(0, ""), measured(libc::ENOKEY, "")]], &[]).unwrap();
    }

    #[test]
    fn a_wrong_verdict_is_named_with_the_reason_of_the_kernel() {
        let subjects = [subject("straight-2", &[Mode::Signed, Mode::Forged])];
        let refused = measured(libc::ENOKEY, "signature: no such signer\nsignature check 1 nsec: 1, 0, 0\n");
        let error = check(&subjects, Machine::Signed, &[vec![refused, measured(0, "")]], &[])
            .unwrap_err()
            .to_string();
        for part in
            ["straight-2 signed", "ENOKEY", "no such signer", "straight-2 forged", "EKEYREJECTED", "accepted"]
        {
            assert!(error.contains(part), "{error}");
        }
    }
}
