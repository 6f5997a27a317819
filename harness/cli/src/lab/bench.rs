//! `bpfsig bench`: measures what a signature check costs.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use bpfsig_lab::bench::{self, Mode, Selection};
use bpfsig_lab::dos;
use bpfsig_lab::engine::Choice;
use bpfsig_lab::progress::Progress;
use bpfsig_lab::report::{self, Collection, Destination, Document, Pages};
use bpfsig_signing::key::Algorithm;
use clap::Args;

/// Measure what a signature check costs, next to what verification costs
///
/// Builds the patched kernel if need be, boots it in a virtual machine and loads programs there: unsigned, signed,
/// with a forged signature, by an unknown signer, and altered after signing. Prints a table and what follows from it, and writes
/// a report beside the JSON.
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
    #[arg(conflicts_with_all = ["quick", "dos", "engine", "only", "algorithm", "mode", "json", "csv"])]
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

    /// Measure only in these modes, and build only the kernels that these need
    #[arg(long, value_enum, value_name = "MODE", value_delimiter = ',')]
    #[arg(conflicts_with = "dos")]
    mode: Vec<Mode>,

    /// Where to write all samples and the environment; the report stands beside it, as .html and .md
    /// [default: results/bench.json, with --dos results/dos.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Where to write the figures in veristat's columns and more
    #[arg(long, value_name = "FILE", default_value = "results/bench.csv")]
    csv: PathBuf,
}

pub fn run(options: Options) -> Result<()> {
    let Options {
        quick,
        dos,
        compare,
        threshold,
        engine,
        only,
        algorithm: algorithms,
        mode: modes,
        json,
        csv,
    } = options;
    if let Some([before, after]) = compare.as_deref() {
        let comparison = report::compare(before, after, threshold / 100.0)?;
        println!("{}", comparison.text);
        ensure!(!comparison.is_worse, "some figures are worse than they were");
        return Ok(());
    }
    let name = if dos { "results/dos.json" } else { "results/bench.json" };
    let path = json.unwrap_or_else(|| name.into());
    // Before the work is done that would be lost.
    let (json_file, pages) = (Destination::new(&path)?, Pages::beside(&path)?);
    let csv_file = if dos { None } else { Some(Destination::new(&csv)?) };
    let csv = csv_file.is_some().then_some(&*csv);
    let written: Vec<String> =
        [&*path].into_iter().chain(csv).chain(pages.paths()).map(|path| path.display().to_string()).collect();

    let progress = Progress::on_stderr();
    let started = Instant::now();
    let json = if dos {
        let mut results = dos::run(&dos::Selection { quick, only }, engine, &progress)?;
        results.environment.seconds = Some(started.elapsed().as_secs());
        report::json(&results)?
    } else {
        let mut results = bench::run(&Selection { quick, only, algorithms, modes }, engine, &progress)?;
        results.environment.seconds = Some(started.elapsed().as_secs());
        if let Some(file) = csv_file {
            report::write_csv(&results, file)?;
        }
        report::json(&Document::new(&results))?
    };
    json_file.write(|file| Ok(file.write_all(&json)?))?;
    let results = Collection::of(&path, &json)?;
    pages.write(&results, &bench::command())?;
    print!("{}", results.in_full());
    progress.line(&format!("Written: {}", written.join(", ")));
    Ok(())
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "no number")?;
    if percent.is_finite() && percent >= 0.0 { Ok(percent) } else { Err("less than nothing".to_owned()) }
}
