//! The commands for the kernel that runs.

mod deny;
pub mod keyrings;
mod listing;
mod load;
mod policy;
mod ps;
mod trust;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    Load(load::Options),
    Ps(ps::Options),
    #[command(subcommand)]
    Trust(trust::Command),
    Deny(deny::Options),
    Policy(policy::Options),
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Load(options) => load::run(options),
        Command::Ps(options) => ps::run(options),
        Command::Trust(command) => trust::run(command),
        Command::Deny(options) => deny::run(options),
        Command::Policy(options) => policy::run(options),
    }
}
