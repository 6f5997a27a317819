//! What a program needs before it can be loaded.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use bpfsig_signing::program::Program;

use crate::bpf::{self, LoadContext, LoadTarget};

/// What a program needs before it can be loaded.
pub(super) struct Resources {
    btf: Option<OwnedFd>,
    maps: Vec<OwnedFd>,
    target: LoadTarget,
}

impl Resources {
    /// Loads the program's BTF, creates its maps and looks up what it attaches to.
    ///
    /// # Errors
    /// The kernel refuses one of them, or has no such target.
    pub(super) fn of(program: &Program) -> Result<Resources> {
        let btf = program.btf.as_deref().map(bpf::load_btf).transpose();
        let btf = btf.with_context(|| format!("loading the BTF of {}", program.name))?;
        let maps =
            bpf::create_maps(program, btf.as_ref().map(AsFd::as_fd)).with_context(|| program.name.clone())?;
        let target = LoadTarget::of(program, None)?;
        Ok(Resources { btf, maps, target })
    }

    /// For a load of the program; unsigned.
    pub(super) fn context(&self) -> LoadContext<'_> {
        LoadContext {
            btf: self.btf.as_ref().map(AsFd::as_fd),
            maps: self.maps.iter().map(AsFd::as_fd).collect(),
            target: Some(&self.target),
            ..LoadContext::default()
        }
    }
}
