//! An object in the kernel: its maps, which its programs share, and its programs.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bpfsig_signing::attestation::KernelAttestation;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::{Initial, InitialEntry, Object, StructOps};
use bpfsig_signing::program::Program;
use bpfsig_signing::signature;
use bpfsig_signing::statement::{Entry, Kind};
use libbpf_rs::libbpf_sys as sys;
use nix::errno::Errno;

use super::kernel_btf;
use super::keyring::Keyring;
use super::libbpf::{load_btf, map_freeze, map_update};
use super::maps::create_map;
use super::prog_load::{Attest, LoadContext, PreparedLoad};
use super::struct_ops::Table;
use super::sysctl;
use super::target::LoadTarget;

/// How to load an object.
#[derive(Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// The signature that covers its programs: a CMS message, or several (see [`signature`]); none: unsigned.
    pub signature: Option<&'a [u8]>,
    /// Where the kernel is to look for the signer.
    pub keyring: Keyring,
    /// What is attested of its programs for this kernel; none: the kernel verifies them.
    pub attestation: Option<&'a KernelAttestation>,
    /// The program that `freplace`, `fentry` and `fexit` programs attach to, instead of to the kernel.
    pub target: Option<BorrowedFd<'a>>,
    /// The function of `target` that they attach to; none: the one that each names.
    pub function: Option<&'a str>,
}

/// An object in the kernel. What is not pinned or attached goes away with it.
#[derive(Debug)]
pub struct LoadedObject {
    /// The maps, in the object's order; those of struct_ops last.
    pub maps: Vec<LoadedMap>,
    /// The programs, in the object's order, without those that are not to be loaded unless asked for (`SEC("?…")`).
    pub programs: Vec<LoadedProgram>,
    /// Why the kernel has refused the attestation; it has verified the programs then.
    pub attestation_refused: Option<String>,
}

/// A map in the kernel.
#[derive(Debug)]
pub struct LoadedMap {
    /// The whole name, as the object has it.
    pub name: String,
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// It is a struct_ops that a link attaches (`SEC(".struct_ops.link")`).
    pub is_link: bool,
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
    /// The program as it was to be loaded.
    pub as_loaded: Box<Program>,
}

impl LoadedObject {
    /// Loads an object: creates its maps with what is in them from the start, loads its BTF and its programs. If the
    /// kernel refuses the attestation, they are loaded without it.
    ///
    /// # Errors
    /// [`Refused`] if the kernel refuses a program; otherwise, a map could not be created, a program is for a place that
    /// this kernel does not have, or the kernel checks no signatures. Nothing stays in the kernel then.
    pub fn load(object: &Object, options: &LoadOptions<'_>) -> Result<LoadedObject> {
        let is_targeted = |program: &Program| program.clone().attach_to_program(None).is_ok();
        ensure!(
            options.target.is_none() || object.programs().iter().any(is_targeted),
            "the object has no program that attaches to a program"
        );
        ensure!(
            options.signature.is_none() || fs::exists(sysctl::SIGNATURE)?,
            "the running kernel does not check signatures: {} is missing",
            sysctl::SIGNATURE
        );
        let of_programs = object.programs().iter().find_map(|program| program.btf.as_deref());
        let btf = of_programs.or_else(|| object.btf().filter(|_| object.programs().is_empty()));
        let btf = btf.map(load_btf).transpose().context("loading the BTF")?;
        let btf = btf.as_ref().map(AsFd::as_fd);
        let tables = object.struct_ops().iter().map(|table| Table::of(table, &*kernel_btf::vmlinux()?));
        let tables = tables.collect::<Result<Vec<_>>>()?;

        let mut maps = Vec::new();
        for map in object.maps() {
            let fd = create_map(map, btf)?;
            maps.push(LoadedMap { name: map.name.clone(), map_type: map.map_type, is_link: false, fd });
        }
        let mut options = *options;
        let mut attestation_refused = None;
        let mut programs = Vec::new();
        for program in object.programs() {
            if program.section.starts_with('?') {
                programs.push(None);
                continue;
            }
            let mut result = load_program(program, object, &maps, btf, &options);
            if let Some(why) = result.as_ref().err().and_then(attestation_error) {
                attestation_refused = Some(why);
                options.attestation = None;
                result = load_program(program, object, &maps, btf, &options);
            }
            programs.push(Some(result?));
        }
        // Not before: a signature covers what is in a frozen map, and this is for the host to say.
        for (map, definition) in maps.iter().zip(object.maps()).filter(|(_, map)| !map.host.is_empty()) {
            map_freeze(map.fd.as_fd()).with_context(|| format!("freezing map {}", definition.name))?;
        }
        for entry in object.entries() {
            fill_entry(entry, object, &maps, &programs)?;
        }
        for (definition, table) in object.struct_ops().iter().zip(tables) {
            let StructOps { name, is_link, .. } = definition;
            let fd = table.create_map(name, *is_link, btf)?;
            // Filling one that no link attaches would attach it.
            if *is_link {
                table.fill(&fd, &programs).with_context(|| format!("filling map {name}"))?;
            }
            let map_type = sys::BPF_MAP_TYPE_STRUCT_OPS;
            maps.push(LoadedMap { name: name.clone(), map_type, is_link: *is_link, fd });
        }
        Ok(LoadedObject { maps, programs: programs.into_iter().flatten().collect(), attestation_refused })
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

/// Puts a map into a map of maps, or a program into a program array.
fn fill_entry(
    entry: &InitialEntry,
    object: &Object,
    maps: &[LoadedMap],
    programs: &[Option<LoadedProgram>],
) -> Result<()> {
    let map = &maps[entry.map];
    let value = match entry.value {
        Initial::Map(inner) => &maps[inner].fd,
        Initial::Program(program) => match &programs[program] {
            Some(program) => &program.fd,
            None => return Ok(()),
        },
    };
    let mut key = entry.index.to_ne_bytes().to_vec();
    key.resize(object.maps()[entry.map].key_size as usize, 0);
    // SAFETY: the key has been made to fit; the values of such maps are file descriptors of four bytes.
    unsafe { map_update(map.fd.as_fd(), &key, &value.as_raw_fd().to_ne_bytes()) }
        .with_context(|| format!("initialising entry {} of map {}", entry.index, map.name))
}

/// How often a load is tried again that a signal has disturbed, as libbpf does it.
const ATTEMPTS: u32 = 5;

/// The verifier log of a refused program at first, in bytes.
const LOG_SIZE: usize = 64 << 10;
/// As much as the kernel takes (`UINT_MAX >> 2`).
const MAX_LOG_SIZE: usize = (u32::MAX >> 2) as usize;

fn load_program(
    program: &Program,
    object: &Object,
    maps: &[LoadedMap],
    btf: Option<BorrowedFd<'_>>,
    options: &LoadOptions<'_>,
) -> Result<LoadedProgram> {
    let mut program = Cow::Borrowed(program);
    if options.target.is_some() {
        // Those that can't attach to a program attach where they always do.
        program.to_mut().attach_to_program(options.function).ok();
    }
    let target = LoadTarget::of(&program, options.target)?;
    let context = LoadContext {
        btf: btf.filter(|_| program.btf.is_some()),
        maps: slots(&program, object, maps),
        target: Some(&target),
        signature: options.signature.map(|signature| message_for(signature, &program)).transpose()?,
        keyring: options.keyring,
        attest: attest(&program, options)?,
    };
    let fd = load_with_log(PreparedLoad::new(&program, context)?).map_err(|(errno, log)| {
        let as_loaded = Box::new(program.clone().into_owned());
        Refused { program: program.name.clone(), errno, log, as_loaded }
    })?;
    Ok(LoadedProgram {
        name: program.name.clone(),
        section: program.section.clone(),
        prog_type: program.prog_type,
        expected_attach_type: program.expected_attach_type,
        fd,
    })
}

/// The message of a signature that covers a program.
fn message_for<'s>(signature: &'s [u8], program: &Program) -> Result<&'s [u8]> {
    let entry = Entry { kind: Kind::PROGRAM, digest: Manifest::of(program)?.digest() };
    Ok(signature::message_for(signature, &entry))
}

/// The facts that are attested about a program, if there are any.
fn attest<'a>(program: &Program, options: &LoadOptions<'a>) -> Result<Attest<'a>> {
    let Some(attestation) = options.attestation else { return Ok(Attest::No) };
    let facts = attestation.facts(&Manifest::of(program)?.digest());
    Ok(facts.map_or(Attest::No, |facts| Attest::Facts { message: &attestation.message, facts }))
}

/// How a log begins when it was the signature for which a program was refused.
const SIGNATURE: &str = "signature: ";
/// How it does when it was the attestation.
const ATTESTATION: &str = "signature: attestation: ";

/// Why the kernel has refused the attestation, if it was that.
fn attestation_error(error: &anyhow::Error) -> Option<String> {
    let refused = error.downcast_ref::<Refused>()?;
    let why = refused.log.lines().next()?.strip_prefix(ATTESTATION)?;
    Some(format!("{why} ({:?})", refused.errno))
}

/// Loads a program, and once more if the verifier refuses it, for it to say why. What there is to say about a signature
/// has been said then, and asking again would be another failure of this user's.
fn load_with_log(mut load: PreparedLoad<'_>) -> Result<OwnedFd, (Errno, String)> {
    let mut result = attempt(&mut load);
    let mut log_size = LOG_SIZE;
    while result.is_err() && log_size <= MAX_LOG_SIZE && !load.log().starts_with(SIGNATURE) {
        load.trace(log_size);
        result = attempt(&mut load);
        if !matches!(result, Err(Errno::ENOSPC)) {
            break;
        }
        log_size *= 4;
    }
    result.map_err(|errno| (errno, load.log()))
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
