//! Reports what loads eBPF programs on a machine, and makes policies that grant loads.
//!
//! ```text
//! kernel ── report.bpf.c ──> Load, Load, … ──> Report ──> Policy, which a person edits ──> policy.bpf.c, to be signed
//! ```
//!
//! Both programs are LSM programs, on the kernel's hook for loads. A [`Policy`] is data: a table of digests and a table of
//! classes, in the constants of a program that is always the same.

#![cfg(target_os = "linux")]

mod attach_type;
mod error;
mod load;
mod object;
mod policy;
mod report;
mod watch;

pub use error::{Error, Result};
pub use load::{Capabilities, Load};
pub use object::{compile, decompile};
pub use policy::{Class, Policy, Program};
pub use report::{Entry, Report};
pub use watch::Watch;
