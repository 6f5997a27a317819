//! The kernel's side of a signed load.
//!
//! Data flows one way: an object's maps are created, its programs are loaded onto them.

mod info;
pub mod keyring;
mod libbpf;
mod maps;
mod object;
mod prog_load;
mod syscall;
mod target;
mod test_run;

pub use info::{jited_size, map_id, map_ids, program_id, xlated};
pub use libbpf::{load_btf, map_freeze, map_update};
pub use maps::{create_map, create_maps};
pub use object::{LoadOptions, LoadedMap, LoadedObject, LoadedProgram, Refused};
pub use prog_load::{LoadContext, PreparedLoad};
pub use syscall::{ProgLoad, prog_load};
pub use target::LoadTarget;
pub use test_run::{TestRun, test_run};
