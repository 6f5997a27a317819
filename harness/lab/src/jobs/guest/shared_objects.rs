//! The BTF and the maps of programs that are to be loaded.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use bpfsig_loading::raw::{self, LoadContext, LoadTarget};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;

/// Objects in the kernel that the programs of an ELF object share: their BTF and their maps.
pub struct SharedObjects<'a> {
    btf: Option<OwnedFd>,
    maps: Vec<(&'a MapDefinition, OwnedFd)>,
}

impl<'a> SharedObjects<'a> {
    /// Loads the BTF and creates the maps of these programs.
    ///
    /// # Errors
    /// The kernel refuses one of them.
    pub fn new(programs: &[&'a Program]) -> Result<Self> {
        let btf = programs.iter().find_map(|program| program.btf.as_deref());
        let btf = btf.map(raw::load_btf).transpose().context("loading the BTF")?;
        let mut maps: Vec<(&MapDefinition, OwnedFd)> = Vec::new();
        for slot in programs.iter().flat_map(|program| &program.slots) {
            if maps.iter().all(|(map, _)| **map != **slot) {
                maps.push((slot, raw::create_map(slot, btf.as_ref().map(AsFd::as_fd))?));
            }
        }
        Ok(SharedObjects { btf, maps })
    }

    /// For a load of one of the programs; unsigned.
    pub fn context<'b>(&'b self, program: &Program, target: &'b LoadTarget) -> LoadContext<'b> {
        LoadContext {
            btf: self.btf.as_ref().filter(|_| program.btf.is_some()).map(AsFd::as_fd),
            maps: self.maps_of(program),
            target: Some(target),
            ..LoadContext::default()
        }
    }

    /// The maps of a program, in the order of its slots.
    fn maps_of(&self, program: &Program) -> Vec<BorrowedFd<'_>> {
        let map = |slot: &MapDefinition| self.maps.iter().find(|(map, _)| **map == *slot);
        program.slots.iter().filter_map(|slot| map(slot)).map(|(_, fd)| fd.as_fd()).collect()
    }
}
