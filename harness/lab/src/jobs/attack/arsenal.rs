//! The table of attacks: the attackers, their loads, and the right answer of the kernel.

use std::collections::HashMap;
use std::slice;

use anyhow::{Context, Result, bail, ensure};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::Program;
use glob::Pattern;

use super::super::Signers;
use super::super::measure::AttestedFacts;
use super::super::message::{self, forged};
use super::job::{Action, Attempt, PlannedAttack};
use super::{messages, programs};
use crate::corpus;
use crate::results::{AttackClass as Class, Policy};

/// A row of the table.
struct Row {
    name: &'static str,
    class: Class,
    does: Deed,
    /// The answer of a kernel that demands no signature; 0 if it accepts the program.
    errno: i32,
    attackers: Attackers,
}

/// The action of attackers.
enum Deed {
    Nothing,
    Compute,
    FailAtOnce,
    /// Load a program with a message. With `true`, the verifier logs each instruction and state.
    Load(Load, Message, bool),
    /// All loads that must be refused where signatures are required, in turn.
    Mixture,
}

/// The program that attackers load.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Load {
    /// Two instructions.
    Small,
    /// As many instructions as the kernel takes.
    Million,
    /// A loop that the verifier just about follows to its end.
    Looping,
    /// A loop that the verifier gives up on.
    Endless,
    Quadratic,
    Deep,
    /// Many paths, which the verifier follows one by one.
    Branching,
    /// Many instructions that the kernel replaces after verification.
    Rewritten,
    /// As many instructions, records and constants as a signature can cover, all of which the kernel hashes.
    Laden,
}

/// The signature that comes with it.
enum Message {
    None,
    Valid,
    Forged(Algorithm),
    ByUnknownSigner,
    /// Valid, about another program.
    Foreign,
    RandomBytes,
    MostSigners,
    DeepAsn1,
    MostEntries,
    MostEntriesForged,
}

/// The number of users, and of threads of each.
#[derive(Clone, Copy)]
struct Attackers {
    users: u32,
    threads: u32,
}

const NOBODY: Attackers = Attackers { users: 0, threads: 0 };
const ONE: Attackers = Attackers { users: 1, threads: 1 };
const MANY: Attackers = Attackers { users: 8, threads: 2 };

const ROWS: &[Row] = &[
    reference("none", Deed::Nothing, NOBODY),
    reference("spin", Deed::Compute, ONE),
    reference("fail-at-once", Deed::FailAtOnce, ONE),
    reference("fail-at-once-many", Deed::FailAtOnce, MANY),
    unsigned("unsigned-small", Load::Small, 0),
    unsigned("unsigned-straight", Load::Million, 0),
    unsigned("unsigned-loop", Load::Looping, 0),
    unsigned("unsigned-branch", Load::Branching, 0),
    unsigned("unsigned-rejected-late", Load::Endless, libc::E2BIG),
    unsigned("unsigned-quadratic", Load::Quadratic, 0),
    unsigned("unsigned-memory", Load::Deep, libc::EACCES),
    row("unsigned-log", Class::Unsigned, Deed::Load(Load::Million, Message::None, true), libc::ENOSPC, ONE),
    invalid("random-bytes", Load::Small, Message::RandomBytes, libc::EBADMSG),
    invalid("unknown-signer", Load::Small, Message::ByUnknownSigner, libc::ENOKEY),
    invalid("forged-rsa-2048", Load::Small, Message::Forged(Algorithm::Rsa2048), libc::EKEYREJECTED),
    invalid("forged-p-256", Load::Small, Message::Forged(Algorithm::P256), libc::EKEYREJECTED),
    invalid("forged-p-384", Load::Small, Message::Forged(Algorithm::P384), libc::EKEYREJECTED),
    invalid("forged-ml-dsa-44", Load::Small, Message::Forged(Algorithm::MlDsa44), libc::EKEYREJECTED),
    invalid("forged-ml-dsa-87", Load::Small, Message::Forged(Algorithm::MlDsa87), libc::EKEYREJECTED),
    invalid("forged-rsa-2048-large", Load::Million, Message::Forged(Algorithm::Rsa2048), libc::EKEYREJECTED),
    invalid("foreign-insns", Load::Million, Message::Foreign, libc::EKEYREJECTED),
    invalid("foreign-laden", Load::Laden, Message::Foreign, libc::EKEYREJECTED),
    invalid("most-signers", Load::Small, Message::MostSigners, libc::EBADMSG),
    invalid("deep-asn1", Load::Small, Message::DeepAsn1, libc::EBADMSG),
    invalid("most-entries-forged", Load::Small, Message::MostEntriesForged, libc::EKEYREJECTED),
    invalid("most-entries-foreign", Load::Million, Message::MostEntries, libc::EKEYREJECTED),
    valid("signed-heavy", Class::Valid, Load::Looping),
    valid("attested-heavy", Class::Attested, Load::Looping),
    valid("attested-rewrite", Class::Attested, Load::Rewritten),
    row("mixture", Class::Mixture, Deed::Mixture, 0, MANY),
];

const fn row(name: &'static str, class: Class, does: Deed, errno: i32, attackers: Attackers) -> Row {
    Row { name, class, does, errno, attackers }
}

const fn reference(name: &'static str, does: Deed, attackers: Attackers) -> Row {
    row(name, Class::Reference, does, 0, attackers)
}

const fn unsigned(name: &'static str, load: Load, errno: i32) -> Row {
    row(name, Class::Unsigned, Deed::Load(load, Message::None, false), errno, ONE)
}

const fn invalid(name: &'static str, load: Load, message: Message, errno: i32) -> Row {
    row(name, Class::Invalid, Deed::Load(load, message, false), errno, ONE)
}

const fn valid(name: &'static str, class: Class, load: Load) -> Row {
    row(name, class, Deed::Load(load, Message::Valid, false), 0, ONE)
}

/// The algorithms of forged signatures.
pub const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Rsa2048, Algorithm::P256, Algorithm::P384, Algorithm::MlDsa44, Algorithm::MlDsa87];

/// Steps of the quadratic program, whose cost grows with their square. The kernel takes programs with 50 times as many, but the
/// measurement has to end.
const QUADRATIC_STEPS: usize = 10_000;

/// Functions of the deep program: the states of more would not fit into the guest's memory.
const DEEP_LEVELS: usize = 5;
const DEEP_EFFORT: i32 = 990_000;

impl Load {
    fn program(self) -> Result<Program> {
        let from_corpus = |name: &str| Ok(corpus::select(Some(name))?.remove(0).program);
        match self {
            Load::Small => from_corpus("straight-2"),
            Load::Million => from_corpus("straight-1000000"),
            Load::Looping => from_corpus("loop-999998"),
            Load::Endless => Ok(programs::endless()),
            Load::Quadratic => Ok(programs::quadratic(QUADRATIC_STEPS)),
            Load::Deep => Ok(programs::deep(DEEP_LEVELS, DEEP_EFFORT)),
            Load::Branching => from_corpus("branch-983040"),
            Load::Rewritten => from_corpus("rewrite-4096"),
            Load::Laden => Ok(programs::laden(from_corpus("straight-1000000")?, &from_corpus("xdp_acl")?)),
        }
    }
}

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
        match (self.class, policy) {
            (Class::Unsigned, Policy::Required | Policy::Limited) => [libc::EKEYREJECTED; 2],
            (Class::Invalid, Policy::Limited) => [self.errno, libc::EDQUOT],
            _ => [self.errno; 2],
        }
    }
}

/// The number of attacks under a policy whose name matches the glob pattern `only`.
///
/// # Errors
/// No attack matches.
pub fn count(only: Option<&str>, policy: Policy) -> Result<usize> {
    let is_there =
        |row: &&Row| policy != Policy::Baseline || !matches!(row.class, Class::Invalid | Class::Attested);
    Ok(select(only)?.into_iter().filter(is_there).count())
}

/// Attacks, and the programs and keys for them.
pub struct Arsenal {
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

impl Arsenal {
    /// Prepares the attacks whose name matches the glob pattern `only`, or all, and in any case the reference `none`.
    /// The signers have keys of [`ALGORITHMS`]. [`Arsenal::attest`] is still to be called.
    ///
    /// # Errors
    /// No attack matches, or something can't be signed.
    pub fn new(signers: &[Signers], only: Option<&str>) -> Result<Arsenal> {
        let mut smith = Smith::new(signers)?;
        let attacks = select(only)?.into_iter().map(|row| smith.attack(row)).collect::<Result<_>>()?;
        let legitimate = smith.attempt(Load::Small, &Message::Valid, false)?;
        Ok(Arsenal {
            certificates: signers
                .iter()
                .map(|signers| signers.known.certificate().to_der().to_vec())
                .collect(),
            attesters: vec![smith.signers.attester.certificate().to_der().to_vec()],
            programs: smith.programs,
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
struct Smith<'a> {
    /// With keys of the first algorithm, which most attackers use.
    signers: &'a Signers,
    by_algorithm: HashMap<Algorithm, &'a Signers>,
    programs: Vec<Program>,
    /// The index of each program.
    places: HashMap<Load, usize>,
}

impl<'a> Smith<'a> {
    fn new(signers: &'a [Signers]) -> Result<Smith<'a>> {
        let by_algorithm = signers.iter().map(|signers| (signers.algorithm, signers)).collect();
        let signers = signers.first().context("attackers need signers")?;
        Ok(Smith { signers, by_algorithm, programs: Vec::new(), places: HashMap::new() })
    }

    fn attack(&mut self, row: &Row) -> Result<Attack> {
        let action = match &row.does {
            Deed::Nothing => Action::Nothing,
            Deed::Compute => Action::Compute,
            Deed::FailAtOnce => Action::FailAtOnce,
            Deed::Load(load, message, trace) => Action::Load(vec![self.attempt(*load, message, *trace)?]),
            Deed::Mixture => Action::Load(self.mixture()?),
        };
        let Attackers { users, threads } = row.attackers;
        Ok(Attack { name: row.name, class: row.class, action, errno: row.errno, users, threads })
    }

    fn mixture(&mut self) -> Result<Vec<Attempt>> {
        let refused = ROWS.iter().filter(|row| matches!(row.class, Class::Unsigned | Class::Invalid));
        let mut attempts = Vec::new();
        for row in refused {
            if let Deed::Load(load, message, trace) = &row.does {
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
            Message::RandomBytes => Some(messages::random_bytes()),
            Message::MostSigners => Some(messages::most_signers(known)),
            Message::DeepAsn1 => Some(messages::deep_asn1(known)),
            Message::MostEntries => Some(messages::most_entries(known)?),
            Message::MostEntriesForged => Some(forged(messages::most_entries(known)?)?),
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

/// The rows whose name matches, or all, and in any case the one without an attacker.
fn select(only: Option<&str>) -> Result<Vec<&'static Row>> {
    let Some(pattern) = only else { return Ok(ROWS.iter().collect()) };
    let glob = Pattern::new(pattern).with_context(|| format!("`{pattern}` is no glob pattern"))?;
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    let matches = names.iter().any(|name| glob.matches(name));
    ensure!(matches, "no attack matches `{pattern}`; there are: {}", names.join(", "));
    Ok(ROWS.iter().filter(|row| matches!(row.does, Deed::Nothing) || glob.matches(row.name)).collect())
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

    #[test]
    fn the_reference_is_never_left_out() {
        let names = |only| -> Vec<_> { select(only).unwrap().into_iter().map(|row| row.name).collect() };
        assert_eq!(names(Some("forged-p-*")), ["none", "forged-p-256", "forged-p-384"]);
        assert_eq!(names(None).len(), ROWS.len());
        let error = select(Some("nothing")).err().unwrap().to_string();
        assert!(error.contains("deep-asn1"), "{error}");
        assert!(select(Some("[")).is_err());
    }
}
