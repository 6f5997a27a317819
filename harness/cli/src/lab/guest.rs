//! `bpfsig guest`: what `bpfsig bench` runs inside the virtual machine.

use std::path::PathBuf;

use anyhow::Result;
use bpfsig_lab::guest::{self, Export, Plan, Survey, dos};
use clap::{Args, Subcommand};

/// What runs inside the virtual machine
#[derive(Subcommand)]
pub enum Command {
    /// Measure loads
    Loads(Files),
    /// Attack the kernel
    Dos(Files),
    /// Verify programs, for what the kernel learns about them
    Export(Files),
    /// Find out which programs can be loaded
    Survey(Files),
    /// Be the first process of user-mode Linux
    Init {
        /// The directory of the host that is shared
        share: PathBuf,
        /// What to run
        script: PathBuf,
    },
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
        Command::Export(Files { job, result }) => guest::run::<Export>(&job, &result),
        Command::Survey(Files { job, result }) => guest::run::<Survey>(&job, &result),
        Command::Init { share, script } => match guest::init(&share, &script)? {},
    }
}
