//! Looks for the load that costs the kernel most before its signature is found to be wrong. Nothing here knows what is dear.
//!
//! A load has an amount of each thing that a manifest covers, and a message that is wrong in one way. The dearest of its way so
//! far is tried again with other amounts of some things. Each attempt has a BTF, maps and a message of its own, as the kernel
//! keeps what it has found out about them.

use std::array;
use std::time::Duration;

use bpfsig_lab::jobs::attack::{Thing, laden};
use bpfsig_lab::jobs::message::forged;
use bpfsig_loading::raw::create_maps;
use bpfsig_signing::Digest;
use bpfsig_signing::cms;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use fastrand::Rng;
use libc::{EKEYREJECTED, ENOKEY};
use nix::time::{ClockId, clock_gettime};

use crate::keys::{signer_of, stranger};
use crate::load::{load_btf, load_onto};
use crate::machine::setting;
use crate::policy_failures::Limit;

/// How many loads, unless `BPFSIG_FUZZ_LOADS` says so; and what they begin with, unless `BPFSIG_FUZZ_SEED` does.
const LOADS: u64 = 6;
const SEED: u64 = 1;

/// Entries of a statement: as many as fit beside the longest signature.
const MOST_ENTRIES: usize = 300;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    UnknownSigner,
    Forged,
    NotListed,
}

const WRONGS: [Wrong; 3] = [Wrong::UnknownSigner, Wrong::Forged, Wrong::NotListed];

/// What a load is made of.
#[derive(Clone, Debug)]
struct Recipe {
    amounts: [usize; Thing::ALL.len()],
    entries: usize,
    algorithm: Algorithm,
    wrong: Wrong,
}

impl Recipe {
    fn random(wrong: Wrong, random: &mut Rng) -> Self {
        Self {
            amounts: Thing::ALL.map(|thing| amount(thing.most(), random)),
            entries: amount(MOST_ENTRIES, random),
            algorithm: random.choice(Algorithm::ALL).unwrap(),
            wrong,
        }
    }

    /// The same with other amounts of some things.
    fn changed(&self, random: &mut Rng) -> Self {
        let (mut changed, other) = (self.clone(), Self::random(self.wrong, random));
        for _ in 0..random.usize(1..=3) {
            match random.usize(..Thing::ALL.len() + 2) {
                index if index < Thing::ALL.len() => changed.amounts[index] = other.amounts[index],
                index if index == Thing::ALL.len() => changed.entries = other.entries,
                _ => changed.algorithm = other.algorithm,
            }
        }
        changed
    }

    /// A message of the `number`-th load, of no other.
    fn message(&self, number: u64) -> Vec<u8> {
        let signer = match self.wrong {
            Wrong::UnknownSigner => stranger(),
            Wrong::Forged | Wrong::NotListed => signer_of(self.algorithm),
        };
        let digest = |index: u64| Digest::of([number, index].map(u64::to_le_bytes).concat());
        let entry = |index| Entry { kind: Kind::PROGRAM, digest: digest(index) };
        let statement = Statement { expiry: 0, entries: (0..self.entries as u64).map(entry).collect() };
        let message = cms::sign_attached(&statement.encode().unwrap(), &signer).unwrap();
        match self.wrong {
            Wrong::Forged => forged(message).unwrap(),
            Wrong::UnknownSigner | Wrong::NotListed => message,
        }
    }

    /// Loads it, and returns what that has taken of the CPU: the clock of an idle machine jumps.
    fn attempt(&self, number: u64) -> Duration {
        let program = laden(|thing| self.amounts[thing as usize]);
        let message = self.message(number);
        let btf = load_btf(&program);
        let maps = create_maps(&program, None).unwrap();
        let mut start = Duration::ZERO;
        let outcome = load_onto(&program, &btf, &maps, Some(&message), |_| start = cpu_time());
        let cost = cpu_time() - start;
        let errno = match self.wrong {
            Wrong::UnknownSigner => ENOKEY,
            Wrong::Forged | Wrong::NotListed => EKEYREJECTED,
        };
        assert_eq!(outcome.result.err(), Some(errno), "{self:?}: {}", outcome.log);
        cost
    }
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// One, as much as there can be, or something between, as likely small as large.
fn amount(most: usize, random: &mut Rng) -> usize {
    match random.u8(..4) {
        0 => most,
        1 => 1,
        _ => (most as f64).powf(random.f64()) as usize,
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn the_dearest_refused_load_is_looked_for() {
    let (loads, seed) = (setting("BPFSIG_FUZZ_LOADS", LOADS), setting("BPFSIG_FUZZ_SEED", SEED));
    let mut random = Rng::with_seed(seed);
    let _unlimited = Limit::new("0");
    let mut dearest: [Option<(Duration, Recipe)>; WRONGS.len()] = array::from_fn(|_| None);
    for number in 0..loads {
        let way = number as usize % WRONGS.len();
        let recipe = match &dearest[way] {
            Some((_, recipe)) if random.u8(..4) != 0 => recipe.changed(&mut random),
            _ => Recipe::random(WRONGS[way], &mut random),
        };
        let cost = recipe.attempt(number);
        if dearest[way].as_ref().is_none_or(|(most, _)| cost > *most) {
            println!("load {number}: {} ns: {recipe:?}", cost.as_nanos());
            dearest[way] = Some((cost, recipe));
        }
    }
    for (cost, recipe) in dearest.iter().flatten() {
        println!("{loads} loads, seed {seed}: at most {} ns: {recipe:?}", cost.as_nanos());
    }
}
