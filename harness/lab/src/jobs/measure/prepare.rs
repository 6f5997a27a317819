//! Makes the guest's plan, with everything signed.

use std::collections::HashMap;

use anyhow::{Context, Result};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::insn::{AluOp, Insn};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::{INSN_SIZE, Program};

use super::super::{Signers, message};
use super::plan::{AttestedFacts, Plan, PlannedForm, PlannedLoad};
use super::workload::{Case, Workload};
use crate::scenario::{Form, Row, Setup, Signature};

/// How many messages there are for a first load: one for each sample.
const MESSAGES: u64 = 21;

/// Signs everything for one machine: one group of loads for each workload, in order.
///
/// # Errors
/// A program can't be signed.
pub fn plan(workloads: &[Workload], setup: Setup, signers: &[Signers]) -> Result<Plan> {
    let mut plan = Plan { loader: setup.loader(), ..Plan::default() };
    let certificate = |signers: &Signers| signers.known.certificate().to_der().to_vec();
    plan.certificates = signers.iter().map(certificate).collect();
    if setup == Setup::Signed {
        let attester = |signers: &Signers| signers.attester.certificate().to_der().to_vec();
        plan.attesters = signers.iter().map(attester).collect();
    }
    let signers: HashMap<Algorithm, &Signers> = signers.iter().map(|s| (s.algorithm, s)).collect();
    for workload in workloads {
        let (first_program, loader) = (plan.programs.len(), plan.loaders.len());
        let load = |case: Case| -> Result<PlannedLoad> {
            let row = case.scenario.row();
            let signers = match case.algorithm {
                None => None,
                Some(algorithm) => Some(*signers.get(&algorithm).context("an algorithm without signers")?),
            };
            let form = match row.form {
                Form::Loader => PlannedForm::Loader(loader),
                Form::Manifests | Form::Instructions => {
                    PlannedForm::Programs((first_program..first_program + workload.programs.len()).collect())
                }
            };
            Ok(PlannedLoad {
                key: workload.key(case),
                form,
                signatures: signers.map_or(Ok(Vec::new()), |signers| sign(workload, signers, row))?,
                replacement: row.altered.then(|| alteration(&workload.programs[0])).transpose()?,
                attested: signers
                    .filter(|_| row.attested)
                    .map(|signers| attest(workload, &signers.attester, row))
                    .transpose()?,
            })
        };
        let group: Result<Vec<_>> = workload.cases_on(setup).map(load).collect();
        plan.groups.push(group.with_context(|| format!("signing {}", workload.name))?);
        plan.programs.extend(workload.programs.iter().cloned());
        if setup == Setup::Mainline {
            plan.loaders.extend(workload.loader.clone());
        }
    }
    Ok(plan)
}

/// The CMS messages for a scenario.
fn sign(workload: &Workload, signers: &Signers, row: &Row) -> Result<Vec<Vec<u8>>> {
    let is_unknown = row.signature == Signature::UnknownSigner;
    let signer = if is_unknown { &signers.unknown } else { &signers.known };
    let messages = match row.form {
        Form::Instructions => vec![cms::sign_detached(&workload.programs[0].insns, signer)?],
        Form::Loader => {
            let loader = workload.loader.as_ref().context("no loader")?;
            vec![cms::sign_detached(&loader.signed_bytes(), signer)?]
        }
        Form::Manifests => {
            let entries = message::entries(&workload.programs)?;
            let sign = |expiry| message::signed(entries.clone(), expiry, signer);
            expiries(row).map(sign).collect::<Result<_>>()?
        }
    };
    match row.signature {
        Signature::Forged => messages.into_iter().map(message::forged).collect(),
        _ => Ok(messages),
    }
}

/// When the statements of the messages for a scenario expire: never, or on a date that is far away. The date makes messages
/// about the same programs different from each other. Each first load takes a message that no load had before; the first of
/// these messages is the one that repeated loads take.
fn expiries(row: &Row) -> impl Iterator<Item = u64> {
    let first = if row.attested { MESSAGES } else { 0 };
    let count = if row.signature == Signature::First { MESSAGES } else { 1 };
    (first..first + count).map(|n| if n == 0 { 0 } else { u64::MAX - n })
}

/// The facts about the programs, attested in as many messages as there are signatures.
fn attest(workload: &Workload, attester: &Signer, row: &Row) -> Result<AttestedFacts> {
    let facts = workload.facts.clone().context("no facts are known")?;
    let entries = message::attestations(&workload.programs, &facts)?;
    let messages = expiries(row).map(|expiry| message::signed(entries.clone(), expiry, attester));
    Ok(AttestedFacts { messages: messages.collect::<Result<_>>()?, facts })
}

/// Another first instruction for the program: `r0 = 1`, or `r0 = 2` if it begins with that.
fn alteration(program: &Program) -> Result<(usize, [u8; INSN_SIZE])> {
    let first = program.insns.first_chunk().context("an empty program")?;
    let [one, two] = [1, 2].map(|value| Insn::alu64_imm(AluOp::Mov, 0, value).encode());
    Ok((0, if one == *first { two } else { one }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;
    use crate::scenario::Scenario;

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
    fn first_loads_have_messages_of_their_own() {
        let of = |scenario: Scenario| expiries(scenario.row()).collect::<Vec<_>>();
        let (first, attested) = (of(Scenario::Signed), of(Scenario::AttestedFirst));
        assert_eq!((first.len(), first[0], attested.len()), (21, 0, 21));
        assert!(!first.iter().any(|expiry| attested.contains(expiry)));
        assert_eq!((of(Scenario::Repeated), of(Scenario::Attested)), (vec![first[0]], vec![attested[0]]));
    }
}
