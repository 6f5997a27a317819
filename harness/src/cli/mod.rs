//! The command line: one file per command, each with its arguments and a `run`.

mod bench;
mod deny;
mod files;
mod guest;
mod inspect;
mod kernel;
mod keygen;
mod listing;
mod load;
mod package;
mod policy;
mod ps;
mod sign;
mod signer;
mod trust;
mod verify;
mod vm;

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
    Bench(bench::Options),
    #[command(subcommand)]
    Kernel(kernel::Command),
    #[command(subcommand)]
    Keygen(keygen::Command),
    Sign(sign::Options),
    Verify(verify::Options),
    Inspect(inspect::Options),
    Load(load::Options),
    #[command(subcommand)]
    Package(package::Command),
    Ps(ps::Options),
    #[command(subcommand)]
    Trust(trust::Command),
    Deny(deny::Options),
    Policy(policy::Options),
    Vm(vm::Options),
    #[command(subcommand, hide = true)]
    Guest(guest::Command),
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
        Command::Bench(options) => bench::run(options)?,
        Command::Kernel(command) => kernel::run(command)?,
        Command::Keygen(command) => keygen::run(command)?,
        Command::Sign(options) => sign::run(options)?,
        Command::Verify(options) => verify::run(options)?,
        Command::Inspect(options) => inspect::run(options)?,
        Command::Load(options) => load::run(options)?,
        Command::Package(command) => package::run(command)?,
        Command::Ps(options) => ps::run(options)?,
        Command::Trust(command) => trust::run(command)?,
        Command::Deny(options) => deny::run(options)?,
        Command::Policy(options) => policy::run(options)?,
        Command::Vm(options) => return vm::run(options),
        Command::Guest(command) => guest::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}
