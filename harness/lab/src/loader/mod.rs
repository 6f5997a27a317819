//! Loader programs: what mainline signs in place of programs (`Documentation/bpf/signing.rst` of Linux 7.3).
//!
//! A loader makes the system calls that load an object, from inside the kernel. What it loads lies in its metadata map.
//! That map is frozen and exclusive, which means that no other program can be loaded with it.

mod generate;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use bpfsig_loading::raw::{Log, MapCreate, STATS, map_create, map_freeze, map_update, owned, test_run};
use bpfsig_signing::names;
use bpfsig_signing::program::Program;
use bpfsig_signing::uapi::map_type;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// `struct bpf_loader_ctx` of libbpf's `skel_internal.h`; the maps and the programs follow it.
const CONTEXT_SIZE: usize = 24;
/// `struct bpf_map_desc`: the file descriptor, and what a caller may set of the map: nothing, if it is 0.
const MAP_SIZE: usize = 16;
/// `struct bpf_prog_desc`: the file descriptor.
const PROGRAM_SIZE: usize = 4;

/// A loader program, and what it loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loader {
    /// The program; it refers to its map by the index 0, but has no slot for it.
    pub program: Program,
    /// What is in its map.
    pub metadata: Vec<u8>,
    /// How many maps it creates.
    maps: usize,
    /// How many programs it loads.
    programs: usize,
}

/// What a loader has loaded.
#[derive(Debug)]
pub struct Installed {
    /// The maps of the object, in its order.
    pub maps: Vec<OwnedFd>,
    /// The programs, in the order of the object.
    pub programs: Vec<OwnedFd>,
}

impl Loader {
    /// What the signature is over: the instructions, and what is in the map.
    pub fn signed_bytes(&self) -> Vec<u8> {
        [&self.program.insns[..], &self.metadata].concat()
    }

    /// Creates the map, which is good for this loader alone, fills it and freezes it.
    ///
    /// # Errors
    /// The kernel refuses the map.
    pub fn create_map(&self) -> Result<OwnedFd> {
        let digest: [u8; 32] = Sha256::digest(&self.program.insns).into();
        let map = map_create(&MapCreate {
            map_type: map_type::ARRAY,
            key_size: size_of::<u32>() as u32,
            value_size: self.metadata.len() as u32,
            max_entries: 1,
            map_name: names::padded("__loader.map"),
            excl_prog_hash: digest.as_ptr() as u64,
            excl_prog_hash_size: digest.len() as u32,
            ..MapCreate::default()
        });
        let map = map.context("creating the map of the loader")?;
        // SAFETY: the map has been created with keys and values of these sizes.
        unsafe { map_update(map.as_fd(), &0u32.to_ne_bytes(), &self.metadata) }
            .context("filling the map of the loader")?;
        map_freeze(map.as_fd()).context("freezing the map of the loader")?;
        Ok(map)
    }

    /// Runs the loader. The kernel writes to `log` for each program anew.
    ///
    /// # Errors
    /// The kernel refuses what the loader asks for.
    pub fn run(&self, loader: BorrowedFd<'_>, log: &mut Log) -> io::Result<Installed> {
        let size = CONTEXT_SIZE + self.maps * MAP_SIZE + self.programs * PROGRAM_SIZE;
        let mut context = vec![0; size];
        let (log_address, log_size) = log.clear();
        context[0..4].copy_from_slice(&(size as u32).to_ne_bytes());
        context[8..12].copy_from_slice(&STATS.to_ne_bytes());
        context[12..16].copy_from_slice(&log_size.to_ne_bytes());
        context[16..24].copy_from_slice(&log_address.to_ne_bytes());
        let run = test_run(loader, &[], &context)?;
        let result = run.retval as i32;
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        let (maps, programs) = run.context[CONTEXT_SIZE..].split_at(self.maps * MAP_SIZE);
        let fds = |descriptions: &[u8], size| -> Vec<OwnedFd> {
            let fd = |description: &[u8]| description.first_chunk().map(|fd| i32::from_ne_bytes(*fd));
            descriptions.chunks(size).filter_map(fd).map(owned).collect()
        };
        Ok(Installed { maps: fds(maps, MAP_SIZE), programs: fds(programs, PROGRAM_SIZE) })
    }
}
