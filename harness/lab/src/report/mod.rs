//! What was found, for people.
//!
//! ```text
//! results → collection (with analysis) → page (document) → HTML, Markdown; terminal; CSV
//! ```

mod attack_table;
mod collection;
mod compare;
mod csv;
mod document;
mod html;
mod markdown;
mod page;
mod pages;
mod plain;
mod plot;
mod side_by_side;
mod table;

use anyhow::Result;

use crate::analysis;
use crate::destination::Destination;
use crate::results::{Loads, Results};

pub use collection::Collection;
pub use compare::compare;
pub use pages::Pages;

impl Collection {
    /// The figures of all programs and attacks, and what follows from them in words.
    pub fn in_full(&self) -> String {
        let mut text = String::new();
        let mut say = |line: &str| {
            text += line;
            text.push('\n');
        };
        self.partial().iter().for_each(|line| say(&format!("{line}\n")));
        for run in self.runs.iter().map(|run| &run.result) {
            say(&format!("{}\n\n{}\n", plain::table(&table::table(run)), table::caption(run)));
            run.findings.iter().for_each(|finding| say(&finding.in_words(run.unit())));
            run.overhead.in_words(run.unit()).iter().for_each(|line| say(line));
        }
        for attacks in self.attacks.iter().map(|attacks| &attacks.result) {
            say(&format!(
                "{}\n\n{}\n",
                plain::table(&attack_table::table(attacks)),
                attack_table::caption(attacks)
            ));
            analysis::sentences(attacks).iter().for_each(|line| say(line));
        }
        text
    }

    /// The costs of all runs in one table, and what is missing in them; empty if there is nothing of that.
    pub fn side_by_side(&self) -> String {
        let table = match &self.runs[..] {
            [] => String::new(),
            runs => {
                format!("{}\n\n{}\n", plain::table(&side_by_side::table(runs)), side_by_side::caption(runs))
            }
        };
        let partial: String = self.partial().iter().map(|line| format!("{line}\n")).collect();
        if partial.is_empty() { table } else { format!("{partial}\n{table}") }
    }
}

/// Writes a line per program and scenario, in veristat's columns and more.
///
/// # Errors
/// The file can't be written; what was there before is still there then.
pub fn write_csv(results: &Results<Loads>, destination: &Destination) -> Result<()> {
    destination.write(|file| csv::write(results, file))
}
