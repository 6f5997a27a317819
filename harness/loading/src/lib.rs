//! Loads signed eBPF objects into the Linux kernel.
//!
//! An application depends on this crate beside [libbpf-rs](https://docs.rs/libbpf-rs): this one opens an object, loads it
//! with its signature and attaches it; libbpf-rs reads the maps then, from their ids or from where they are pinned. An
//! object goes through two states, as in libbpf: in an [`OpenObject`] programs and maps can still be chosen and set, a
//! [`LoadedObject`] is in the kernel.
//!
//! ```no_run
//! use bpfsig_loading::{Hooks, OpenObject, signatures_supported};
//!
//! # fn main() -> bpfsig_loading::Result<()> {
//! let mut object = OpenObject::open_file("acl.bpf.o")?; // with the signature that `bpfsig sign --embed` put there
//! object.program_mut("debug")?.set_autoload(false);
//! if let Some(data) = object.map_mut(".data")?.initial_value_mut() {
//!     data[..4].copy_from_slice(&1500u32.to_ne_bytes());
//! }
//! if !signatures_supported() {
//!     object.set_signature(None);
//! }
//! let object = object.load()?;
//! let _links = object.attach(&Hooks::new().device("eth0")?)?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything that can fail returns an [`Error`] that says what failed, of which program or map, and why. The kernel's
//! own line about a refused signature is in it.
//!
//! [`ProgramInfo`] says who signed a loaded program, and [`keyring`] whom the kernel trusts.

#![cfg(target_os = "linux")]

mod arena;
mod attach;
mod build_id;
mod error;
mod info;
mod kconfig;
mod kernel_btf;
pub mod keyring;
mod libbpf;
mod load;
mod loaded_object;
mod maps;
mod open_object;
mod pin;
mod prog_load;
mod program_info;
pub mod raw;
mod stopwatch;
mod struct_ops;
mod syscall;
pub mod sysctl;
mod target;
mod test_run;
mod verifier_log;

pub use attach::{Hooks, Link};
pub use build_id::build_id;
pub use error::{Error, Refused, Result};
pub use libbpf::program_by_id;
pub use load::{demand_signatures, signatures_supported};
pub use loaded_object::{LoadedMap, LoadedObject, LoadedProgram};
pub use open_object::{DEFAULT_PIN_ROOT, OpenMap, OpenObject, OpenProgram};
pub use pin::{Pins, pinned};
pub use program_info::{Attested, Origin, ProgramInfo, Signature, programs};
