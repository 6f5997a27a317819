//! `bpfsig report`: shows results again.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::report;

/// Show the results of several runs of `bpfsig bench` side by side
#[derive(Args)]
pub struct Options {
    /// What `bpfsig bench` has written with --json, such as those of two engines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(options: &Options) -> Result<()> {
    // Who looks at it with head(1) takes as much as he likes.
    Ok(writeln!(io::stdout(), "{}", report::side_by_side(&options.files)?)?)
}
