//! `bpfsig bench`: measures what a signature check costs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bpfsig_lab::bench::{self, Keep, RealTestbed};
use bpfsig_lab::destination::Destination;
use bpfsig_lab::engine::Choice;
use bpfsig_lab::progress::Progress;
use bpfsig_lab::report::{self, Collection, Pages};
use bpfsig_lab::results::{AnyResults, Figures, Results, Selection};
use bpfsig_lab::scenario::Scenario;
use bpfsig_signing::key::Algorithm;
use clap::Args;

/// Measure what a signature check costs, next to what verification costs
///
/// Builds the patched kernel if need be, boots it in a virtual machine and loads programs there: unsigned, signed,
/// with a forged signature, by an unknown signer, and altered after signing. Prints a table and what follows from it, and writes
/// a report beside the JSON. The JSON is written as each machine finishes: a run that ends early leaves a partial one.
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

    /// Compare two results instead of measuring: what has moved from the first to the second, by more than the threshold;
    /// fails if anything costs more
    #[arg(long, value_names = ["A.json", "B.json"], num_args = 2)]
    #[arg(conflicts_with_all = ["quick", "dos", "resume", "engine", "only", "algorithm", "scenario", "json", "csv"])]
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
    if let Some([before, after]) = options.compare.as_deref() {
        let comparison = report::compare(before, after, options.threshold / 100.0)?;
        println!("{}", comparison.text);
        ensure!(!comparison.is_worse, "some figures are worse than they were");
        return Ok(());
    }
    let name = if options.dos { "results/dos.json" } else { "results/bench.json" };
    let path = options.json.unwrap_or_else(|| name.into());
    // Before the work is done that would be lost.
    let (json, pages) = (Destination::new(&path)?, Pages::beside(&path)?);
    let csv = if options.dos { None } else { Some((Destination::new(&options.csv)?, &*options.csv)) };
    let written: Vec<String> = [&*path]
        .into_iter()
        .chain(csv.as_ref().map(|(_, path)| *path))
        .chain(pages.paths())
        .map(|path| path.display().to_string())
        .collect();
    let selection = Selection {
        quick: options.quick,
        only: options.only,
        algorithms: options.algorithm.iter().map(Algorithm::to_string).collect(),
        scenarios: options.scenario.into_iter().map(Into::into).collect(),
    };

    let progress = Progress::on_stderr();
    let results = if options.dos {
        let earlier = earlier(options.resume, &path)?;
        let testbed = RealTestbed::new(options.engine, &progress)?;
        let results = kept(&json, &path, &progress, |keep| {
            bench::attack(&selection, &testbed, earlier, keep, &progress)
        })?;
        AnyResults::Attacks(results)
    } else {
        let earlier = earlier(options.resume, &path)?;
        let testbed = RealTestbed::new(options.engine, &progress)?;
        let results = kept(&json, &path, &progress, |keep| {
            bench::measure(&selection, &testbed, earlier, keep, &progress)
        })?;
        if let Some((csv, _)) = &csv {
            report::write_csv(&results, csv)?;
        }
        AnyResults::Loads(results)
    };
    let results = Collection::of(&path, results);
    pages.write(&results, &bench::command())?;
    print!("{}", results.in_full());
    progress.line(&format!("Written: {}", written.join(", ")));
    Ok(())
}

/// What a run that ended early has left.
fn earlier<F: Figures>(resume: bool, path: &Path) -> Result<Option<Results<F>>> {
    match resume {
        true => Results::read(path).context("there is nothing to resume").map(Some),
        false => Ok(None),
    }
}

/// Has results written to a file as they come. If the run ends early, says what is there.
fn kept<F: Figures>(
    json: &Destination,
    path: &Path,
    progress: &Progress,
    run: impl FnOnce(&mut Keep<'_, F>) -> Result<Results<F>>,
) -> Result<Results<F>> {
    let mut finished = 0;
    let mut keep = |results: &Results<F>| {
        finished = results.finished.len();
        // What went down a pipe can't be replaced by more.
        if json.is_stream() && results.partial.is_some() {
            return Ok(());
        }
        let bytes = results.to_json()?;
        json.write(|file| Ok(file.write_all(&bytes)?))
    };
    let outcome = run(&mut keep);
    if outcome.is_err() && finished > 0 && !json.is_stream() {
        progress.line(&format!(
            "{} has what was measured so far ({finished} machines): `bpfsig report` shows it, and the same command with \
             --resume completes it",
            path.display()
        ));
    }
    outcome
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "no number")?;
    if percent.is_finite() && percent >= 0.0 { Ok(percent) } else { Err("less than nothing".to_owned()) }
}
