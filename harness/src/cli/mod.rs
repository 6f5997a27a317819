//! The command line: one file per command, each with its arguments and a `run`.
//!
//! The commands here need no kernel and run on any system; those in `linux/` are for a kernel that runs or is built.

mod files;
mod inspect;
mod keygen;
#[cfg(target_os = "linux")]
mod linux;
mod package;
mod sign;
mod signature;
mod signer;
mod verify;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::interrupt::{self, Interrupted};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(subcommand)]
    Keygen(keygen::Command),
    Sign(sign::Options),
    Verify(verify::Options),
    Inspect(inspect::Options),
    #[command(subcommand)]
    Package(package::Command),
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    Linux(linux::Command),
}

/// Runs the command that the arguments name.
///
/// Exit codes: 0 success, 1 failure, 2 wrong usage (clap), 130 interrupted.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("bpfsig: interrupted");
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            eprintln!("bpfsig: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<ExitCode> {
    interrupt::install().context("cannot listen for Ctrl-C")?;
    match command {
        Command::Keygen(command) => keygen::run(command)?,
        Command::Sign(options) => sign::run(options)?,
        Command::Verify(options) => verify::run(options)?,
        Command::Inspect(options) => inspect::run(options)?,
        Command::Package(command) => package::run(command)?,
        #[cfg(target_os = "linux")]
        Command::Linux(command) => return linux::run(command),
    }
    Ok(ExitCode::SUCCESS)
}
