//! An object that has been read but not loaded: its programs and maps can still be changed.

use std::borrow::Cow;
use std::fs;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bpfsig_signing::attestation::KernelAttestation;
use bpfsig_signing::description::from_json;
use bpfsig_signing::embed;
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::object::{InitialEntry, Object, StructOps};
use bpfsig_signing::parameter::Parameter;
use bpfsig_signing::program::Program;

use crate::error::{Error, Result};
use crate::keyring::Keyring;

/// Where libbpf pins maps that are to be pinned by name (`LIBBPF_PIN_BY_NAME`).
pub const DEFAULT_PIN_ROOT: &str = "/sys/fs/bpf";

/// An object that has been read. [`load`](Self::load) makes a [`LoadedObject`](crate::LoadedObject) of it.
#[doc(alias = "bpf_object__open")]
#[derive(Debug)]
pub struct OpenObject {
    pub(crate) programs: Vec<OpenProgram>,
    pub(crate) maps: Vec<OpenMap>,
    pub(crate) entries: Vec<InitialEntry>,
    pub(crate) struct_ops: Vec<StructOps>,
    pub(crate) btf: Option<Arc<[u8]>>,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) keyring: Keyring,
    pub(crate) attestation: Option<KernelAttestation>,
}

/// A program of an [`OpenObject`].
#[derive(Debug)]
pub struct OpenProgram {
    pub(crate) definition: Program,
    /// For each slot of the program, which map of the object it is.
    pub(crate) maps: Vec<usize>,
    pub(crate) target: Option<OwnedFd>,
    autoload: bool,
}

/// A map of an [`OpenObject`].
#[derive(Debug)]
pub struct OpenMap {
    pub(crate) definition: Arc<MapDefinition>,
    pub(crate) reused: Option<OwnedFd>,
    pub(crate) pin_path: Option<PathBuf>,
    is_changed: bool,
}

impl OpenObject {
    /// Reads an object file, and the signature in it if there is one.
    ///
    /// # Errors
    /// The file can't be read, or is not an object that can be loaded.
    #[doc(alias = "bpf_object__open_file")]
    pub fn open_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_memory(&fs::read(path).map_err(Error::system(path.display().to_string()))?)
    }

    /// Reads an object from the bytes of its file, and the signature in it if there is one.
    ///
    /// # Errors
    /// It is not an object that can be loaded.
    #[doc(alias = "bpf_object__open_mem")]
    pub fn open_memory(bytes: &[u8]) -> Result<Self> {
        let descriptions = embed::descriptions(bytes).and_then(|json| from_json(json).ok());
        let choices = descriptions.map(|descriptions| descriptions.choices).unwrap_or_default();
        let mut object = Self::from(&Object::parse_with(bytes, &choices)?);
        object.signature = embed::signature(bytes).map(<[u8]>::to_vec);
        Ok(object)
    }

    /// The programs, in the object's order.
    #[doc(alias = "bpf_object__next_program")]
    pub fn programs(&self) -> &[OpenProgram] {
        &self.programs
    }

    /// The programs, to choose from.
    pub fn programs_mut(&mut self) -> &mut [OpenProgram] {
        &mut self.programs
    }

    /// A program by its name.
    ///
    /// # Errors
    /// The object has no such program.
    #[doc(alias = "bpf_object__find_program_by_name")]
    pub fn program_mut(&mut self, name: &str) -> Result<&mut OpenProgram> {
        let mut programs = self.programs.iter_mut();
        programs
            .find(|program| program.name() == name)
            .ok_or_else(|| Error::Missing(format!("the object has no program `{name}`")))
    }

    /// The maps, in the object's order; global data by its section, such as `.data`. Those of struct_ops are not
    /// among them.
    #[doc(alias = "bpf_object__next_map")]
    pub fn maps(&self) -> &[OpenMap] {
        &self.maps
    }

    /// The maps, to set something of them.
    pub fn maps_mut(&mut self) -> &mut [OpenMap] {
        &mut self.maps
    }

    /// A map by its name.
    ///
    /// # Errors
    /// The object has no such map.
    #[doc(alias = "bpf_object__find_map_by_name")]
    pub fn map_mut(&mut self, name: &str) -> Result<&mut OpenMap> {
        let mut maps = self.maps.iter_mut();
        maps.find(|map| map.name() == name)
            .ok_or_else(|| Error::Missing(format!("the object has no map `{name}`")))
    }

    /// The parameters of the maps: values that may be chosen although the object is signed.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.maps.iter().flat_map(|map| &map.definition.parameters)
    }

    /// Sets a parameter: a constant, or the size of a map. One that is not set keeps its value in the object.
    ///
    /// # Errors
    /// The object has no such parameter, or the value is not in its range, which the signature covers.
    #[doc(alias = "bpf_map__set_max_entries")]
    pub fn set_parameter(&mut self, name: &str, value: impl Into<i128>) -> Result<&mut Self> {
        let found = self.maps.iter_mut().find_map(|map| {
            let parameter = map.definition.parameters.iter().find(|parameter| parameter.name == name)?;
            Some((parameter.clone(), map))
        });
        let Some((parameter, map)) = found else {
            let names: Vec<_> = self.parameters().map(|parameter| parameter.name.as_str()).collect();
            return Err(Error::Missing(match names[..] {
                [] => format!("the object has no parameter `{name}`, and no other"),
                _ => format!("the object has no parameter `{name}`, only {}", names.join(", ")),
            }));
        };
        Arc::make_mut(&mut map.definition).set_parameter(&parameter, value.into())?;
        map.is_changed = true;
        Ok(self)
    }

    /// The signature that the programs will be loaded with.
    pub fn signature(&self) -> Option<&[u8]> {
        self.signature.as_deref()
    }

    /// Sets the signature that covers the programs, a CMS message or several, in place of the one that was in the file.
    /// Without one, the programs are loaded unsigned.
    pub fn set_signature(&mut self, signature: Option<Vec<u8>>) -> &mut Self {
        self.signature = signature;
        self
    }

    /// Sets where the kernel looks for the signer; [`Keyring::SECONDARY`] by default.
    pub fn set_keyring(&mut self, keyring: Keyring) -> &mut Self {
        self.keyring = keyring;
        self
    }

    /// Sets the attestation of the programs for this kernel, which may take it instead of verifying them.
    pub fn set_attestation(&mut self, attestation: Option<KernelAttestation>) -> &mut Self {
        self.attestation = attestation;
        self
    }

    /// Sets the directory on a BPF file system where maps with `LIBBPF_PIN_BY_NAME` are pinned and found;
    /// [`DEFAULT_PIN_ROOT`] by default.
    #[doc(alias = "pin_root_path")]
    pub fn set_pin_root(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        for map in self.maps.iter_mut().filter(|map| map.definition.pin_by_name) {
            map.pin_path = Some(map.path_in(directory.as_ref()));
        }
        self
    }

    /// A program with its maps as they have been set.
    pub(crate) fn definition<'p>(&self, program: &'p OpenProgram) -> Cow<'p, Program> {
        let mut definition = Cow::Borrowed(&program.definition);
        if program.maps.iter().any(|map| self.maps[*map].is_changed) {
            let slots = program.maps.iter().map(|map| self.maps[*map].definition.clone());
            definition.to_mut().slots = slots.collect();
        }
        definition
    }
}

/// Without a signature.
impl From<&Object> for OpenObject {
    fn from(object: &Object) -> Self {
        let index = |slot| {
            let index = object.maps().iter().position(|map| Arc::ptr_eq(map, slot));
            index.expect("the slots of an object's programs are its maps")
        };
        let programs = object.programs().iter().enumerate().map(|(number, program)| OpenProgram {
            autoload: struct_ops_autoload(object.struct_ops(), number)
                .unwrap_or(!program.section.starts_with('?')),
            definition: program.clone(),
            maps: program.slots.iter().map(index).collect(),
            target: None,
        });
        let maps = object.maps().iter().map(|map| OpenMap {
            definition: map.clone(),
            reused: None,
            pin_path: None,
            is_changed: false,
        });
        let mut open = Self {
            programs: programs.collect(),
            maps: maps.collect(),
            entries: object.entries().to_vec(),
            struct_ops: object.struct_ops().to_vec(),
            btf: object.btf().map(Into::into),
            signature: None,
            keyring: Keyring::default(),
            attestation: None,
        };
        open.set_pin_root(DEFAULT_PIN_ROOT);
        open
    }
}

/// Whether a program is loaded that is in struct_ops tables: if one of them is created.
fn struct_ops_autoload(tables: &[StructOps], program: usize) -> Option<bool> {
    let has_it = |table: &&StructOps| table.members.iter().any(|member| member.program == Some(program));
    tables.iter().filter(has_it).map(|table| table.autocreate).reduce(|one, other| one || other)
}

impl OpenProgram {
    /// The whole name, as the compiler wrote it.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// The section that it is in, which says what it is and where it attaches.
    #[doc(alias = "bpf_program__section_name")]
    pub fn section(&self) -> &str {
        &self.definition.section
    }

    /// Whether it will be loaded.
    #[doc(alias = "bpf_program__autoload")]
    pub fn autoload(&self) -> bool {
        self.autoload
    }

    /// Sets whether it will be loaded: by default, all are but those in a section such as `?xdp`. Of struct_ops, those are
    /// that a table has which is not in `?.struct_ops`.
    #[doc(alias = "bpf_program__set_autoload")]
    pub fn set_autoload(&mut self, autoload: bool) -> &mut Self {
        self.autoload = autoload;
        self
    }

    /// Sets the program in the kernel that a `freplace`, `fentry` or `fexit` program attaches to, and the function
    /// there; without a name, it is the one that the section names. The signature covers the name.
    ///
    /// # Errors
    /// Programs of this kind can't attach to another program.
    #[doc(alias = "bpf_program__set_attach_target")]
    pub fn set_attach_target(
        &mut self,
        program: BorrowedFd<'_>,
        function: Option<&str>,
    ) -> Result<&mut Self> {
        if self.definition.attach_to_program(function).is_err() {
            let problem = "only fentry, fexit and freplace programs can attach to a program";
            return Err(Error::Invalid(problem.to_owned()).in_program(self.name()));
        }
        self.target = Some(program.try_clone_to_owned().map_err(Error::system("the program to attach to"))?);
        Ok(self)
    }
}

impl OpenMap {
    /// The whole name, as the compiler wrote it; of global data, its section.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// Its definition.
    pub fn definition(&self) -> &MapDefinition {
        &self.definition
    }

    /// The initial value of global data, to change variables of `.data` and `.bss`; none for other maps. That of
    /// `.rodata` is covered by the signature, but for [parameters](OpenObject::set_parameter).
    #[doc(alias = "bpf_map__initial_value")]
    pub fn initial_value_mut(&mut self) -> Option<&mut [u8]> {
        if !self.definition.name.starts_with('.') {
            return None;
        }
        self.is_changed = true;
        let definition = Arc::make_mut(&mut self.definition);
        definition.contents.resize(definition.value_size as usize, 0);
        Some(&mut definition.contents)
    }

    /// Uses a map that exists instead of creating one.
    ///
    /// # Errors
    /// It is not a map, or its definition is another one.
    #[doc(alias = "bpf_map__reuse_fd")]
    pub fn reuse(&mut self, map: BorrowedFd<'_>) -> Result<&mut Self> {
        crate::maps::check_same(map, &self.definition).map_err(|error| error.in_map(self.name()))?;
        let map = map.try_clone_to_owned().map_err(Error::system("the map to reuse"))?;
        self.reused = Some(map);
        Ok(self)
    }

    /// Where it will be pinned, or found if there is one.
    #[doc(alias = "bpf_map__pin_path")]
    pub fn pin_path(&self) -> Option<&Path> {
        self.pin_path.as_deref()
    }

    /// Sets where on a BPF file system it will be pinned, or found if there is one; nowhere with `None`.
    #[doc(alias = "bpf_map__set_pin_path")]
    pub fn set_pin_path(&mut self, path: Option<PathBuf>) -> &mut Self {
        self.pin_path = path;
        self
    }

    fn path_in(&self, directory: &Path) -> PathBuf {
        directory.join(crate::pin::file_name(self.name()))
    }
}
