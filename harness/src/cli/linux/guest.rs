//! `bpfsig guest`: what `bpfsig bench` runs inside the virtual machine.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::guest::{self, Plan, dos};

/// What runs inside the virtual machine
#[derive(Subcommand)]
pub enum Command {
    /// Measure loads
    Loads(Files),
    /// Attack the kernel
    Dos(Files),
}

#[derive(Args)]
pub struct Files {
    /// The job that the host has written
    job: PathBuf,
    /// Where to leave the outcome
    result: PathBuf,
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Loads(Files { job, result }) => guest::run::<Plan>(&job, &result),
        Command::Dos(Files { job, result }) => guest::run::<dos::Job>(&job, &result),
    }
}
