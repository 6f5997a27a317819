//! Builds, boots and measures a kernel that checks the signature of eBPF programs.
//!
//! Each module uses only modules above it:
//!
//! ```text
//! cache_dir, interrupt, process_group, output_file, progress
//! kernel        builds kernels
//! engine        boots them: the machines that jobs run in
//! corpus        the programs to measure
//! loader        mainline's way: a program that loads them
//! approve_list  the rival to signatures
//! scenario      the table of what is measured
//! results       the schema of what was measured
//! jobs          what a machine is told to do: measure, attack, export, probe
//! bench         whole runs: one job after the other, results kept as they come
//! analysis      what follows from results
//! report        the same for people
//! ```

#![cfg(target_os = "linux")]

pub mod analysis;
pub mod approve_list;
pub mod bench;
mod cache_dir;
pub mod corpus;
pub mod engine;
pub mod interrupt;
pub mod jobs;
pub mod kernel;
pub mod loader;
pub mod output_file;
mod process_group;
pub mod progress;
pub mod report;
pub mod results;
pub mod scenario;
