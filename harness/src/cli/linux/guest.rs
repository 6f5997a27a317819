//! `bpfsig guest run`: what `bpfsig bench` runs inside the virtual machine.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::guest;

/// What runs inside the virtual machine
#[derive(Subcommand)]
pub enum Command {
    /// Carry out a plan of measurements
    Run {
        /// The plan that the host has written
        plan: PathBuf,
        /// Where to leave the results
        result: PathBuf,
    },
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Run { plan, result } => guest::run(&plan, &result),
    }
}
