//! Builds, boots and measures a kernel that checks the signature of eBPF programs, and signs them.
//!
//! All of it needs Linux, but for the commands that sign and verify.

#[cfg(target_os = "linux")]
pub mod approve_list;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
pub mod bpf;
pub mod cli;
#[cfg(target_os = "linux")]
pub mod corpus;
#[cfg(target_os = "linux")]
mod dos;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod group;
#[cfg(target_os = "linux")]
mod guest;
#[cfg(target_os = "linux")]
mod install;
mod interrupt;
#[cfg(target_os = "linux")]
pub mod kernel;
#[cfg(target_os = "linux")]
mod progress;
#[cfg(target_os = "linux")]
mod report;
