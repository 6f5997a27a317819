//! `bpfsig bench`: measures what a signature check costs.

use std::path::PathBuf;

use anyhow::Result;
use bpfsig_signing::key::Algorithm;
use clap::Args;

use crate::bench::{self, Selection};
use crate::engine::Choice;
use crate::progress::Progress;
use crate::report::{self, Destination};

/// Measure what a signature check costs, next to what verification costs
///
/// Builds the patched kernel if need be, boots it in a virtual machine and loads programs there: unsigned, signed,
/// with a forged signature, by an unknown signer, and altered after signing. Prints a table and what follows from it.
#[derive(Args)]
pub struct Options {
    /// Measure less, in less time
    #[arg(long)]
    quick: bool,

    /// What executes the guest
    #[arg(long, value_enum, default_value_t)]
    engine: Choice,

    /// Measure only the programs whose name matches this pattern
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,

    /// Sign with these algorithms: rsa-2048, rsa-3072, rsa-4096, p-256, p-384
    #[arg(long, value_name = "ALGORITHM", value_delimiter = ',')]
    algorithm: Vec<Algorithm>,

    /// Where to write all samples and the environment
    #[arg(long, value_name = "FILE", default_value = "results/bench.json")]
    json: PathBuf,

    /// Where to write the figures in veristat's columns and more
    #[arg(long, value_name = "FILE", default_value = "results/bench.csv")]
    csv: PathBuf,
}

pub fn run(options: Options) -> Result<()> {
    let Options { quick, engine, only, algorithm: algorithms, json, csv } = options;
    let selection = Selection { quick, only, algorithms };
    // Before the work is done that would be lost.
    let (json_file, csv_file) = (Destination::new(&json)?, Destination::new(&csv)?);

    let progress = Progress::new();
    let results = bench::run(&selection, engine, &progress)?;
    report::write_json(&results, json_file)?;
    report::write_csv(&results, csv_file)?;
    report::print(&results);
    progress.line(&format!("Written: {} and {}", json.display(), csv.display()));
    Ok(())
}
