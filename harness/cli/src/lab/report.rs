//! `bpfsig report`: shows results again.

use std::path::PathBuf;

use anyhow::Result;
use bpfsig_lab::bench;
use bpfsig_lab::report::{Collection, Pages};
use clap::Args;

/// Make a report of the results of several runs of `bpfsig bench`, and show their costs side by side
#[derive(Args)]
pub struct Options {
    /// Results of `bpfsig bench`, with or without --dos, such as those of two engines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Where to write it: a file that ends in .html, .md or (the first plot alone) .svg, or a directory for the first two
    #[arg(long, value_name = "PATH", default_value = "results")]
    output: PathBuf,
}

pub fn run(options: &Options) -> Result<()> {
    let results = Collection::read(&options.files)?;
    let pages = Pages::at(&options.output)?;
    let written: Vec<String> = pages.paths().map(|path| path.display().to_string()).collect();
    pages.write(&results, &bench::command())?;
    eprintln!("Written: {}", written.join(" and "));
    print!("{}", results.side_by_side());
    Ok(())
}
