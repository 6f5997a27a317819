//! `bpfsig guest`: what `bpfsig bench` runs inside the virtual machine.

use std::path::PathBuf;

use anyhow::Result;
use bpfsig_lab::engine;
use bpfsig_lab::jobs;
use bpfsig_lab::jobs::attack::AttackJob;
use bpfsig_lab::jobs::export::Export;
use bpfsig_lab::jobs::measure::Plan;
use bpfsig_lab::jobs::probe::Probe;
use clap::{Args, Subcommand};

/// What runs inside the virtual machine
#[derive(Subcommand)]
pub enum Command {
    /// Measure loads
    Measure(Files),
    /// Attack the kernel
    Attack(Files),
    /// Verify programs, and export what the kernel learns about them
    Export(Files),
    /// Find out which programs can be loaded
    Probe(Files),
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
        Command::Measure(Files { job, result }) => jobs::run::<Plan>(&job, &result),
        Command::Attack(Files { job, result }) => jobs::run::<AttackJob>(&job, &result),
        Command::Export(Files { job, result }) => jobs::run::<Export>(&job, &result),
        Command::Probe(Files { job, result }) => jobs::run::<Probe>(&job, &result),
        Command::Init { share, script } => match engine::init(&share, &script)? {},
    }
}
