//! The approve-list, which was proposed instead of signatures: it trusts loaders instead of programs.
//!
//! ```text
//! executable → Disk → verity: digest → ApproveList: the map of an LSM program that refuses all other loaders
//! ```

mod disk;
mod verity;

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use bpfsig_loading::raw::map_freeze;
use libbpf_rs::{Link, MapCore, MapFlags, ObjectBuilder};

use crate::corpus;

pub use disk::Disk;
pub use verity::{Digest, seal};

/// The object in `progs/`, its program and its list.
const NAME: &str = "lsm_approve_list";
const LIST: &str = "approved_loader";

/// Lets only listed programs load eBPF programs, until this value goes away.
#[derive(Debug)]
pub struct ApproveList {
    /// The attached LSM program. The list is enforced for as long as it is attached.
    pub link: Link,
}

impl ApproveList {
    /// From now on, lets only executables with these digests load programs. The list is frozen.
    ///
    /// # Errors
    /// The kernel has no LSM programs or no fs-verity, or refuses this program: because a list is being enforced, say.
    pub fn enforce(approved: &[Digest]) -> Result<Self> {
        let (_, bytes) = corpus::objects().find(|(name, _)| *name == NAME).context(NAME)?;
        // libbpf, not our loader: a kernel without the patches can't look up the functions that the program calls.
        let open = ObjectBuilder::default().name(NAME)?.open_memory(bytes).context(NAME)?;
        let object = open.load().with_context(|| format!("loading {NAME}"))?;
        let list = object.maps().find(|map| map.name() == LIST).context(LIST)?;
        for digest in approved {
            list.update(&digest.to_bytes(), &[1], MapFlags::ANY).context(LIST)?;
        }
        map_freeze(list.as_fd()).context(LIST)?;
        let program = object.progs_mut().find(|program| program.name() == NAME).context(NAME)?;
        let link = program.attach_lsm().with_context(|| format!("attaching {NAME}"))?;
        Ok(Self { link })
    }
}
