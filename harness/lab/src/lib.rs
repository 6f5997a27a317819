//! Builds, boots and measures a kernel that checks the signature of eBPF programs.

#![cfg(target_os = "linux")]

pub mod approve_list;
pub mod bench;
pub mod corpus;
pub mod dos;
pub mod engine;
mod group;
pub mod guest;
pub mod interrupt;
pub mod kernel;
pub mod loader;
pub mod progress;
pub mod report;
