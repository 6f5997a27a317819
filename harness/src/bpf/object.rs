//! An object in the kernel: its maps, which its programs share, and its programs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use nix::errno::Errno;

use super::keyring::Keyring;
use super::libbpf::load_btf;
use super::maps::create_map;
use super::prog_load::{LoadContext, PreparedLoad};
use super::target::LoadTarget;

/// How to load an object.
#[derive(Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// The CMS message that covers its programs; none: unsigned.
    pub signature: Option<&'a [u8]>,
    /// Where the kernel is to look for the signer.
    pub keyring: Keyring,
}

/// An object in the kernel. What is not pinned or attached goes away with it.
#[derive(Debug)]
pub struct LoadedObject {
    /// The maps, in the object's order.
    pub maps: Vec<LoadedMap>,
    /// The programs, in the object's order, without those that are not to be loaded unless asked for (`SEC("?…")`).
    pub programs: Vec<LoadedProgram>,
}

/// A map in the kernel.
#[derive(Debug)]
pub struct LoadedMap {
    /// The whole name, as the object has it.
    pub name: String,
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// The map.
    pub fd: OwnedFd,
}

/// A program in the kernel.
#[derive(Debug)]
pub struct LoadedProgram {
    /// The whole name, as the object has it.
    pub name: String,
    /// The section that it was in, which says where it attaches.
    pub section: String,
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`.
    pub expected_attach_type: u32,
    /// The program.
    pub fd: OwnedFd,
}

/// The kernel has refused a program.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refused program `{program}`: {} ({errno:?})\n{}", .errno.desc(), .log.trim_end())]
pub struct Refused {
    /// The program's name.
    pub program: String,
    /// Why.
    pub errno: Errno,
    /// The verifier log, whole.
    pub log: String,
}

impl LoadedObject {
    /// Loads an object: creates its maps with what is in them from the start, loads its BTF and its programs.
    ///
    /// # Errors
    /// [`Refused`] if the kernel refuses a program; otherwise, a map could not be created, or a program is for a place
    /// that this kernel does not have. Nothing stays in the kernel then.
    pub fn load(object: &Object, options: &LoadOptions<'_>) -> Result<LoadedObject> {
        let btf = object.programs().iter().find_map(|program| program.btf.as_deref());
        let btf = btf.map(load_btf).transpose().context("loading the BTF")?;
        let btf = btf.as_ref().map(AsFd::as_fd);
        let maps = object
            .maps()
            .iter()
            .map(|map| {
                let fd = create_map(map, btf)?;
                Ok(LoadedMap { name: map.name.clone(), map_type: map.map_type, fd })
            })
            .collect::<Result<Vec<_>>>()?;

        let wanted = object.programs().iter().filter(|program| !program.section.starts_with('?'));
        let programs = wanted
            .map(|program| {
                let target = LoadTarget::of(program)?;
                let context = LoadContext {
                    btf: btf.filter(|_| program.btf.is_some()),
                    maps: slots(program, object, &maps),
                    target: Some(&target),
                    signature: options.signature,
                    keyring: options.keyring,
                };
                Ok(LoadedProgram {
                    name: program.name.clone(),
                    section: program.section.clone(),
                    prog_type: program.prog_type,
                    expected_attach_type: program.expected_attach_type,
                    fd: load_program(program, context)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(LoadedObject { maps, programs })
    }

    /// A program by its name.
    pub fn program(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.programs.iter().find(|program| program.name == name).map(|program| program.fd.as_fd())
    }

    /// A map by its name.
    pub fn map(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.maps.iter().find(|map| map.name == name).map(|map| map.fd.as_fd())
    }
}

/// The maps that a program refers to.
fn slots<'m>(program: &Program, object: &Object, maps: &'m [LoadedMap]) -> Vec<BorrowedFd<'m>> {
    let of = |slot| object.maps().iter().position(|map| Arc::ptr_eq(map, slot));
    let index = |slot| of(slot).expect("the slots of an object's programs are its maps");
    program.slots.iter().map(|slot| maps[index(slot)].fd.as_fd()).collect()
}

/// How often a load is tried again that a signal has disturbed, as libbpf does it.
const ATTEMPTS: u32 = 5;

/// The verifier log of a refused program at first, in bytes.
const LOG_SIZE: usize = 64 << 10;
/// As much as the kernel takes (`UINT_MAX >> 2`).
const MAX_LOG_SIZE: usize = (u32::MAX >> 2) as usize;

fn load_program(program: &Program, context: LoadContext<'_>) -> Result<OwnedFd> {
    let mut load = PreparedLoad::new(program, context)?;
    let mut result = attempt(&mut load);
    // Once more, for the verifier to say why.
    let mut log_size = LOG_SIZE;
    while result.is_err() && log_size <= MAX_LOG_SIZE {
        load.trace(log_size);
        result = attempt(&mut load);
        if !matches!(result, Err(Errno::ENOSPC)) {
            break;
        }
        log_size *= 4;
    }
    let refused = |errno| Refused { program: program.name.clone(), errno, log: load.log() };
    result.map_err(|errno| refused(errno).into())
}

fn attempt(load: &mut PreparedLoad<'_>) -> Result<OwnedFd, Errno> {
    let errno = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or_default());
    let mut result = load.load().0.map_err(errno);
    for _ in 1..ATTEMPTS {
        if !matches!(result, Err(Errno::EAGAIN)) {
            break;
        }
        result = load.load().0.map_err(errno);
    }
    result
}
