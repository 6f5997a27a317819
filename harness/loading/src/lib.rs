//! Loads signed eBPF objects into the Linux kernel.
//!
//! Data flows one way: an object's maps are created, its programs are loaded onto them.

#![cfg(target_os = "linux")]

mod arena;
mod attach;
mod build_id;
mod gen_loader;
mod info;
mod kconfig;
mod kernel_btf;
pub mod keyring;
mod libbpf;
mod loader;
mod log;
mod maps;
mod object;
mod perf_event;
mod pin;
mod prog_load;
mod programs;
pub mod stopwatch;
mod struct_ops;
mod syscall;
pub mod sysctl;
mod target;
mod test_run;

pub use attach::{Hooks, Link};
pub use build_id::build_id;
pub use info::{Jited, jited, jited_size, map_id, map_ids, program_id, xlated};
pub use libbpf::{load_btf, map_freeze, map_update, pinned, program_by_id};
pub use loader::{Installed, Loader};
pub use log::Log;
pub use maps::{create_map, create_maps};
pub use object::{LoadOptions, LoadedMap, LoadedObject, LoadedProgram, Refused};
pub use pin::Pins;
pub use prog_load::{Attest, LoadContext, PreparedLoad};
pub use programs::{Attested, Origin, ProgramInfo, Signature, facts, programs};
pub use syscall::{ProgLoad, prog_load};
pub use target::LoadTarget;
pub use test_run::{TestRun, test_run};
