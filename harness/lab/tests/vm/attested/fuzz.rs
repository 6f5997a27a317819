//! Facts that no verifier has learned, with a trusted attester's signature: the kernel takes them or not, but has no
//! faults.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use bpfsig_lab::corpus;
use bpfsig_loading as bpf;
use bpfsig_signing::Digest;
use bpfsig_signing::attestation::Attestation;
use bpfsig_signing::cms;
use bpfsig_signing::facts::{Fact, Facts, Kind};
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Attach;
use bpfsig_signing::statement::Statement;
use fastrand::Rng;
use libbpf_rs::query::ProgInfoIter;

use super::{Subject, SwitchedOn, attested, attester};
use crate::load::load_btf;
use crate::machine::setting;
use crate::xdp_tools;

/// How many loads, unless `BPFSIG_FUZZ_LOADS` says so; and what they begin with, unless `BPFSIG_FUZZ_SEED` does.
const LOADS: u64 = 1000;
const SEED: u64 = 1;

/// As many attestations as fit into a statement that the kernel takes.
const BATCH: usize = 200;

/// A program, and what its verification has shown.
struct Known {
    subject: Subject,
    facts: Facts,
    /// Instructions that the verifier has processed.
    effort: u32,
}

fn effort(program: BorrowedFd<'_>) -> u32 {
    let (id, _) = bpf::raw::program_id(program).unwrap();
    ProgInfoIter::default().find(|info| info.id == id).unwrap().verified_insns
}

/// The programs that any kernel can load: they attach to nothing that it may not have.
fn known() -> Vec<Known> {
    let of_corpus = corpus::programs().unwrap().into_iter().map(|entry| entry.program);
    let of_others = xdp_tools::objects().into_iter().flat_map(|(_, bytes)| {
        let object = Object::parse(&bytes).unwrap();
        object.programs().to_vec()
    });
    let programs = of_corpus.chain(of_others).filter(|program| matches!(program.attach, Attach::None));
    let mut known = Vec::new();
    for program in programs {
        let btf = load_btf(&program);
        if bpf::raw::create_maps(&program, btf.as_ref().map(AsFd::as_fd)).is_err() {
            continue;
        }
        let subject = Subject::new(program);
        let Ok(loaded) = subject.export().result else { continue };
        if let Ok(facts) = Facts::decode(&bpf::raw::facts(loaded.as_fd()).unwrap()) {
            known.push(Known { subject, facts, effort: effort(loaded.as_fd()) });
        }
    }
    known
}

/// Numbers that are more likely than others to be taken for right, or to be a mistake's.
fn number(random: &mut Rng) -> u32 {
    match random.u8(..6) {
        0 => random.u32(..),
        1 => u32::MAX - random.u32(..3),
        2 => 1 << random.u8(..32),
        3 => random.u32(..1024),
        _ => random.u32(..16),
    }
}

fn fact(random: &mut Rng, insn_cnt: u32) -> Fact {
    Fact {
        insn: random.u32(..insn_cnt),
        kind: Kind(random.u16(1..15)),
        arg: random.u16(..9),
        value: number(random),
    }
}

/// Changes one thing.
fn change(facts: &mut Facts, random: &mut Rng) {
    let insn_cnt = facts.insn_cnt.max(1);
    let count = facts.facts.len();
    if count == 0 || random.u8(..8) == 0 {
        return facts.facts.push(fact(random, insn_cnt));
    }
    let at = random.usize(..count);
    match random.u8(..14) {
        0 => drop(facts.facts.remove(at)),
        1 => facts.facts.insert(at, Fact { kind: Kind(random.u16(1..15)), ..facts.facts[at] }),
        2 => facts.facts[at].insn = random.u32(..insn_cnt),
        3 => facts.facts[at].kind = Kind(random.u16(..17)),
        4 => facts.facts[at].arg = number(random) as u16,
        5 | 6 => facts.facts[at].value = number(random),
        7 => facts.facts.swap(at, random.usize(..count)),
        8 => facts.facts[at] = fact(random, insn_cnt),
        9 => facts.flags ^= 1 << random.u8(..5),
        10 => {
            let field = [
                &mut facts.max_ctx_offset,
                &mut facts.max_pkt_offset,
                &mut facts.max_tp_access,
                &mut facts.max_rdonly_access,
                &mut facts.max_rdwr_access,
            ];
            *field.into_iter().nth(random.usize(..5)).unwrap() = number(random);
        }
        11 => {
            // All that the instruction has.
            let insn = facts.facts[at].insn;
            facts.facts.retain(|fact| fact.insn != insn);
        }
        _ => {
            let count = facts.subprograms.len();
            let Some(subprogram) = facts.subprograms.get_mut(random.usize(..count.max(1))) else { return };
            match random.u8(..4) {
                0 => subprogram.start = number(random),
                1 => subprogram.stack_depth = number(random) as u16,
                _ => subprogram.flags ^= 1 << random.u8(..6),
            }
        }
    }
}

/// Facts that are wrong in some way, as the kernel gets them.
fn mutant(facts: &Facts, random: &mut Rng) -> Vec<u8> {
    let mut facts = facts.clone();
    for _ in 0..random.u8(1..5) {
        change(&mut facts, random);
    }
    // Most are in order, to be looked at any further.
    if random.u8(..8) != 0 {
        facts.facts.sort_by_key(|fact| (fact.insn, fact.kind));
        facts.facts.dedup_by_key(|fact| (fact.insn, fact.kind));
    }
    let mut bytes = facts.encode();
    match random.u8(..16) {
        0 => bytes.truncate(random.usize(..bytes.len())),
        1 | 2 => {
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u8(..8);
        }
        _ => {}
    }
    bytes
}

/// Loads a program with facts, one after the other, for all of which one message vouches; counts what becomes of them.
fn load_all(subject: &Subject, mutants: &[Vec<u8>], outcomes: &mut BTreeMap<String, u64>) {
    let manifest = Manifest::of(&subject.program).unwrap().digest();
    let entry = |facts: &Vec<u8>| Attestation { manifest, facts: Digest::of(facts) }.entry();
    let statement = Statement { expiry: 0, entries: mutants.iter().map(entry).collect() };
    let message = cms::sign_attached(&statement.encode().unwrap(), attester()).unwrap();
    for facts in mutants {
        let outcome = match subject.load_with(facts, &message).result {
            Ok(program) => attested(program.as_fd()).to_string(),
            Err(errno) => nix::errno::Errno::from_raw(errno).to_string(),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
}

/// Any of the programs, but of those that are hard to verify, one twice as hard half as often: most loads end in
/// verification.
fn pick<'k>(known: &'k [Known], random: &mut Rng) -> &'k Known {
    const HARD: u32 = 256;
    loop {
        let known = &known[random.usize(..known.len())];
        if random.u32(..known.effort) < HARD {
            return known;
        }
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn made_up_facts() {
    let _on = SwitchedOn::new();
    let mut random = Rng::with_seed(setting("BPFSIG_FUZZ_SEED", SEED));
    let known = known();
    let names: Vec<_> = known.iter().map(|known| &known.subject.program.name).collect();
    println!("facts about {} programs: {names:?}", names.len());
    let mut outcomes = BTreeMap::new();
    let mut left = setting("BPFSIG_FUZZ_LOADS", LOADS) as usize;
    while left > 0 {
        let Known { subject, facts, .. } = pick(&known, &mut random);
        let mutants: Vec<_> = (0..BATCH.min(left)).map(|_| mutant(facts, &mut random)).collect();
        load_all(subject, &mutants, &mut outcomes);
        left -= mutants.len();
    }
    for (outcome, count) in &outcomes {
        println!("{count:>8} {outcome}");
    }
    assert!(outcomes.contains_key("attested") && outcomes.len() > 1, "{outcomes:?}");
}
