//! `bpfsig bench`: measures what a signature check costs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bpfsig_signing::key::Algorithm;
use clap::Args;

use crate::bench::{self, Selection};
use crate::dos;
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

    /// Attack the kernel instead, and measure what that costs the attacker and others
    #[arg(long, conflicts_with_all = ["algorithm", "csv"])]
    dos: bool,

    /// What executes the guest
    #[arg(long, value_enum, default_value_t)]
    engine: Choice,

    /// Measure only the programs (with --dos: attacks) whose name matches this pattern
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,

    /// Sign with these algorithms: rsa-2048, rsa-3072, rsa-4096, p-256, p-384
    #[arg(long, value_name = "ALGORITHM", value_delimiter = ',')]
    algorithm: Vec<Algorithm>,

    /// Where to write all samples and the environment [default: results/bench.json, with --dos results/dos.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Where to write the figures in veristat's columns and more
    #[arg(long, value_name = "FILE", default_value = "results/bench.csv")]
    csv: PathBuf,
}

pub fn run(options: Options) -> Result<()> {
    let Options { quick, dos, engine, only, algorithm: algorithms, json, csv } = options;
    if dos {
        let json = json.unwrap_or_else(|| "results/dos.json".into());
        return run_dos(&dos::Selection { quick, only }, engine, &json);
    }
    let json = json.unwrap_or_else(|| "results/bench.json".into());
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

fn run_dos(selection: &dos::Selection, engine: Choice, json: &Path) -> Result<()> {
    let json_file = Destination::new(json)?;
    let progress = Progress::new();
    let results = dos::run(selection, engine, &progress)?;
    dos::write_json(&results, json_file)?;
    dos::print(&results);
    progress.line(&format!("Written: {}", json.display()));
    Ok(())
}
