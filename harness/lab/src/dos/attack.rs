//! The attacks.

use std::slice;

use anyhow::{Context, Result, ensure};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::Program;
use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::{exhaust, message};
use crate::bench::message::forged;
use crate::bench::{self, Signers};
use crate::corpus;
use crate::guest::AttestedFacts;
use crate::guest::dos::{self, Action, Attempt, Policy};

/// What kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// None: what the others are compared with.
    Reference,
    /// Unsigned programs.
    Unsigned,
    /// Signatures that are not valid for the program.
    Invalid,
    /// Valid signatures.
    Valid,
    /// Valid signatures of programs whose facts are attested.
    Attested,
    /// Unsigned programs and invalid signatures.
    Mixture,
}

/// An attack.
pub struct Attack {
    /// As it is called in tables and files.
    pub name: &'static str,
    /// What kind.
    pub class: Class,
    /// What the attackers do on a kernel that checks signatures.
    pub action: Action,
    /// What a kernel says that does not demand a signature; 0: it accepts the program.
    pub errno: i32,
    /// How many users attack.
    pub users: u32,
    /// How many threads each of them has.
    pub threads: u32,
}

impl Attack {
    /// What the attackers do; none if there is no such attack under this policy.
    pub fn action(&self, policy: Policy) -> Option<Action> {
        if policy != Policy::Baseline {
            return Some(self.action.clone());
        }
        match (self.class, &self.action) {
            (Class::Invalid | Class::Attested, _) => None,
            // What is signed elsewhere is loaded as it is.
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

    /// As the guest is told of it.
    pub fn planned(&self, action: Action) -> dos::Attack {
        dos::Attack {
            name: self.name.to_owned(),
            action,
            is_limited: matches!(self.class, Class::Invalid | Class::Mixture),
            users: self.users,
            threads: self.threads,
        }
    }

    /// What the kernel must say to an attempt: at first, and when a limit has taken effect.
    pub fn errnos(&self, policy: Policy) -> [i32; 2] {
        match (self.class, policy) {
            (Class::Unsigned, Policy::Required | Policy::Limited) => [libc::EKEYREJECTED; 2],
            (Class::Invalid, Policy::Limited) => [self.errno, libc::EDQUOT],
            _ => [self.errno; 2],
        }
    }
}

/// All attacks and what they use.
pub struct Arsenal {
    /// Certificates (DER) of the signers that the kernel is to know.
    pub certificates: Vec<Vec<u8>>,
    /// Certificates (DER) of the attesters that it is to know.
    pub attesters: Vec<Vec<u8>>,
    /// The programs that [`Attempt::program`] refers to.
    pub programs: Vec<Program>,
    /// In the order in which they are reported.
    pub attacks: Vec<Attack>,
    /// A signed load by somebody who means no harm.
    pub legitimate: Attempt,
}

impl Arsenal {
    /// Attests what is learned about the programs of the attacks that need it.
    ///
    /// # Errors
    /// Nothing can be learned about a program, or attested.
    pub fn attest(&mut self, attester: &Signer, learn: impl Fn(&Program) -> Result<Vec<u8>>) -> Result<()> {
        for attack in self.attacks.iter_mut().filter(|attack| attack.class == Class::Attested) {
            let Action::Load(attempts) = &mut attack.action else { continue };
            for attempt in attempts {
                let programs = slice::from_ref(&self.programs[attempt.program]);
                let facts = vec![learn(&programs[0])?];
                let entries = bench::message::attestations(programs, &facts)?;
                let messages = vec![bench::message::signed(entries, 0, attester)?];
                attempt.attested = Some(AttestedFacts { facts, messages });
            }
        }
        Ok(())
    }
}

/// The algorithms with which attackers forge.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rsa2048, Algorithm::P256, Algorithm::P384];

/// How many steps the quadratic program has. Its cost grows with the square of that, and the kernel takes programs with
/// 50 times as many; here it must come to an end.
const QUADRATIC_STEPS: usize = 10_000;

/// Functions of the deep program: as many as have room for their states in the guest's memory.
const DEEP_LEVELS: usize = 5;
const DEEP_EFFORT: i32 = 990_000;

/// How many users attack together, with how many threads each.
const MANY: (u32, u32) = (8, 2);

/// Prepares the attacks whose name matches the glob pattern `only`, or all, and in any case the reference `none`.
/// [`Arsenal::attest`] is still to be called.
///
/// # Errors
/// No attack matches, or something can't be signed.
pub fn arsenal(signers: &[Signers; 3], only: Option<&str>) -> Result<Arsenal> {
    let [rsa, p256, p384] = signers;
    let known = &rsa.known;
    let mut all = Collection::default();
    let small = all.program(from_corpus("straight-2")?);
    let million = all.program(from_corpus("straight-1000000")?);
    let looping = all.program(from_corpus("loop-999998")?);
    let endless = all.program(exhaust::endless());
    let quadratic = all.program(exhaust::quadratic(QUADRATIC_STEPS));
    let deep = all.program(exhaust::deep(DEEP_LEVELS, DEEP_EFFORT));
    let branching = all.program(from_corpus("branch-983040")?);
    let rewritten = all.program(from_corpus("rewrite-4096")?);

    all.reference("none", Action::Nothing, (0, 0));
    all.reference("spin", Action::Compute, (1, 1));
    all.reference("fail-at-once", Action::FailAtOnce, (1, 1));
    all.reference("fail-at-once-many", Action::FailAtOnce, MANY);

    let unsigned = |program| Attempt { program, signature: None, attested: None, trace: false };
    all.load("unsigned-small", Class::Unsigned, unsigned(small), 0);
    all.load("unsigned-straight", Class::Unsigned, unsigned(million), 0);
    all.load("unsigned-loop", Class::Unsigned, unsigned(looping), 0);
    all.load("unsigned-branch", Class::Unsigned, unsigned(branching), 0);
    all.load("unsigned-rejected-late", Class::Unsigned, unsigned(endless), libc::E2BIG);
    all.load("unsigned-quadratic", Class::Unsigned, unsigned(quadratic), 0);
    all.load("unsigned-memory", Class::Unsigned, unsigned(deep), libc::EACCES);
    all.load("unsigned-log", Class::Unsigned, Attempt { trace: true, ..unsigned(million) }, libc::ENOSPC);

    let signed = |program, signature| Attempt { signature: Some(signature), ..unsigned(program) };
    let valid = |program: usize, signer: &Signer| {
        bench::message::signed(bench::message::entries(&all.programs[program..=program])?, 0, signer)
    };
    let small_by = |signer: &Signer| valid(small, signer);
    let attacks = [
        ("random-bytes", signed(small, message::random_bytes()), libc::EBADMSG),
        ("unknown-signer", signed(small, small_by(&rsa.unknown)?), libc::ENOKEY),
        ("forged-rsa-2048", signed(small, forged(small_by(known)?)?), libc::EKEYREJECTED),
        ("forged-p-256", signed(small, forged(small_by(&p256.known)?)?), libc::EKEYREJECTED),
        ("forged-p-384", signed(small, forged(small_by(&p384.known)?)?), libc::EKEYREJECTED),
        ("forged-rsa-2048-large", signed(million, forged(valid(million, known)?)?), libc::EKEYREJECTED),
        ("foreign-insns", signed(million, small_by(known)?), libc::EKEYREJECTED),
        ("most-signers", signed(small, message::most_signers(known)), libc::EBADMSG),
        ("deep-asn1", signed(small, message::deep_asn1(known)), libc::EBADMSG),
        ("most-entries-forged", signed(small, forged(message::most_entries(known)?)?), libc::EKEYREJECTED),
        ("most-entries-foreign", signed(million, message::most_entries(known)?), libc::EKEYREJECTED),
    ];
    let heavy = signed(looping, valid(looping, known)?);
    let rewriting = signed(rewritten, valid(rewritten, known)?);
    let legitimate = signed(small, small_by(known)?);
    for (name, attempt, errno) in attacks {
        all.load(name, Class::Invalid, attempt, errno);
    }
    all.load("signed-heavy", Class::Valid, heavy.clone(), 0);
    all.load("attested-heavy", Class::Attested, heavy, 0);
    all.load("attested-rewrite", Class::Attested, rewriting, 0);
    all.mixture("mixture", MANY);

    Ok(Arsenal {
        certificates: signers.iter().map(|signers| signers.known.certificate().to_der().to_vec()).collect(),
        attesters: vec![rsa.attester.certificate().to_der().to_vec()],
        attacks: select(all.attacks, only)?,
        programs: all.programs,
        legitimate,
    })
}

#[derive(Default)]
struct Collection {
    programs: Vec<Program>,
    attacks: Vec<Attack>,
}

impl Collection {
    fn program(&mut self, program: Program) -> usize {
        self.programs.push(program);
        self.programs.len() - 1
    }

    fn reference(&mut self, name: &'static str, action: Action, (users, threads): (u32, u32)) {
        self.attacks.push(Attack { name, class: Class::Reference, action, errno: 0, users, threads });
    }

    fn load(&mut self, name: &'static str, class: Class, attempt: Attempt, errno: i32) {
        let action = Action::Load(vec![attempt]);
        self.attacks.push(Attack { name, class, action, errno, users: 1, threads: 1 });
    }

    /// All loads that must be refused where signatures are required, in turn.
    fn mixture(&mut self, name: &'static str, (users, threads): (u32, u32)) {
        let attempts = |attack: &Attack| match (attack.class, &attack.action) {
            (Class::Unsigned | Class::Invalid, Action::Load(attempts)) => attempts.clone(),
            _ => Vec::new(),
        };
        let action = Action::Load(self.attacks.iter().flat_map(attempts).collect());
        self.attacks.push(Attack { name, class: Class::Mixture, action, errno: 0, users, threads });
    }
}

fn select(mut attacks: Vec<Attack>, only: Option<&str>) -> Result<Vec<Attack>> {
    let Some(pattern) = only else { return Ok(attacks) };
    let glob = Pattern::new(pattern).with_context(|| format!("`{pattern}` is no glob pattern"))?;
    let names: Vec<_> = attacks.iter().map(|attack| attack.name).collect();
    let matches = names.iter().any(|name| glob.matches(name));
    ensure!(matches, "no attack matches `{pattern}`; there are: {}", names.join(", "));
    attacks.retain(|attack| matches!(attack.action, Action::Nothing) || glob.matches(attack.name));
    Ok(attacks)
}

fn from_corpus(name: &str) -> Result<Program> {
    Ok(corpus::select(Some(name))?.remove(0).program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(signature: Option<Vec<u8>>) -> Attempt {
        Attempt { program: 0, signature, attested: None, trace: false }
    }

    fn attack(name: &'static str, class: Class, action: Action) -> Attack {
        Attack { name, class, action, errno: libc::ENOKEY, users: 1, threads: 1 }
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
            let attack = attack("both", class, both());
            assert_eq!(signatures(attack.action(Policy::Baseline)), on_baseline, "{class:?}");
            assert_eq!(signatures(attack.action(Policy::Required)), Some(vec![false, true]), "{class:?}");
        }
    }

    #[test]
    fn what_the_kernel_must_say_depends_on_the_policy() {
        let errnos = |class, policy| attack("", class, Action::Nothing).errnos(policy);
        assert_eq!(errnos(Class::Invalid, Policy::Required), [libc::ENOKEY; 2]);
        assert_eq!(errnos(Class::Invalid, Policy::Limited), [libc::ENOKEY, libc::EDQUOT]);
        assert_eq!(errnos(Class::Unsigned, Policy::Optional), [libc::ENOKEY; 2]);
        assert_eq!(errnos(Class::Unsigned, Policy::Limited), [libc::EKEYREJECTED; 2]);
        assert_eq!(errnos(Class::Valid, Policy::Limited), [libc::ENOKEY; 2]);
    }

    #[test]
    fn the_mixture_has_all_that_must_be_refused() {
        let mut all = Collection::default();
        all.reference("none", Action::Nothing, (0, 0));
        all.load("unsigned", Class::Unsigned, attempt(None), 0);
        all.load("forged", Class::Invalid, attempt(Some(vec![1])), libc::EKEYREJECTED);
        all.load("valid", Class::Valid, attempt(Some(vec![2])), 0);
        all.mixture("mixture", MANY);
        let mixture = all.attacks.pop().unwrap();
        assert_eq!(signatures(Some(mixture.action)), Some(vec![false, true]));
    }

    #[test]
    fn the_reference_is_never_left_out() {
        let attacks = || {
            let nothing = || Action::Nothing;
            let load = |name| attack(name, Class::Invalid, Action::Load(vec![attempt(None)]));
            vec![attack("none", Class::Reference, nothing()), load("forged-p-256"), load("deep-asn1")]
        };
        let names = |only| -> Vec<_> {
            select(attacks(), only).unwrap().into_iter().map(|attack| attack.name).collect()
        };
        assert_eq!(names(Some("forged-*")), ["none", "forged-p-256"]);
        assert_eq!(names(None).len(), 3);
        let error = select(attacks(), Some("nothing")).err().unwrap().to_string();
        assert!(error.contains("deep-asn1"), "{error}");
        assert!(select(attacks(), Some("[")).is_err());
    }
}
