//! `bpfsig`: builds, boots and measures a kernel that checks the signature of eBPF programs.

mod cli;
#[allow(dead_code)]
mod corpus;
mod interrupt;
mod kernel;
mod progress;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
