//! Builds, boots and measures a kernel that checks the signature of eBPF programs.

mod bench;
pub mod bpf;
pub mod cli;
pub mod corpus;
mod engine;
mod guest;
mod install;
mod interrupt;
pub mod kernel;
mod progress;
mod report;
