//! Signs eBPF programs, on any platform.
//!
//! Data flows one way:
//!
//! ```text
//! ELF file → object::Object → program::Program → manifest::Manifest → statement::Statement → cms
//! ```
//!
//! The formats are specified in `kernel-patch/README.md`; the Linux kernel builds the same manifest from what
//! `BPF_PROG_LOAD` hands it. Nothing in this crate uses a Unix API or libbpf.

pub mod insn;
pub mod manifest;
pub mod object;
pub mod program;
