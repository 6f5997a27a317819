//! The table of attacks: the attackers, their loads, and the right answer of the kernel.

use anyhow::{Context, Result, ensure};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::Program;
use glob::Pattern;

use super::heavy_programs;
use super::laden::{Thing, laden};
use crate::corpus;
use crate::results::{AttackClass as Class, Policy};

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    pub class: Class,
    pub behaviour: Behaviour,
    /// The answer of a kernel that demands no signature; 0 if it accepts the program.
    pub errno: i32,
    pub attackers: Attackers,
}

/// What the attackers do.
pub enum Behaviour {
    Nothing,
    Compute,
    FailAtOnce,
    /// Load a program with a message. With `true`, the verifier logs each instruction and state.
    Load(Load, Message, bool),
    /// All loads that must be refused where signatures are required, one after the other.
    Mixture,
}

/// The program that attackers load.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Load {
    /// Two instructions.
    Small,
    /// As many instructions as the kernel takes.
    Million,
    /// A loop that the verifier only just follows to its end.
    Looping,
    /// A loop that the verifier gives up on.
    Endless,
    Quadratic,
    Deep,
    /// Many paths, which the verifier follows one by one.
    Branching,
    /// Many instructions that the kernel replaces after verification.
    Rewritten,
    /// As much of everything as a signature can cover, all of which the kernel hashes.
    Laden,
}

/// The signature that comes with it.
pub enum Message {
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
pub struct Attackers {
    pub users: u32,
    pub threads: u32,
}

const NOBODY: Attackers = Attackers { users: 0, threads: 0 };
const ONE: Attackers = Attackers { users: 1, threads: 1 };
const MANY: Attackers = Attackers { users: 8, threads: 2 };

pub const ROWS: &[Row] = &[
    reference("none", Behaviour::Nothing, NOBODY),
    reference("spin", Behaviour::Compute, ONE),
    reference("fail-at-once", Behaviour::FailAtOnce, ONE),
    reference("fail-at-once-many", Behaviour::FailAtOnce, MANY),
    unsigned("unsigned-small", Load::Small, 0),
    unsigned("unsigned-straight", Load::Million, 0),
    unsigned("unsigned-loop", Load::Looping, 0),
    unsigned("unsigned-branch", Load::Branching, 0),
    unsigned("unsigned-rejected-late", Load::Endless, libc::E2BIG),
    unsigned("unsigned-quadratic", Load::Quadratic, 0),
    unsigned("unsigned-memory", Load::Deep, libc::EACCES),
    row(
        "unsigned-log",
        Class::Unsigned,
        Behaviour::Load(Load::Million, Message::None, true),
        libc::ENOSPC,
        ONE,
    ),
    invalid("random-bytes", Load::Small, Message::RandomBytes, libc::EINVAL),
    invalid("unknown-signer", Load::Small, Message::ByUnknownSigner, libc::ENOKEY),
    invalid("forged-rsa-2048", Load::Small, Message::Forged(Algorithm::Rsa2048), libc::EKEYREJECTED),
    invalid("forged-p-256", Load::Small, Message::Forged(Algorithm::P256), libc::EKEYREJECTED),
    invalid("forged-p-384", Load::Small, Message::Forged(Algorithm::P384), libc::EKEYREJECTED),
    invalid("forged-ml-dsa-44", Load::Small, Message::Forged(Algorithm::MlDsa44), libc::EKEYREJECTED),
    invalid("forged-ml-dsa-87", Load::Small, Message::Forged(Algorithm::MlDsa87), libc::EKEYREJECTED),
    invalid("forged-rsa-2048-large", Load::Million, Message::Forged(Algorithm::Rsa2048), libc::EKEYREJECTED),
    invalid("foreign-insns", Load::Million, Message::Foreign, libc::EKEYREJECTED),
    invalid("foreign-laden", Load::Laden, Message::Foreign, libc::EKEYREJECTED),
    invalid("most-signers", Load::Small, Message::MostSigners, libc::EINVAL),
    invalid("deep-asn1", Load::Small, Message::DeepAsn1, libc::EBADMSG),
    invalid("most-entries-forged", Load::Small, Message::MostEntriesForged, libc::EKEYREJECTED),
    invalid("most-entries-foreign", Load::Million, Message::MostEntries, libc::EKEYREJECTED),
    valid("signed-heavy", Class::Valid, Load::Looping),
    valid("attested-heavy", Class::Attested, Load::Looping),
    valid("attested-rewrite", Class::Attested, Load::Rewritten),
    row("mixture", Class::Mixture, Behaviour::Mixture, 0, MANY),
];

const fn row(
    name: &'static str,
    class: Class,
    behaviour: Behaviour,
    errno: i32,
    attackers: Attackers,
) -> Row {
    Row { name, class, behaviour, errno, attackers }
}

const fn reference(name: &'static str, behaviour: Behaviour, attackers: Attackers) -> Row {
    row(name, Class::Reference, behaviour, 0, attackers)
}

const fn unsigned(name: &'static str, load: Load, errno: i32) -> Row {
    row(name, Class::Unsigned, Behaviour::Load(load, Message::None, false), errno, ONE)
}

const fn invalid(name: &'static str, load: Load, message: Message, errno: i32) -> Row {
    row(name, Class::Invalid, Behaviour::Load(load, message, false), errno, ONE)
}

const fn valid(name: &'static str, class: Class, load: Load) -> Row {
    row(name, class, Behaviour::Load(load, Message::Valid, false), 0, ONE)
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
    /// Makes it.
    pub fn program(self) -> Result<Program> {
        let from_corpus = |name: &str| Ok(corpus::select(Some(name))?.remove(0).program);
        match self {
            Load::Small => from_corpus("straight-2"),
            Load::Million => from_corpus("straight-1000000"),
            Load::Looping => from_corpus("loop-999998"),
            Load::Endless => Ok(heavy_programs::endless()),
            Load::Quadratic => Ok(heavy_programs::quadratic(QUADRATIC_STEPS)),
            Load::Deep => Ok(heavy_programs::deep(DEEP_LEVELS, DEEP_EFFORT)),
            Load::Branching => from_corpus("branch-983040"),
            Load::Rewritten => from_corpus("rewrite-4096"),
            Load::Laden => Ok(laden(Thing::most)),
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

/// The rows whose name matches, or all, and in any case the one without an attacker.
pub fn select(only: Option<&str>) -> Result<Vec<&'static Row>> {
    let Some(pattern) = only else { return Ok(ROWS.iter().collect()) };
    let glob = Pattern::new(pattern).with_context(|| format!("`{pattern}` is not a glob pattern"))?;
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    let matches = names.iter().any(|name| glob.matches(name));
    ensure!(matches, "no attack matches `{pattern}`; there are: {}", names.join(", "));
    Ok(ROWS
        .iter()
        .filter(|row| matches!(row.behaviour, Behaviour::Nothing) || glob.matches(row.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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
