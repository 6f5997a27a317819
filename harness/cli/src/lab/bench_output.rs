//! The results of a run of `bpfsig bench`: written as they come, and shown.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bpfsig_lab::bench::{self, Stage};
use bpfsig_lab::output_file::OutputFile;
use bpfsig_lab::progress::Progress;
use bpfsig_lab::report::{self, Collection, Pages};
use bpfsig_lab::results::{AnyResults, Figures, Loads, Results};

/// The number of sentences of the finding that are shown at a time.
const SENTENCES: usize = 3;

/// Files for results, and what has been shown of them.
pub struct BenchOutput<'a> {
    path: &'a Path,
    json: OutputFile,
    csv: Option<OutputFile>,
    pages: Pages,
    /// The files that the run leaves besides pages.
    figures: Vec<PathBuf>,
    progress: &'a Progress,
    /// Machines whose results are kept, and those whose figures have been shown.
    finished: usize,
    shown: usize,
    said: Vec<String>,
}

impl<'a> BenchOutput<'a> {
    /// Opens files beside each other, before any work is done that would be lost.
    ///
    /// # Errors
    /// One of them can't be written.
    pub fn new(path: &'a Path, csv: Option<&Path>, progress: &'a Progress) -> Result<BenchOutput<'a>> {
        let (json, pages) = (OutputFile::new(path)?, Pages::beside(path)?);
        let figures = [path].into_iter().chain(csv).map(Path::to_owned).collect();
        let csv = csv.map(OutputFile::new).transpose()?;
        Ok(BenchOutput { path, json, csv, pages, figures, progress, finished: 0, shown: 0, said: Vec::new() })
    }

    /// Shows what a few programs tell, whose figures are not kept: they are measured again.
    pub fn first_look(&self, results: Results<Loads>) {
        self.progress.print("A first look, at a few programs:");
        let finding = Collection::of(self.path, results.into()).finding();
        finding.iter().take(SENTENCES).for_each(|sentence| self.progress.print(sentence));
        self.progress.line("Now all of them.");
    }

    /// Writes results, and shows the first figures and the last.
    ///
    /// # Errors
    /// They can't be written or plotted.
    pub fn keep<F>(&mut self, results: &Results<F>, stage: Stage) -> Result<()>
    where
        F: Figures + Clone,
        AnyResults: From<Results<F>>,
    {
        self.finished = results.finished.len();
        let missing = results.partial.as_ref().map_or(&[][..], |partial| &partial.missing);
        // What went down a pipe can't be replaced by more.
        if !self.json.is_stream() || stage == Stage::End {
            let bytes = results.to_json()?;
            self.json.write(|file| Ok(file.write_all(&bytes)?))?;
        }
        let collection = Collection::of(self.path, results.clone().into());
        self.pages.write(&collection, &bench::command())?;
        let is_first = stage == Stage::Patched && !missing.is_empty();
        if is_first || stage == Stage::End {
            self.show(&collection);
        }
        if is_first {
            self.progress.line(&format!("Still to come: {}.", missing.join("; ")));
        }
        Ok(())
    }

    /// Shows what has not been shown yet: all figures, or a comparison with the first ones.
    fn show(&mut self, collection: &Collection) {
        match self.shown {
            0 => self.progress.print(&collection.in_full()),
            shown if shown < self.finished => self.progress.print(&collection.in_short()),
            _ => {}
        }
        self.shown = self.finished;
        let new = |sentence: &String| !self.said.contains(sentence);
        let sentences: Vec<String> = collection.finding().into_iter().filter(new).take(SENTENCES).collect();
        sentences.iter().for_each(|sentence| self.progress.print(sentence));
        self.said.extend(sentences);
    }

    /// Writes the figures as CSV.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_csv(&self, results: &Results<Loads>) -> Result<()> {
        self.csv.as_ref().map_or(Ok(()), |csv| report::write_csv(results, csv))
    }

    /// Says where the results are.
    ///
    /// # Errors
    /// The run's.
    pub fn end<F>(self, outcome: Result<Results<F>>) -> Result<()> {
        // There is none beside a pipe.
        if let Some(page) = self.pages.paths().next() {
            let page = page.display();
            if outcome.is_ok() {
                let figures: Vec<String> =
                    self.figures.iter().map(|file| file.display().to_string()).collect();
                self.progress
                    .line(&format!("The report is {page}; the figures are in {}.", figures.join(" and ")));
            } else if self.finished > 0 {
                self.progress.line(&format!(
                    "The report, of {} machines, is {page}. The same command with --resume completes it.",
                    self.finished
                ));
            }
        }
        outcome.map(drop)
    }
}
