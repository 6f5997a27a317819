//! The commands that build kernels, boot them and measure.

mod attest;
mod bench;
mod bench_output;
mod guest;
mod kernel;
mod report;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    Attest(attest::Options),
    Bench(bench::Options),
    Report(report::Options),
    #[command(subcommand)]
    Kernel(kernel::Command),
    Vm(vm::Options),
    #[command(subcommand, hide = true)]
    Guest(guest::Command),
}

pub fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Attest(options) => attest::run(options)?,
        Command::Bench(options) => bench::run(options)?,
        Command::Report(options) => report::run(&options)?,
        Command::Kernel(command) => kernel::run(command)?,
        Command::Vm(options) => return vm::run(options),
        Command::Guest(command) => guest::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}
