//! Builds, boots and measures a kernel that checks the signature of eBPF programs.

pub mod bpf;
pub mod cli;
pub mod corpus;
mod interrupt;
pub mod kernel;
mod progress;
