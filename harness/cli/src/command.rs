//! The command line: one file per command, each with its arguments and a `run`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};

#[cfg(all(feature = "lab", target_os = "linux"))]
use crate::lab;
#[cfg(target_os = "linux")]
use crate::linux;
use crate::{generate, inspect, interrupt, keygen, package, sign, timestamp, verify};

/// Sign eBPF programs, load what is signed, and measure what the kernel's check costs
#[derive(Parser)]
#[command(version = env!("BPFSIG_VERSION"))]
pub struct Cli {
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
    Timestamp(timestamp::Command),
    #[command(subcommand)]
    Package(package::Command),
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    Linux(linux::Command),
    #[cfg(all(feature = "lab", target_os = "linux"))]
    #[command(flatten)]
    Lab(lab::Command),
    Completions(generate::Completions),
    #[command(hide = true)]
    Man(generate::Man),
}

/// Runs the command that the arguments name.
///
/// Exit codes: 0 success, 1 failure, 2 wrong usage (clap), 130 interrupted, 141 nobody read the output.
pub fn run(cli: Cli) -> ExitCode {
    match execute(cli.command) {
        Ok(code) => code,
        Err(error) if interrupt::caused(&error) => {
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
        Command::Timestamp(command) => timestamp::run(command)?,
        Command::Package(command) => package::run(command)?,
        #[cfg(target_os = "linux")]
        Command::Linux(command) => linux::run(command)?,
        #[cfg(all(feature = "lab", target_os = "linux"))]
        Command::Lab(command) => return lab::run(command),
        Command::Completions(options) => generate::completions(options, Cli::command())?,
        Command::Man(options) => generate::man(options, Cli::command())?,
    }
    Ok(ExitCode::SUCCESS)
}
