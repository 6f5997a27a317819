//! Signs eBPF programs, on any platform.
//!
//! Data flows one way:
//!
//! ```text
//! ELF file → object::Object → program::Program → description::Description → manifest::Manifest
//!                                        → statement::Statement → cms → signature → package
//! facts::Facts → attestation::Attestation ────────────────┘
//! ```
//!
//! The formats are specified in `kernel-patch/README.md`; the Linux kernel builds the same manifest from what
//! `BPF_PROG_LOAD` hands it. Nothing in this crate uses a Unix API or libbpf.

pub mod artifact;
pub mod attestation;
pub mod authenticode;
pub mod btf;
pub mod certificate;
pub mod choices;
pub mod cms;
pub mod description;
pub mod difference;
mod digest;
pub mod embed;
mod error;
pub mod facts;
mod fields;
pub mod insn;
pub mod key;
pub mod manifest;
pub mod map;
pub mod names;
pub mod object;
mod oid;
pub mod package;
pub mod parameter;
pub mod pe;
mod pem;
pub mod program;
pub mod signature;
pub mod slot;
pub mod statement;
pub mod timestamp;
pub mod trust;
pub mod uapi;

pub use digest::Digest;
pub use error::{Error, Result};
