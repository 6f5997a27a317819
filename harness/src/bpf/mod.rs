//! The kernel's side of a signed load: the `bpf(2)` system call, its own BTF, its keyrings.

pub mod kernel_btf;
pub mod keyring;
mod prog_load;
mod syscall;

pub use prog_load::{PreparedLoad, SECONDARY_KEYRING};
pub use syscall::{ProgLoad, jited_size, load_btf, prog_load};
