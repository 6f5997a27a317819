//! Prepares the attacks of the table: makes and signs their programs.

use std::collections::HashMap;
use std::slice;

use anyhow::{Context, Result, bail};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::Program;

use super::super::Signers;
use super::super::measure::AttestedFacts;
use super::super::message::{self, forged};
use super::hostile_messages;
use super::job::{Action, Attempt, PlannedAttack};
use super::table::{Attackers, Behaviour, Load, Message, ROWS, Row, select};
use crate::results::{AttackClass as Class, Policy};

/// A prepared attack.
pub struct Attack {
    /// Its name in tables and files.
    pub name: &'static str,
    /// Its kind.
    pub class: Class,
    /// The action of the attackers on a kernel that checks signatures.
    pub action: Action,
    /// The answer of a kernel that demands no signature; 0 if it accepts the program.
    pub errno: i32,
    /// The number of attacking users.
    pub users: u32,
    /// The number of threads of each of them.
    pub threads: u32,
}

impl Attack {
    /// The action of the attackers; none if there is no such attack under this policy.
    pub fn action(&self, policy: Policy) -> Option<Action> {
        if policy != Policy::Baseline {
            return Some(self.action.clone());
        }
        match (self.class, &self.action) {
            (Class::Invalid | Class::Attested, _) => None,
            // Without its signature.
            (Class::Valid, Action::Load(attempts)) => {
                let unsigned = |attempt: &Attempt| Attempt { signature: None, ..attempt.clone() };
                Some(Action::Load(attempts.iter().map(unsigned).collect()))
            }
            (Class::Mixture, Action::Load(attempts)) => {
                let unsigned = attempts.iter().filter(|attempt| attempt.signature.is_none());
                Some(Action::Load(unsigned.cloned().collect()))
            }
            (_, action) => Some(action.clone()),
        }
    }

    /// The same for the guest.
    pub fn planned(&self, action: Action) -> PlannedAttack {
        PlannedAttack {
            name: self.name.to_owned(),
            action,
            is_limited: matches!(self.class, Class::Invalid | Class::Mixture),
            users: self.users,
            threads: self.threads,
        }
    }

    /// The right answers to the first attempt, and to those after a limit has taken effect.
    pub fn errnos(&self, policy: Policy) -> [i32; 2] {
        // Without a statement, a message is for mainline's check, which takes none of this size.
        let required = if self.errno == libc::EINVAL { libc::EBADMSG } else { self.errno };
        match (self.class, policy) {
            (Class::Unsigned, Policy::Required | Policy::Limited) => [libc::EKEYREJECTED; 2],
            (Class::Invalid, Policy::Required) => [required; 2],
            (Class::Invalid, Policy::Limited) => [required, libc::EDQUOT],
            _ => [self.errno; 2],
        }
    }
}

/// Attacks, and the programs and keys for them.
pub struct PreparedAttacks {
    /// Certificates (DER) of known signers.
    pub certificates: Vec<Vec<u8>>,
    /// Certificates (DER) of known attesters.
    pub attesters: Vec<Vec<u8>>,
    /// The programs that [`Attempt::program`] refers to.
    pub programs: Vec<Program>,
    /// In the order of reports.
    pub attacks: Vec<Attack>,
    /// The signed load of the victim that loads programs.
    pub legitimate: Attempt,
}

impl PreparedAttacks {
    /// Prepares the attacks whose name matches the glob pattern `only`, or all, and in any case the reference `none`.
    /// The signers have keys of [`ALGORITHMS`](super::ALGORITHMS). [`PreparedAttacks::attest`] is still to be called.
    ///
    /// # Errors
    /// No attack matches, or something can't be signed.
    pub fn new(signers: &[Signers], only: Option<&str>) -> Result<PreparedAttacks> {
        let mut preparation = Preparation::new(signers)?;
        let attacks = select(only)?.into_iter().map(|row| preparation.attack(row)).collect::<Result<_>>()?;
        let legitimate = preparation.attempt(Load::Small, &Message::Valid, false)?;
        Ok(PreparedAttacks {
            certificates: signers
                .iter()
                .map(|signers| signers.known.certificate().to_der().to_vec())
                .collect(),
            attesters: vec![preparation.signers.attester.certificate().to_der().to_vec()],
            programs: preparation.programs,
            attacks,
            legitimate,
        })
    }

    /// Attests facts about the programs of attacks with attested facts. `learn` gets them from the kernel.
    ///
    /// # Errors
    /// Nothing can be learned about a program, or attested.
    pub fn attest(&mut self, attester: &Signer, learn: impl Fn(&Program) -> Result<Vec<u8>>) -> Result<()> {
        for attack in self.attacks.iter_mut().filter(|attack| attack.class == Class::Attested) {
            let Action::Load(attempts) = &mut attack.action else { continue };
            for attempt in attempts {
                let programs = slice::from_ref(&self.programs[attempt.program]);
                let facts = vec![learn(&programs[0])?];
                let entries = message::attestations(programs, &facts)?;
                let messages = vec![message::signed(entries, 0, attester)?];
                attempt.attested = Some(AttestedFacts { facts, messages });
            }
        }
        Ok(())
    }
}

/// Prepares the attacks of the table.
struct Preparation<'a> {
    /// With keys of the first algorithm, which most attackers use.
    signers: &'a Signers,
    by_algorithm: HashMap<Algorithm, &'a Signers>,
    programs: Vec<Program>,
    /// The index of each program.
    places: HashMap<Load, usize>,
}

impl<'a> Preparation<'a> {
    fn new(signers: &'a [Signers]) -> Result<Preparation<'a>> {
        let by_algorithm = signers.iter().map(|signers| (signers.algorithm, signers)).collect();
        let signers = signers.first().context("attackers need signers")?;
        Ok(Preparation { signers, by_algorithm, programs: Vec::new(), places: HashMap::new() })
    }

    fn attack(&mut self, row: &Row) -> Result<Attack> {
        let action = match &row.behaviour {
            Behaviour::Nothing => Action::Nothing,
            Behaviour::Compute => Action::Compute,
            Behaviour::FailAtOnce => Action::FailAtOnce,
            Behaviour::Load(load, message, trace) => {
                Action::Load(vec![self.attempt(*load, message, *trace)?])
            }
            Behaviour::Mixture => Action::Load(self.mixture()?),
        };
        let Attackers { users, threads } = row.attackers;
        Ok(Attack { name: row.name, class: row.class, action, errno: row.errno, users, threads })
    }

    fn mixture(&mut self) -> Result<Vec<Attempt>> {
        let refused = ROWS.iter().filter(|row| matches!(row.class, Class::Unsigned | Class::Invalid));
        let mut attempts = Vec::new();
        for row in refused {
            if let Behaviour::Load(load, message, trace) = &row.behaviour {
                attempts.push(self.attempt(*load, message, *trace)?);
            }
        }
        Ok(attempts)
    }

    fn attempt(&mut self, load: Load, message: &Message, trace: bool) -> Result<Attempt> {
        let known = &self.signers.known;
        let signature = match message {
            Message::None => None,
            Message::Valid => Some(self.valid(load, known)?),
            Message::Forged(algorithm) => {
                let Some(signers) = self.by_algorithm.get(algorithm) else {
                    bail!("no signer has a {algorithm} key")
                };
                Some(forged(self.valid(load, &signers.known)?)?)
            }
            Message::ByUnknownSigner => Some(self.valid(load, &self.signers.unknown)?),
            Message::Foreign => Some(self.valid(Load::Small, known)?),
            Message::RandomBytes => Some(hostile_messages::random_bytes()),
            Message::MostSigners => Some(hostile_messages::most_signers(known)),
            Message::DeepAsn1 => Some(hostile_messages::deep_asn1(known)),
            Message::MostEntries => Some(hostile_messages::most_entries(known)?),
            Message::MostEntriesForged => Some(forged(hostile_messages::most_entries(known)?)?),
        };
        Ok(Attempt { program: self.place(load)?, signature, attested: None, trace })
    }

    fn valid(&mut self, load: Load, signer: &Signer) -> Result<Vec<u8>> {
        let place = self.place(load)?;
        message::signed(message::entries(&self.programs[place..=place])?, 0, signer)
    }

    /// The index of a program, which is made if there is none yet.
    fn place(&mut self, load: Load) -> Result<usize> {
        if let Some(place) = self.places.get(&load) {
            return Ok(*place);
        }
        self.programs.push(load.program()?);
        let place = self.programs.len() - 1;
        self.places.insert(load, place);
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(signature: Option<Vec<u8>>) -> Attempt {
        Attempt { program: 0, signature, attested: None, trace: false }
    }

    fn attack(class: Class, action: Action) -> Attack {
        Attack { name: "an-attack", class, action, errno: libc::ENOKEY, users: 1, threads: 1 }
    }

    fn signatures(action: Option<Action>) -> Option<Vec<bool>> {
        let Action::Load(attempts) = action? else { return None };
        Some(attempts.iter().map(|attempt| attempt.signature.is_some()).collect())
    }

    #[test]
    fn there_are_no_signatures_without_the_patches() {
        let both = || Action::Load(vec![attempt(None), attempt(Some(vec![1]))]);
        for (class, on_baseline) in [
            (Class::Invalid, None),
            (Class::Attested, None),
            (Class::Valid, Some(vec![false, false])),
            (Class::Mixture, Some(vec![false])),
        ] {
            let attack = attack(class, both());
            assert_eq!(signatures(attack.action(Policy::Baseline)), on_baseline, "{class:?}");
            assert_eq!(signatures(attack.action(Policy::Required)), Some(vec![false, true]), "{class:?}");
        }
    }

    #[test]
    fn what_the_kernel_must_answer_depends_on_the_policy() {
        let errnos = |class, policy| attack(class, Action::Nothing).errnos(policy);
        assert_eq!(errnos(Class::Invalid, Policy::Required), [libc::ENOKEY; 2]);
        assert_eq!(errnos(Class::Invalid, Policy::Limited), [libc::ENOKEY, libc::EDQUOT]);
        assert_eq!(errnos(Class::Unsigned, Policy::Optional), [libc::ENOKEY; 2]);
        assert_eq!(errnos(Class::Unsigned, Policy::Limited), [libc::EKEYREJECTED; 2]);
        assert_eq!(errnos(Class::Valid, Policy::Limited), [libc::ENOKEY; 2]);
    }
}
