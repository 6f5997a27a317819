//! Loading an object: its maps, then its programs onto them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU32;

use bpfsig_signing::attestation::KernelAttestation;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::object::{Initial, InitialEntry, StructOps};
use bpfsig_signing::program::Program;
use bpfsig_signing::signature;
use bpfsig_signing::statement::{Entry, Kind};
use bpfsig_signing::uapi::map_type;
use nix::errno::Errno;

use crate::error::{Error, Refused, Result, SIGNATURE};
use crate::libbpf::{load_btf, map_freeze, map_update};
use crate::loaded_object::{LoadedMap, LoadedObject, LoadedProgram};
use crate::maps;
use crate::open_object::{OpenObject, OpenProgram};
use crate::pin::Pinned;
use crate::prog_load::{Attest, LoadContext, PreparedLoad};
use crate::struct_ops::Table;
use crate::sysctl;
use crate::target::LoadTarget;

/// Whether the running kernel checks signatures of programs. Where it does not, an object can still be loaded unsigned.
pub fn signatures_supported() -> bool {
    fs::exists(sysctl::SIGNATURE).unwrap_or(false)
}

/// Fails where [`signatures_supported`] is false.
///
/// # Errors
/// [`Error::SignaturesUnsupported`], which says what is missing.
pub fn demand_signatures() -> Result<()> {
    if signatures_supported() { Ok(()) } else { Err(Error::SignaturesUnsupported) }
}

impl OpenObject {
    /// Loads the object, signed if it has a signature: creates its maps with their initial contents, or takes those
    /// that are to be reused; loads its BTF and its programs. If the kernel refuses the attestation, they are loaded
    /// without it.
    ///
    /// # Errors
    /// [`Error::Refused`] if the kernel refuses a program; [`Error::Map`] if it refuses a map, or one that is to be
    /// reused has another definition; [`Error::Program`] if a program attaches to something that this kernel does not have;
    /// [`Error::SignaturesUnsupported`]. Nothing stays in the kernel then.
    #[doc(alias = "bpf_object__load")]
    pub fn load(mut self) -> Result<LoadedObject> {
        if self.signature.is_some() {
            demand_signatures()?;
        }
        let of_programs = self.programs.iter().find_map(|program| program.definition.btf.as_deref());
        let btf = of_programs.or_else(|| self.btf.as_deref().filter(|_| self.programs.is_empty()));
        let btf = btf.map(load_btf).transpose().map_err(Error::system("loading the BTF"))?;
        let btf = btf.as_ref().map(AsFd::as_fd);
        self.struct_ops.retain(|table| table.autocreate);
        let tables = self.struct_ops.iter().map(Table::of).collect::<Result<Vec<_>>>()?;

        let mut pinned = Pinned::default();
        let mut maps = self.create_maps(btf, &mut pinned)?;
        let (programs, attestation_refused) = self.load_programs(&maps, btf)?;
        // Not before: a signature covers what is in a frozen map, and this is for the host to say, in texts that can't be
        // parameters.
        let is_left = |map: &MapDefinition| !map.host.is_empty() && !map.frozen;
        for (map, open) in maps.iter().zip(&self.maps).filter(|(_, open)| is_left(&open.definition)) {
            map_freeze(map.as_fd())
                .map_err(Error::system("freezing it"))
                .map_err(|error| error.in_map(open.name()))?;
        }
        for entry in &self.entries {
            self.fill_entry(entry, &maps, &programs).map_err(|error| error.in_map(&maps[entry.map].name))?;
        }
        for (definition, mut table) in self.struct_ops.iter().zip(tables) {
            let StructOps { name, is_link, .. } = definition;
            let fd = table.create_map(name, *is_link, btf).map_err(|error| error.in_map(name))?;
            table.set_programs(|index| programs[index].as_ref().map(AsFd::as_fd));
            let map_type = map_type::STRUCT_OPS;
            maps.push(LoadedMap { name: name.clone(), map_type, is_link: *is_link, fd, table: Some(table) });
        }
        pinned.keep();
        Ok(LoadedObject {
            maps,
            programs: programs.into_iter().flatten().collect(),
            attestation_refused,
            next_usdt: AtomicU32::new(0),
        })
    }

    fn create_maps(&mut self, btf: Option<BorrowedFd<'_>>, pinned: &mut Pinned) -> Result<Vec<LoadedMap>> {
        let mut maps = Vec::new();
        for map in &mut self.maps {
            let definition = map.definition.clone();
            let fd = match (map.reused.take(), &map.pin_path) {
                (Some(fd), _) => Ok(fd),
                (None, Some(path)) => maps::create_or_reuse(&definition, btf, path, pinned),
                (None, None) => maps::create(&definition, btf),
            };
            let fd = fd.map_err(|error| error.in_map(&definition.name))?;
            let (name, map_type) = (definition.name.clone(), definition.map_type);
            maps.push(LoadedMap { name, map_type, is_link: false, fd, table: None });
        }
        Ok(maps)
    }

    /// Loads the programs; none stands for one that is not to be loaded. Also returns why the kernel has refused the
    /// attestation, if it has.
    fn load_programs(
        &self,
        maps: &[LoadedMap],
        btf: Option<BorrowedFd<'_>>,
    ) -> Result<(Vec<Option<LoadedProgram>>, Option<String>)> {
        let mut attestation = self.attestation.as_ref();
        let mut attestation_refused = None;
        let mut programs = Vec::new();
        for program in &self.programs {
            if !program.autoload() {
                programs.push(None);
                continue;
            }
            let mut result = load_program(self, program, maps, btf, attestation);
            if let Some(why) = result.as_ref().err().and_then(attestation_error) {
                attestation_refused = Some(why);
                attestation = None;
                result = load_program(self, program, maps, btf, attestation);
            }
            programs.push(Some(result?));
        }
        Ok((programs, attestation_refused))
    }

    /// Puts a map into a map of maps, or a program into a program array.
    fn fill_entry(
        &self,
        entry: &InitialEntry,
        maps: &[LoadedMap],
        programs: &[Option<LoadedProgram>],
    ) -> Result<()> {
        let value = match entry.value {
            Initial::Map(inner) => &maps[inner].fd,
            Initial::Program(program) => match &programs[program] {
                Some(program) => &program.fd,
                None => return Ok(()),
            },
        };
        let mut key = entry.index.to_ne_bytes().to_vec();
        key.resize(self.maps[entry.map].definition.key_size as usize, 0);
        // SAFETY: the key has been made to fit; the values of such maps are file descriptors of four bytes.
        unsafe { map_update(maps[entry.map].fd.as_fd(), &key, &value.as_raw_fd().to_ne_bytes()) }
            .map_err(Error::system(format!("initialising entry {}", entry.index)))
    }
}

/// How often a load is tried again that a signal has disturbed, as libbpf does it.
const ATTEMPTS: u32 = 5;

/// The verifier log of a refused program at first, in bytes.
const LOG_SIZE: usize = 64 << 10;
/// As much as the kernel takes (`UINT_MAX >> 2`).
const MAX_LOG_SIZE: usize = (u32::MAX >> 2) as usize;

/// How the log begins if a program was refused because of its attestation.
const ATTESTATION: &str = "signature: attestation: ";

/// Loads a program. `maps` are the object's.
fn load_program(
    object: &OpenObject,
    program: &OpenProgram,
    maps: &[LoadedMap],
    btf: Option<BorrowedFd<'_>>,
    attestation: Option<&KernelAttestation>,
) -> Result<LoadedProgram> {
    let mut definition = object.definition(program);
    let target = LoadTarget::of(&definition, program.target.as_ref().map(AsFd::as_fd))?;
    if let Some(attach) = target.module.as_deref().and_then(|module| definition.attach.in_module(module)) {
        definition.to_mut().attach = attach;
    }
    let context = LoadContext {
        btf: btf.filter(|_| definition.btf.is_some()),
        maps: program.maps.iter().map(|map| maps[*map].as_fd()).collect(),
        target: Some(&target),
        signature: object.signature().map(|signature| message_for(signature, &definition)).transpose()?,
        keyring: object.keyring,
        attest: attest(&definition, attestation)?,
    };
    let fd = with_log(PreparedLoad::new(&definition, context)?).map_err(|(errno, log)| {
        // Such a kernel does not know the field, or was built without the check.
        let is_unknown = matches!(errno, Errno::E2BIG | Errno::EOPNOTSUPP) && !log.starts_with(SIGNATURE);
        if object.signature().is_some() && is_unknown {
            return Error::SignaturesUnsupported;
        }
        let as_loaded = Box::new(definition.clone().into_owned());
        Error::Refused(Box::new(Refused { program: program.name().to_owned(), errno, log, as_loaded }))
    })?;
    Ok(LoadedProgram {
        name: definition.name.clone(),
        section: definition.section.clone(),
        prog_type: definition.prog_type,
        expected_attach_type: definition.expected_attach_type,
        fd,
    })
}

/// The message of a signature that covers a program.
fn message_for<'s>(signature: &'s [u8], program: &Program) -> Result<&'s [u8]> {
    let entry = Entry { kind: Kind::PROGRAM, digest: manifest(program)?.digest() };
    Ok(signature::message_for(signature, &entry))
}

fn manifest(program: &Program) -> Result<Manifest> {
    Manifest::of(program).map_err(|error| Error::Invalid(error.to_string()))
}

/// The facts that are attested about a program, if there are any.
fn attest<'a>(program: &Program, attestation: Option<&'a KernelAttestation>) -> Result<Attest<'a>> {
    let Some(attestation) = attestation else { return Ok(Attest::No) };
    let facts = attestation.facts(&manifest(program)?.digest());
    Ok(facts.map_or(Attest::No, |facts| Attest::Facts { message: &attestation.message, facts }))
}

/// Why the kernel has refused the attestation, if it has.
fn attestation_error(error: &Error) -> Option<String> {
    let refused = error.refused()?;
    let why = refused.log.lines().next()?.strip_prefix(ATTESTATION)?;
    Some(format!("{why} ({:?})", refused.errno))
}

/// Loads a program. If the verifier refuses it, loads it again with a log that says why; not if its signature is refused,
/// as the first log says why, and another attempt would count as another failure of this user.
fn with_log(mut load: PreparedLoad<'_>) -> Result<OwnedFd, (Errno, String)> {
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
