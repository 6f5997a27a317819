//! `bpfsig bench`: measures what a signature check costs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use bpfsig_lab::bench::{self, Forecast, RealTestbed};
use bpfsig_lab::engine::Choice;
use bpfsig_lab::progress::Progress;
use bpfsig_lab::report;
use bpfsig_lab::results::{Figures, Loads, Results, Selection};
use bpfsig_lab::scenario::Scenario;
use bpfsig_signing::key::Algorithm;
use clap::{Args, ValueEnum};

use super::bench_output::BenchOutput;

/// Measure the cost of a signature check, next to that of verification
///
/// Builds the patched kernel if need be, boots it in a virtual machine and loads programs there: unsigned, signed,
/// with a forged signature, by an unknown signer, and altered after signing. Shows these figures, after a first look at a few
/// programs, and goes on with the kernel without the patches, which it has built meanwhile. After each machine it writes the results as JSON, and a report beside them: a
/// run that ends early leaves a partial one.
#[derive(Args)]
pub struct Options {
    /// Measure less, in less time
    #[arg(long)]
    quick: bool,

    /// Attack the kernel instead, and measure what that costs the attacker and others
    #[arg(long, conflicts_with_all = ["algorithm", "csv"])]
    dos: bool,

    /// Complete the results of a run that ended early, which was given the same options
    #[arg(long)]
    resume: bool,

    /// Show what has moved from the first results to the second, by more than the threshold; fail if anything costs more.
    /// With one file, measure the same now
    #[arg(long, value_names = ["A.json", "B.json"], num_args = 1..=2)]
    #[arg(conflicts_with_all = ["quick", "dos", "resume", "engine", "only", "algorithm", "scenario"])]
    compare: Vec<PathBuf>,

    /// By how much a figure must move to be shown, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, requires = "compare", value_parser = percent)]
    threshold: f64,

    /// What executes the guest
    #[arg(long, value_enum, default_value_t)]
    engine: Choice,

    /// Measure only the programs (with --dos: attacks) whose name matches this pattern
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,

    /// Sign with these algorithms: rsa-2048, rsa-3072, rsa-4096, p-256, p-384, ml-dsa-44, ml-dsa-65, ml-dsa-87
    #[arg(long, value_name = "ALGORITHM", value_delimiter = ',')]
    algorithm: Vec<Algorithm>,

    /// Measure only these scenarios, and build only the kernels that they need
    #[arg(long, value_enum, value_name = "SCENARIO", value_delimiter = ',')]
    #[arg(conflicts_with = "dos")]
    scenario: Vec<Scenario>,

    /// Where to write all samples and the environment; the report stands beside it, as .html and .md
    /// [default: results/bench.json, with --dos results/dos.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Where to write the figures in veristat's columns and more
    #[arg(long, value_name = "FILE", default_value = "results/bench.csv")]
    csv: PathBuf,
}

pub fn run(options: Options) -> Result<()> {
    match &options.compare[..] {
        [] if options.dos => attack(&options),
        [] => measure(&options, &selection(&options), options.engine),
        [before] => compare_with_now(&options, before),
        [before, after, ..] => compare(before, after, options.threshold),
    }
}

fn measure(options: &Options, selection: &Selection, choice: Choice) -> Result<()> {
    let path = path(options);
    let progress = Progress::on_stderr();
    let mut output = BenchOutput::new(&path, Some(&options.csv), &progress)?;
    let earlier = earlier(options.resume, &path)?;
    if earlier.is_none() && needs_forecast(choice) {
        progress.line(&Forecast::of_loads(selection, choice, &progress)?.to_string());
    }
    let testbed = RealTestbed::new(choice, &progress)?;
    if earlier.is_none() && *selection == Selection::default() {
        let look = bench::measure(&first_look(), &testbed, None, &mut |_, _| Ok(()), &progress)?;
        output.first_look(look);
    }
    let outcome = bench::measure(
        selection,
        &testbed,
        earlier,
        &mut |results, stage| output.keep(results, stage),
        &progress,
    );
    if let Ok(results) = &outcome {
        output.write_csv(results)?;
    }
    output.end(outcome)
}

/// What is measured before everything is, which has no figures for many minutes.
fn first_look() -> Selection {
    let scenarios =
        [Scenario::Unsigned, Scenario::Signed, Scenario::Repeated, Scenario::UnknownSigner].map(Into::into);
    Selection {
        quick: true,
        algorithms: vec![Algorithm::Rsa2048.to_string()],
        scenarios: scenarios.to_vec(),
        ..Selection::default()
    }
}

fn attack(options: &Options) -> Result<()> {
    let path = path(options);
    let progress = Progress::on_stderr();
    let mut output = BenchOutput::new(&path, None, &progress)?;
    let earlier = earlier(options.resume, &path)?;
    let selection = selection(options);
    if earlier.is_none() && needs_forecast(options.engine) {
        progress.line(&Forecast::of_attacks(&selection, options.engine, &progress)?.to_string());
    }
    let testbed = RealTestbed::new(options.engine, &progress)?;
    let outcome = bench::attack(
        &selection,
        &testbed,
        earlier,
        &mut |results, stage| output.keep(results, stage),
        &progress,
    );
    output.end(outcome)
}

/// Whether there may be something to build. On the host there is not, and it may have nothing to measure either.
fn needs_forecast(choice: Choice) -> bool {
    choice != Choice::Host
}

fn selection(options: &Options) -> Selection {
    Selection {
        quick: options.quick,
        only: options.only.clone(),
        algorithms: options.algorithm.iter().map(Algorithm::to_string).collect(),
        scenarios: options.scenario.iter().copied().map(Into::into).collect(),
    }
}

fn path(options: &Options) -> PathBuf {
    let name = if options.dos { "results/dos.json" } else { "results/bench.json" };
    options.json.clone().unwrap_or_else(|| name.into())
}

/// Measures what `before` has, with the same engine.
fn compare_with_now(options: &Options, before: &Path) -> Result<()> {
    let earlier: Results<Loads> = Results::read(before)?;
    let after = path(options);
    ensure!(before != after, "{} would be replaced: give the JSON another name", before.display());
    let engine = Choice::from_str(&earlier.environment.engine, false).map_err(|error| anyhow!(error));
    measure(options, &earlier.selection, engine.with_context(|| before.display().to_string())?)?;
    compare(before, &after, options.threshold)
}

fn compare(before: &Path, after: &Path, threshold: f64) -> Result<()> {
    let comparison = report::compare(before, after, threshold / 100.0)?;
    println!("{}", comparison.text);
    ensure!(!comparison.is_worse, "some figures are worse than they were");
    Ok(())
}

/// What a run that ended early has left.
fn earlier<F: Figures>(resume: bool, path: &Path) -> Result<Option<Results<F>>> {
    match resume {
        true => Results::read(path).context("there is nothing to resume").map(Some),
        false => Ok(None),
    }
}

fn percent(text: &str) -> Result<f64, &'static str> {
    let percent: f64 = text.parse().map_err(|_| "not a number")?;
    if percent.is_finite() && percent >= 0.0 { Ok(percent) } else { Err("must be a number from 0 up") }
}
