//! The command line: one file per command, each with its arguments and a `run`.

mod files;
mod inspect;
mod kernel;
mod keygen;
mod sign;
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
    Kernel(kernel::Command),
    #[command(subcommand)]
    Keygen(keygen::Command),
    Sign(sign::Options),
    Verify(verify::Options),
    Inspect(inspect::Options),
}

/// Runs the command that the arguments name.
///
/// Exit codes: 0 success, 1 failure, 2 wrong usage (clap), 130 interrupted.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
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

fn execute(command: Command) -> Result<()> {
    interrupt::install().context("cannot listen for Ctrl-C")?;
    match command {
        Command::Kernel(command) => kernel::run(command),
        Command::Keygen(command) => keygen::run(command),
        Command::Sign(options) => sign::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Inspect(options) => inspect::run(options),
    }
}
