//! `bpfsig bench`: measures what a signature check costs.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
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

    /// Compare two results instead of measuring: what has moved from the first to the second, by more than the threshold;
    /// fails if anything costs more
    #[arg(long, value_names = ["A.json", "B.json"], num_args = 2)]
    #[arg(conflicts_with_all = ["quick", "dos", "engine", "only", "algorithm", "json", "csv"])]
    compare: Option<Vec<PathBuf>>,

    /// By how much a figure must move to be shown, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, requires = "compare", value_parser = percent)]
    threshold: f64,

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
    let Options { quick, dos, compare, threshold, engine, only, algorithm: algorithms, json, csv } = options;
    if let Some([before, after]) = compare.as_deref() {
        let comparison = report::compare(before, after, threshold / 100.0)?;
        println!("{}", comparison.text);
        ensure!(!comparison.is_worse, "some figures are worse than they were");
        return Ok(());
    }
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

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "no number")?;
    if percent.is_finite() && percent >= 0.0 { Ok(percent) } else { Err("less than nothing".to_owned()) }
}
