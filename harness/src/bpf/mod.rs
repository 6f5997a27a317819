//! The kernel's side of a signed load: the `bpf(2)` system call, its own BTF, its keyrings.

pub mod kernel_btf;
pub mod keyring;
mod maps;
mod prog_load;
mod syscall;

pub use maps::{create_map, create_maps};
pub use prog_load::{PreparedLoad, SECONDARY_KEYRING};
pub use syscall::{ProgLoad, jited_size, load_btf, map_freeze, map_id, map_ids, map_update, prog_load};
