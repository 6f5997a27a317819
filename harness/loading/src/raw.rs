//! The system calls of a load, one by one: for tools that measure or test the kernel. Applications need none of this.

pub use crate::info::{Jited, jited, jited_size, map_id, map_ids, program_id, xlated};
pub use crate::libbpf::{check, load_btf, map_freeze, map_update};
pub use crate::maps::{create as create_map, create_all as create_maps};
pub use crate::prog_load::{Attest, LoadContext, PreparedLoad};
pub use crate::program_info::facts;
pub use crate::syscall::{MapCreate, ProgLoad, map_create, owned, prog_load};
pub use crate::target::LoadTarget;
pub use crate::test_run::{TestRun, test_run};
pub use crate::verifier_log::{Log, STATS};

pub mod stopwatch {
    //! The time that the system calls of a load take.
    pub use crate::stopwatch::elapsed;
}
