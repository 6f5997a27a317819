//! The commands that need Linux.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

mod attest;
mod bench;
mod deny;
mod guest;
mod kernel;
mod listing;
mod load;
mod policy;
mod ps;
mod report;
mod trust;
mod vm;

#[derive(Subcommand)]
pub enum Command {
    Load(load::Options),
    Ps(ps::Options),
    Attest(attest::Options),
    #[command(subcommand)]
    Trust(trust::Command),
    Deny(deny::Options),
    Policy(policy::Options),
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
        Command::Load(options) => load::run(options)?,
        Command::Ps(options) => ps::run(options)?,
        Command::Attest(options) => attest::run(options)?,
        Command::Trust(command) => trust::run(command)?,
        Command::Deny(options) => deny::run(options)?,
        Command::Policy(options) => policy::run(options)?,
        Command::Bench(options) => bench::run(options)?,
        Command::Report(options) => report::run(&options)?,
        Command::Kernel(command) => kernel::run(command)?,
        Command::Vm(options) => return vm::run(options),
        Command::Guest(command) => guest::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}
