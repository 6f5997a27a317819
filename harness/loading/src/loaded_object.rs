//! An object in the kernel: its maps, which its programs share, and its programs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU32;

use crate::error::{Error, Result};
use crate::struct_ops::Table;

/// An object in the kernel. What is not pinned or attached goes away with it.
#[doc(alias = "bpf_object")]
#[derive(Debug)]
#[non_exhaustive]
pub struct LoadedObject {
    /// The maps, in the object's order; those of struct_ops last.
    pub maps: Vec<LoadedMap>,
    /// The programs, in the object's order, without those that were not to be loaded.
    pub programs: Vec<LoadedProgram>,
    /// Why the kernel has refused the attestation; it has verified the programs then.
    pub attestation_refused: Option<String>,
    /// The first description of a USDT that has not been used yet.
    pub(crate) next_usdt: AtomicU32,
}

/// A map in the kernel.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoadedMap {
    /// The whole name, as the object has it.
    pub name: String,
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// It is a struct_ops that a link attaches (`SEC(".struct_ops.link")`).
    pub is_link: bool,
    /// The map.
    pub fd: OwnedFd,
    /// What it is to be filled with, if it is a struct_ops.
    pub(crate) table: Option<Table>,
}

/// A program in the kernel.
#[derive(Debug)]
#[non_exhaustive]
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

impl LoadedObject {
    /// A program by its whole name.
    #[doc(alias = "bpf_object__find_program_by_name")]
    pub fn program(&self, name: &str) -> Option<&LoadedProgram> {
        self.programs.iter().find(|program| program.name == name)
    }

    /// A map by its whole name; global data by its section.
    #[doc(alias = "bpf_object__find_map_by_name")]
    pub fn map(&self, name: &str) -> Option<&LoadedMap> {
        self.maps.iter().find(|map| map.name == name)
    }
}

impl LoadedProgram {
    /// The kernel's number of the program, as `libbpf_rs::ProgramHandle::from_program_id` takes it.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn id(&self) -> Result<u32> {
        let id = crate::info::program_id(self.fd.as_fd());
        id.map(|(id, _)| id).map_err(Error::system("its id")).map_err(|error| error.in_program(&self.name))
    }
}

impl LoadedMap {
    /// The kernel's number of the map, as `libbpf_rs::MapHandle::from_map_id` takes it.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn id(&self) -> Result<u32> {
        let id = crate::info::map_id(self.fd.as_fd());
        id.map_err(Error::system("its id")).map_err(|error| error.in_map(&self.name))
    }
}

impl AsFd for LoadedProgram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsFd for LoadedMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
