//! Several loads at once, each held at several places, where things are changed, and changed back, at random. Whatever is
//! accepted in the end must be what was signed.
//!
//! [`crate::races`] has the races that somebody has thought of; these are the rest.

use std::ops::AddAssign;
use std::thread;

use fastrand::Rng;

use crate::attested::SwitchedOn;
use crate::machine::setting;
use crate::races::{Change, Loaded, PLACES, Place, Scene, Stage};
use crate::window::Window;

/// How many loads, unless `BPFSIG_FUZZ_LOADS` says so; and what they begin with, unless `BPFSIG_FUZZ_SEED` does.
const LOADS: u64 = 200;
const SEED: u64 = 1;

const THREADS: u64 = 4;

/// What can be changed and changed back.
const CHANGES: [Change; 6] = [
    Change::Instructions,
    Change::Map,
    Change::MapDescriptor,
    Change::CoreRelos,
    Change::Btf,
    Change::FuncInfo,
];

/// A place where a load is held, and what is done there: each thing that is changed, or changed back.
struct Hold {
    place: Place,
    window: Window,
    changes: Vec<(Change, bool)>,
}

impl Hold {
    fn new(place: Place, scene: &Scene, random: &mut Rng) -> Self {
        let count = random.usize(..3);
        let changes = (0..count).map(|_| (CHANGES[random.usize(..CHANGES.len())], random.bool())).collect();
        Self { place, window: scene.window(place), changes }
    }
}

/// Loads what is on a stage, held where `all` say, the first of which are waited for already.
fn load(stage: &Stage<'_>, all: &[Hold], waited: usize) -> Result<Loaded, i32> {
    let Some(hold) = all.get(waited) else {
        return stage
            .load(|attr| all.iter().for_each(|hold| stage.scene().hold(attr, hold.place, &hold.window)));
    };
    let act = || hold.changes.iter().for_each(|(change, is_changed)| stage.set(*change, *is_changed));
    hold.window.try_during(|| load(stage, all, waited + 1), act).0
}

/// What became of loads.
#[derive(Debug, Default)]
struct Tally {
    refused: u64,
    as_signed: u64,
    fooled: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.refused += other.refused;
        self.as_signed += other.as_signed;
        self.fooled += other.fooled;
    }
}

fn race(loads: u64, mut random: Rng) -> Tally {
    let mut tally = Tally::default();
    let scene = Scene::new(CHANGES[0]);
    let signed = scene.undisturbed();
    for _ in 0..loads {
        let stage = Stage::new(&scene);
        let places = PLACES.into_iter().filter(|_| random.u8(..4) != 0).collect::<Vec<_>>();
        let holds: Vec<_> = places.iter().map(|place| Hold::new(*place, &scene, &mut random)).collect();
        match load(&stage, &holds, 0) {
            Err(_) => tally.refused += 1,
            Ok(loaded) if loaded == signed => tally.as_signed += 1,
            Ok(_) => tally.fooled += 1,
        }
    }
    tally
}

/// Runs as many loads as the environment says.
fn races() -> Tally {
    let (loads, seed) = (setting("BPFSIG_FUZZ_LOADS", LOADS), setting("BPFSIG_FUZZ_SEED", SEED));
    let _on = SwitchedOn::new();
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let race =
            |thread| scope.spawn(move || race(loads / THREADS, Rng::with_seed(seed * THREADS + thread)));
        let threads: Vec<_> = (0..THREADS).map(race).collect();
        threads.into_iter().for_each(|thread| tally += thread.join().unwrap());
    });
    println!("{loads} loads, seed {seed}: {tally:?}");
    tally
}

#[test]
#[ignore = "needs the patched kernel"]
fn at_random_nothing_gets_past_the_signature() {
    let tally = races();
    assert_eq!(tally.fooled, 0, "{tally:?}");
    assert!(tally.as_signed > 0 && tally.refused > 0, "{tally:?}");
}

#[test]
#[ignore = "needs the kernel variant `unprotected`"]
fn at_random_the_unprotected_kernel_is_fooled() {
    let tally = races();
    assert!(tally.fooled > 0, "{tally:?}");
}
