//! `bpfsig`: builds, boots and measures a kernel that checks the signature of eBPF programs.

mod bench;
mod cli;
mod corpus;
mod engine;
mod guest;
mod interrupt;
mod kernel;
mod progress;
mod report;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
