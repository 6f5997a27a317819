//! The caller changes what a load refers to while the load runs.
//!
//! Memory that the kernel has to wait for (see [`Window`]) holds the load at a chosen place, so that each change
//! happens there for certain, on one CPU as well. What is loaded must then be what was signed.
//!
//! The kernel variant `unprotected` fetches everything again after the check: there, the same changes get past the
//! signature. [`the_unprotected_kernel_is_fooled`] makes sure of that, so that the other test can be believed.

use std::cell::UnsafeCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use bpfsig_loading as bpf;
use bpfsig_loading::raw::ProgLoad;
use bpfsig_signing::cms::Message;
use bpfsig_signing::facts::HEADER_SIZE;
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;
use libbpf_rs::libbpf_sys as sys;
use libc::{EINVAL, EKEYREJECTED};

use crate::attested::{Subject, SwitchedOn, attest, attester};
use crate::keys::signer;
use crate::load::{load_btf, load_onto, program, sign, statement};
use crate::window::Window;

/// Where a load is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// The signature has been checked, the instructions have been copied.
    License,
    /// Maps, BTF and func_info have been fetched; nothing has been hashed.
    CoreRelos,
    /// The signature covers the program, and the verifier has not begun: attested facts about it are copied.
    Facts,
    /// The verifier is at work, and has applied CO-RE.
    LineInfo,
}

pub const PLACES: [Place; 4] = [Place::License, Place::CoreRelos, Place::Facts, Place::LineInfo];

/// What is changed there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Instructions,
    /// Another map in `fd_array`.
    Map,
    /// Another map behind the descriptor in `fd_array`.
    MapDescriptor,
    /// The values of a map with the right values that is not frozen.
    Contents,
    CoreRelos,
    /// Another BTF behind the descriptor.
    Btf,
    FuncInfo,
    /// The statement in the message: it lists the program only then.
    Statement,
    /// The map of constants, which was signed as one that can change, is frozen.
    Freeze,
}

/// Bytes that a load reads and that somebody else changes meanwhile.
struct Shared(UnsafeCell<Vec<u8>>);

// SAFETY: the bytes are written only while the other thread is in a system call, and never moved.
unsafe impl Sync for Shared {}

impl Shared {
    fn new(bytes: &[u8]) -> Self {
        Self(UnsafeCell::new(bytes.to_vec()))
    }

    fn address(&self) -> u64 {
        // SAFETY: no reference to the vector outlives a function of this type.
        unsafe { (*self.0.get()).as_ptr() as u64 }
    }

    fn write(&self, bytes: &[u8]) {
        // SAFETY: as above; the length stays the same.
        unsafe { (*self.0.get()).copy_from_slice(bytes) };
    }
}

/// What a signature has a say in.
#[derive(Debug, PartialEq)]
pub struct Loaded {
    xlated: Vec<u8>,
    maps: Vec<u32>,
    btf: u32,
    functions: Vec<u32>,
}

/// A signed program with all that it needs, and other things that could take their places.
pub struct Scene {
    change: Change,
    program: Program,
    other: Program,
    signature: Vec<u8>,
    maps: Vec<OwnedFd>,
    other_map: OwnedFd,
    btf: OwnedFd,
    other_btf: OwnedFd,
    /// The slot with the constants.
    constants: usize,
    /// What the verifier learns about the program, and the message of somebody who attests it.
    facts: Vec<u8>,
    attestation: Vec<u8>,
}

impl Scene {
    pub fn new(change: Change) -> Self {
        let (mut program, other) = programs();
        let constants = program.slots.iter().position(|map| map.frozen).unwrap();
        if change == Change::Freeze {
            Arc::make_mut(&mut program.slots[constants]).frozen = false;
        }
        let signature = sign(&program, signer());
        let btf = load_btf(&program).unwrap();
        let create = |map: &MapDefinition| bpf::raw::create_map(map, Some(btf.as_fd())).unwrap();
        let maps = program
            .slots
            .iter()
            .map(|map| {
                let frozen = map.frozen && change != Change::Contents;
                create(&MapDefinition { frozen, ..MapDefinition::clone(map) })
            })
            .collect();
        let other_map = create(&other.slots[0]);
        let other_btf = load_btf(&other).unwrap();
        let facts = Subject::new(program.clone()).facts().encode();
        let attestation = attest(&program, &facts, attester());
        Self {
            change,
            program,
            other,
            signature,
            maps,
            other_map,
            btf,
            other_btf,
            constants,
            facts,
            attestation,
        }
    }

    /// What is loaded if nobody changes anything.
    pub fn undisturbed(&self) -> Loaded {
        self.load(None).unwrap()
    }

    /// Loads the program. Makes the change when the kernel has come to `place`.
    fn load(&self, place: Option<Place>) -> Result<Loaded, i32> {
        let stage = Stage::new(self);
        let Some(place) = place else { return stage.load(|_| ()) };
        let window = self.window(place);
        let call = || stage.load(|attr| self.hold(attr, place, &window));
        let (result, was_held) = window.try_during(call, || stage.set(self.change, true));
        // Unless it was refused before it came to the place, the load has waited there.
        assert!(was_held || result.is_err(), "{:?} at {place:?}", self.change);
        result
    }

    /// Memory for what a load reads at this place.
    pub fn window(&self, place: Place) -> Window {
        match place {
            Place::License => Window::over(&[self.program.license.as_bytes(), &[0]].concat()),
            Place::CoreRelos => Window::over(&self.program.core_relos.bytes),
            Place::Facts => Window::after(&self.facts[..HEADER_SIZE], &self.facts[HEADER_SIZE..]),
            Place::LineInfo => Window::over(&self.program.line_info.bytes),
        }
    }

    /// Has a load wait at a place until its memory is there.
    pub fn hold(&self, attr: &mut ProgLoad, place: Place, window: &Window) {
        match place {
            Place::License => attr.license = window.address(),
            Place::CoreRelos => attr.core_relos = window.address(),
            Place::Facts => {
                (attr.facts, attr.facts_size) = (window.address(), self.facts.len() as u32);
                attr.attestation = self.attestation.as_ptr() as u64;
                attr.attestation_size = self.attestation.len() as u32;
            }
            Place::LineInfo => attr.line_info = window.address(),
        }
    }

    /// What is in `fd_array`, if `first` is the first map.
    fn numbers(&self, first: &OwnedFd) -> Vec<u8> {
        let rest = self.maps[1..].iter().map(AsRawFd::as_raw_fd);
        [first.as_raw_fd()].into_iter().chain(rest).flat_map(RawFd::to_ne_bytes).collect()
    }

    /// The message with the statement for the program with other instructions, which nobody has signed.
    fn with_other_statement(&self) -> Vec<u8> {
        let signed = Message::parse(&self.signature).unwrap();
        let signed = signed.content().unwrap();
        let changed = Program { insns: self.other.insns.clone(), ..self.program.clone() };
        let changed = statement(&changed).encode().unwrap();
        let at = self.signature.windows(signed.len()).position(|bytes| bytes == signed).unwrap();
        let mut message = self.signature.clone();
        message[at..at + changed.len()].copy_from_slice(&changed);
        message
    }

    /// Makes the change during a load; says whether something was loaded that was not signed.
    fn is_fooled_at(&self, place: Place) -> bool {
        let result = self.load(Some(place));
        match (self.change, result) {
            // What was signed can't be loaded like this: any program is a wrong one.
            (Change::Contents | Change::Statement, result) => result.is_ok(),
            (_, Ok(loaded)) => loaded != self.undisturbed(),
            (change, Err(errno)) => {
                // A BTF that is not that of the maps is refused as such.
                let refusals = if change == Change::Btf { [EKEYREJECTED, EINVAL] } else { [EKEYREJECTED; 2] };
                assert!(refusals.contains(&errno), "{change:?} at {place:?}: {errno}");
                false
            }
        }
    }
}

/// What one load of a scene reads, or refers to, and somebody changes meanwhile.
pub struct Stage<'s> {
    scene: &'s Scene,
    /// Descriptors of its own, since others take their places.
    map: OwnedFd,
    btf: Option<OwnedFd>,
    fd_array: Shared,
    insns: Shared,
    func_info: Shared,
    core_relos: Shared,
    signature: Shared,
}

impl<'s> Stage<'s> {
    pub fn new(scene: &'s Scene) -> Self {
        let Scene { program, other, .. } = scene;
        let map = scene.maps[0].try_clone().unwrap();
        let insns = if scene.change == Change::Statement { &other.insns } else { &program.insns };
        Self {
            scene,
            fd_array: Shared::new(&scene.numbers(&map)),
            map,
            btf: Some(scene.btf.try_clone().unwrap()),
            insns: Shared::new(insns),
            func_info: Shared::new(&program.func_info.bytes),
            core_relos: Shared::new(&program.core_relos.bytes),
            signature: Shared::new(&scene.signature),
        }
    }

    pub fn scene(&self) -> &'s Scene {
        self.scene
    }

    /// Loads what is there at the time.
    pub fn load(&self, change: impl FnOnce(&mut ProgLoad)) -> Result<Loaded, i32> {
        let Scene { program, maps, signature, .. } = self.scene;
        let outcome = load_onto(program, &self.btf, maps, Some(signature), |attr| {
            attr.fd_array = self.fd_array.address();
            attr.insns = self.insns.address();
            attr.func_info = self.func_info.address();
            attr.core_relos = self.core_relos.address();
            attr.signature = self.signature.address();
            change(attr);
        });
        outcome.result.map(|loaded| look_at(loaded.as_fd()))
    }

    /// Makes a change, or takes it back. What has been frozen stays so.
    pub fn set(&self, change: Change, is_changed: bool) {
        let Scene { program, other, maps, constants, .. } = self.scene;
        let shown = if is_changed { other } else { program };
        match change {
            Change::Instructions => self.insns.write(&shown.insns),
            Change::Map => {
                let map = if is_changed { &self.scene.other_map } else { &self.map };
                self.fd_array.write(&self.scene.numbers(map));
            }
            Change::MapDescriptor => {
                replace(&self.map, if is_changed { &self.scene.other_map } else { &maps[0] });
            }
            Change::Contents => {
                let value = &shown.slots[*constants].contents;
                // SAFETY: an array's keys have four bytes; the contents are one value of its size.
                unsafe { bpf::raw::map_update(maps[*constants].as_fd(), &[0; 4], value) }.unwrap();
            }
            Change::CoreRelos => self.core_relos.write(&shown.core_relos.bytes),
            Change::Btf => {
                let btf = if is_changed { &self.scene.other_btf } else { &self.scene.btf };
                replace(self.btf.as_ref().unwrap(), btf);
            }
            Change::FuncInfo => self.func_info.write(&shown.func_info.bytes),
            Change::Statement if is_changed => self.signature.write(&self.scene.with_other_statement()),
            Change::Statement => self.signature.write(&self.scene.signature),
            Change::Freeze => bpf::raw::map_freeze(maps[*constants].as_fd()).unwrap(),
        }
    }
}

/// A program that has maps and constants and reads structures of the kernel, and the same with everything changed, each
/// thing so that the verifier would accept it.
fn programs() -> (Program, Program) {
    let mut program = program("tp_exec_export");
    let mut other = program.clone();

    let function = |bytes: &[u8]| u32::from_ne_bytes(bytes[4..8].try_into().unwrap());
    let own = function(&program.func_info.bytes);
    let (btf, another) = with_function_like(program.btf.as_deref().unwrap(), own);
    program.btf = Some(btf);
    other.btf = Some(with_function_like(program.btf.as_deref().unwrap(), own).0);
    other.func_info.bytes[4..8].copy_from_slice(&another.to_ne_bytes());

    // The last `w0 = …` sets another value.
    let (insns, _) = other.insns.as_chunks_mut::<8>();
    let last = insns.iter().rposition(|insn| insn[..2] == [0xb4, 0]).unwrap();
    insns[last][4] ^= 1;

    // A record names another field that is at the same place in the object's own types, as the kernel compares.
    let place = |record: &[u8; 16]| {
        let insn = u32::from_ne_bytes(*record.first_chunk().unwrap()) as usize;
        i32::from_ne_bytes(*program.insns[insn..insn + 8].last_chunk().unwrap())
    };
    let (records, _) = other.core_relos.bytes.as_chunks_mut::<16>();
    let (at, field) = (0..records.len())
        .flat_map(|at| records.iter().map(move |record| (at, *record)))
        .find(|(at, record)| place(record) == place(&records[*at]) && record[4..12] != records[*at][4..12])
        .expect("two fields at the same place");
    records[at][4..12].copy_from_slice(&field[4..12]);

    let changed = |map: &Arc<MapDefinition>| {
        let mut map = MapDefinition::clone(map);
        map.contents.iter_mut().for_each(|byte| *byte = !*byte);
        map.max_entries *= 2;
        Arc::new(map)
    };
    other.slots = program.slots.iter().map(changed).collect();
    (program, other)
}

/// Adds to a BTF another function with the prototype of `function`; returns its type id as well.
fn with_function_like(btf: &[u8], function: u32) -> (Arc<[u8]>, u32) {
    // SAFETY: libbpf copies the bytes; the type exists, as the BTF has been loaded with it; what is returned is copied
    // before the BTF is freed.
    unsafe {
        let btf = sys::btf__new(btf.as_ptr().cast(), btf.len() as u32);
        assert!(!btf.is_null());
        let prototype = (*sys::btf__type_by_id(btf, function)).__bindgen_anon_1.type_;
        let linkage = sys::BTF_FUNC_GLOBAL;
        let id = sys::btf__add_func(btf, c"another".as_ptr(), linkage, prototype as i32);
        assert!(id > 0);
        let mut size = 0;
        let bytes = sys::btf__raw_data(btf, &mut size);
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), size as usize).into();
        sys::btf__free(btf);
        (bytes, id as u32)
    }
}

/// Makes a descriptor stand for something else.
fn replace(descriptor: &OwnedFd, by: &OwnedFd) {
    // SAFETY: both are open; the number stays open, so that its owner can close it.
    let result = unsafe { libc::dup2(by.as_raw_fd(), descriptor.as_raw_fd()) };
    assert_eq!(result, descriptor.as_raw_fd());
}

fn look_at(program: BorrowedFd<'_>) -> Loaded {
    const FUNCTIONS: usize = 16;
    let mut functions = [sys::bpf_func_info::default(); FUNCTIONS];
    let mut info = sys::bpf_prog_info {
        func_info: functions.as_mut_ptr() as u64,
        nr_func_info: FUNCTIONS as u32,
        func_info_rec_size: size_of::<sys::bpf_func_info>() as u32,
        ..Default::default()
    };
    let mut size = size_of_val(&info) as u32;
    // SAFETY: the kernel fills in as many records as there is room for.
    let error = unsafe { sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &mut info, &mut size) };
    assert_eq!(error, 0);
    Loaded {
        xlated: bpf::raw::xlated(program).unwrap(),
        maps: bpf::raw::map_ids(program).unwrap(),
        btf: info.btf_id,
        functions: functions[..info.nr_func_info as usize].iter().map(|info| info.type_id).collect(),
    }
}

/// Nothing that is changed during a load gets past the signature.
#[test]
#[ignore = "needs the patched kernel"]
fn no_change_gets_past_the_signature() {
    let _on = SwitchedOn::new();
    for (change, _) in DANGEROUS {
        let scene = Scene::new(change);
        for place in PLACES {
            assert!(!scene.is_fooled_at(place), "{change:?} at {place:?}");
        }
    }
}

/// Whether the contents of a map are constants is decided once, when the signature is found to cover them or not.
#[test]
#[ignore = "needs the patched kernel"]
fn freezing_a_map_makes_no_constants_of_what_is_in_it() {
    let _on = SwitchedOn::new();
    let scene = Scene::new(Change::Freeze);
    let with_variables = scene.undisturbed();
    assert_eq!(scene.load(Some(Place::Facts)).unwrap(), with_variables);
    // It is frozen now, and as a frozen one it would be another program.
    assert_eq!(scene.load(None), Err(EKEYREJECTED));
    let mut constant = scene.program.clone();
    Arc::make_mut(&mut constant.slots[scene.constants]).frozen = true;
    let btf = Some(scene.btf.try_clone().unwrap());
    let loaded = load_onto(&constant, &btf, &scene.maps, Some(&sign(&constant, signer())), |_| ()).accepted();
    assert_ne!(look_at(loaded.as_fd()).xlated, with_variables.xlated);

    assert_eq!(Scene::new(Change::Freeze).load(Some(Place::CoreRelos)), Err(EKEYREJECTED));
}

/// The places where each change gets past the signature if the kernel fetches again what it has checked. At other
/// places it can't: the memory that holds the load is the one to change, or is no longer read.
const DANGEROUS: [(Change, &[Place]); 8] = [
    (Change::Instructions, &[Place::License, Place::CoreRelos, Place::Facts]),
    (Change::Map, &[Place::CoreRelos, Place::Facts]),
    (Change::MapDescriptor, &[Place::CoreRelos, Place::Facts]),
    (Change::Contents, &[Place::Facts, Place::LineInfo]),
    (Change::CoreRelos, &[Place::Facts]),
    (Change::Btf, &[Place::CoreRelos, Place::Facts]),
    (Change::FuncInfo, &[Place::CoreRelos, Place::Facts]),
    (Change::Statement, &[Place::License, Place::CoreRelos]),
];

#[test]
#[ignore = "needs the kernel variant `unprotected`"]
fn the_unprotected_kernel_is_fooled() {
    let _on = SwitchedOn::new();
    for (change, dangerous) in DANGEROUS {
        let fooled: Vec<_> =
            PLACES.into_iter().filter(|place| Scene::new(change).is_fooled_at(*place)).collect();
        assert_eq!(fooled, dangerous, "{change:?}");
    }
}
