//! An object of the corpus in the kernel: loaded by us with a signature, or by libbpf without, for tests that demand the
//! same of both.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::ptr;

use bpfsig_loading::raw::TestRun;
use bpfsig_loading::{self as bpf, Hooks, LoadedObject};
use bpfsig_signing::choices::Choices;
use bpfsig_signing::object::Object;
use libbpf_rs::btf::{Btf, types};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::{AsRawLibbpf, MapCore, MapFlags, MapHandle, MapType, ObjectBuilder, ProgramType};

use crate::loaded_object;

/// How an object gets into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By us, with a signature.
    Signed,
    /// By libbpf, without.
    Unsigned,
}

impl Way {
    pub const ALL: [Way; 2] = [Way::Signed, Way::Unsigned];
}

/// An object in the kernel.
pub struct Loaded {
    pub way: Way,
    programs: HashMap<String, OwnedFd>,
    maps: HashMap<String, MapHandle>,
    owner: Owner,
}

/// Who has loaded the object, and attaches its programs.
enum Owner {
    Us(LoadedObject),
    Libbpf(RefCell<libbpf_rs::Object>),
}

/// What programs are attached to.
#[derive(Clone, Copy)]
pub enum Hook<'h> {
    /// What their sections name.
    Section,
    /// A control group.
    Cgroup(&'h Path),
}

/// An attached program. It is detached when this value goes away.
pub enum Attached {
    ByUs(bpf::Link),
    ByLibbpf(libbpf_rs::Link),
}

impl AsFd for Attached {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::ByUs(link) => link.as_fd(),
            Self::ByLibbpf(link) => link.as_fd(),
        }
    }
}

/// Loads an object of the corpus each way and hands it to `test`.
pub fn each_way(name: &str, test: impl Fn(&Loaded)) {
    for way in Way::ALL {
        println!("{name}: {way:?}");
        test(&Loaded::new(name, way));
    }
}

impl Loaded {
    /// Loads an object of the corpus.
    pub fn new(name: &str, way: Way) -> Self {
        Self::of_bytes(name, loaded_object::bytes(name), &Choices::default(), way, None)
    }

    /// Loads an object of the corpus whose programs attach to another program.
    pub fn onto(name: &str, way: Way, target: BorrowedFd<'_>) -> Self {
        Self::of_bytes(name, loaded_object::bytes(name), &Choices::default(), way, Some(target))
    }

    /// Loads any object; libbpf is told nothing of what the signer says about it.
    pub fn of_bytes(
        name: &str,
        bytes: &[u8],
        choices: &Choices,
        way: Way,
        target: Option<BorrowedFd<'_>>,
    ) -> Self {
        match way {
            Way::Signed => Self::signed(bytes, choices, target),
            Way::Unsigned => Self::unsigned(name, bytes, target),
        }
        .unwrap_or_else(|error| panic!("{name}, {way:?}: {error:#}"))
    }

    fn signed(bytes: &[u8], choices: &Choices, target: Option<BorrowedFd<'_>>) -> anyhow::Result<Self> {
        let object = Object::parse_with(bytes, choices)?;
        let mut open = loaded_object::open(&object, Some(loaded_object::sign(&object)));
        if let Some(target) = target {
            loaded_object::set_target(&mut open, target);
        }
        let loaded = open.load()?;
        let programs = loaded
            .programs
            .iter()
            .map(|program| Ok((program.name.clone(), program.fd.try_clone()?)))
            .collect::<anyhow::Result<_>>()?;
        let maps = loaded
            .maps
            .iter()
            .map(|map| Ok((map.name.clone(), handle(map.fd.as_fd())?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { way: Way::Signed, programs, maps, owner: Owner::Us(loaded) })
    }

    fn unsigned(name: &str, bytes: &[u8], target: Option<BorrowedFd<'_>>) -> anyhow::Result<Self> {
        let mut object = ObjectBuilder::default().name(name)?.open_memory(bytes)?;
        if let Some(target) = target {
            for mut program in object.progs_mut() {
                program.set_attach_target(target.as_raw_fd(), None)?;
            }
        }
        for map in object.maps_mut() {
            // Tests would share maps that are to be pinned by name.
            // SAFETY: the map belongs to an open object.
            unsafe { sys::bpf_map__set_pin_path(map.as_libbpf_object().as_ptr(), ptr::null()) };
        }
        let object = object.load()?;
        let programs = object
            .progs()
            .filter(|program| program.autoload())
            .map(|program| {
                let name = program.name().to_string_lossy().into_owned();
                Ok((name, program.as_fd().try_clone_to_owned()?))
            })
            .collect::<anyhow::Result<_>>()?;
        let maps = object
            .maps()
            .map(|map| {
                let name = map.name().to_string_lossy();
                // Global data has the object's name in front of its section's.
                let name = name.find('.').map_or(&*name, |dot| &name[dot..]);
                Ok((name.to_owned(), handle(map.as_fd())?))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { way: Way::Unsigned, programs, maps, owner: Owner::Libbpf(RefCell::new(object)) })
    }

    /// Attaches the programs that attach to `hook`, each owner in its own way.
    pub fn attach(&self, hook: Hook<'_>) -> Vec<Attached> {
        let attached = match &self.owner {
            Owner::Us(object) => attach_ours(object, hook),
            Owner::Libbpf(object) => attach_libbpfs(&mut object.borrow_mut(), hook),
        };
        attached.unwrap_or_else(|error| panic!("{:?}: {error:#}", self.way))
    }

    /// The names of the programs, in order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.programs.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// A program.
    #[track_caller]
    pub fn program(&self, name: &str) -> BorrowedFd<'_> {
        self.programs.get(name).unwrap_or_else(|| panic!("no program {name}")).as_fd()
    }

    /// A map; global data by its section.
    #[track_caller]
    pub fn map(&self, name: &str) -> &MapHandle {
        self.maps.get(name).unwrap_or_else(|| panic!("no map {name} in {:?}", self.maps.keys()))
    }

    /// Runs a program on a packet.
    #[track_caller]
    pub fn run(&self, program: &str, packet: &[u8]) -> TestRun {
        bpf::raw::test_run(self.program(program), packet, &[]).unwrap()
    }

    /// Puts something into a map.
    #[track_caller]
    pub fn set(&self, map: &str, key: &[u8], value: &[u8]) {
        self.map(map).update(key, value, MapFlags::ANY).unwrap();
    }

    /// What a map has.
    #[track_caller]
    pub fn get(&self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.map(map).lookup(key, MapFlags::ANY).unwrap()
    }

    /// A counter of 64 bits in a per-CPU map, over all CPUs; 0 if it is not there.
    #[track_caller]
    pub fn total(&self, map: &str, key: u32) -> u64 {
        let values = self.map(map).lookup_percpu(&key.to_ne_bytes(), MapFlags::ANY).unwrap();
        values.unwrap_or_default().iter().map(|value| number(value)).sum()
    }

    /// The number in a global variable.
    #[track_caller]
    pub fn variable(&self, name: &str) -> u64 {
        let program = self.programs.values().next().unwrap();
        let (id, _) = bpf::raw::program_id(program.as_fd()).unwrap();
        let btf = Btf::from_prog_id(id).unwrap();
        for section in btf.type_by_kind::<types::DataSec<'_>>() {
            let find = |variable: &types::VarSecInfo| {
                let var: types::Var<'_> = btf.type_by_id(variable.ty).unwrap();
                var.name().unwrap() == name
            };
            if let Some(variable) = section.iter().find(find) {
                let data = self.get(section.name().unwrap().to_str().unwrap(), &[0; 4]).unwrap();
                return number(&data[variable.offset as usize..][..variable.size]);
            }
        }
        panic!("no variable {name}");
    }
}

fn attach_ours(object: &LoadedObject, hook: Hook<'_>) -> anyhow::Result<Vec<Attached>> {
    let hooks = match hook {
        Hook::Section => Hooks::new().by_section(),
        Hook::Cgroup(path) => Hooks::new().cgroup(path)?,
    };
    Ok(object.attach(&hooks)?.into_iter().map(Attached::ByUs).collect())
}

fn attach_libbpfs(object: &mut libbpf_rs::Object, hook: Hook<'_>) -> anyhow::Result<Vec<Attached>> {
    let mut links = Vec::new();
    for program in object.progs_mut() {
        let by_section = matches!(
            program.prog_type(),
            ProgramType::Tracing
                | ProgramType::Lsm
                | ProgramType::Kprobe
                | ProgramType::Tracepoint
                | ProgramType::Ext
        );
        match hook {
            Hook::Section if by_section => links.push(program.attach()?),
            Hook::Section => (),
            Hook::Cgroup(path) => links.push(program.attach_cgroup(File::open(path)?.as_raw_fd())?),
        }
    }
    if matches!(hook, Hook::Section) {
        for mut map in object.maps_mut().filter(|map| map.map_type() == MapType::StructOps) {
            links.push(map.attach_struct_ops()?);
        }
    }
    Ok(links.into_iter().map(Attached::ByLibbpf).collect())
}

fn handle(map: BorrowedFd<'_>) -> anyhow::Result<MapHandle> {
    Ok(MapHandle::from_map_id(bpf::raw::map_id(map)?)?)
}

/// A number of up to 64 bits.
pub fn number(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    let size = bytes.len().min(8);
    all[..size].copy_from_slice(&bytes[..size]);
    u64::from_ne_bytes(all)
}
