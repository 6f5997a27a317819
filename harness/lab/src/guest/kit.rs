//! What programs need before they can be loaded.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use bpfsig_loading::raw::{self, LoadContext, LoadTarget};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;

/// What the programs of an object need before they can be loaded.
pub(super) struct Kit<'a> {
    btf: Option<OwnedFd>,
    maps: Vec<(&'a MapDefinition, OwnedFd)>,
}

impl<'a> Kit<'a> {
    /// Loads the BTF that they share and creates their maps.
    ///
    /// # Errors
    /// The kernel refuses one of them.
    pub(super) fn new(programs: &[&'a Program]) -> Result<Self> {
        let btf = programs.iter().find_map(|program| program.btf.as_deref());
        let btf = btf.map(raw::load_btf).transpose().context("loading the BTF")?;
        let mut maps: Vec<(&MapDefinition, OwnedFd)> = Vec::new();
        for slot in programs.iter().flat_map(|program| &program.slots) {
            if maps.iter().all(|(map, _)| **map != **slot) {
                maps.push((slot, raw::create_map(slot, btf.as_ref().map(AsFd::as_fd))?));
            }
        }
        Ok(Kit { btf, maps })
    }

    /// For a load of one of the programs; unsigned.
    pub(super) fn context<'b>(&'b self, program: &Program, target: &'b LoadTarget) -> LoadContext<'b> {
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
