//! The `bpfsig` command.
//!
//! The commands here sign and verify, on any system; those in `linux/` load into the kernel that runs, those in `lab/` build
//! kernels and measure.

mod closed_pipe;
mod command;
mod files;
mod generate;
mod inspect;
#[cfg(target_os = "linux")]
mod install;
mod interrupt;
mod keygen;
#[cfg(all(feature = "lab", target_os = "linux"))]
mod lab;
#[cfg(target_os = "linux")]
mod linux;
mod package;
mod pair;
mod sign;
mod signature;
mod signer;
mod timestamp;
mod verify;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    closed_pipe::catch(|| command::run(command::Cli::parse()))
}
