//! What the bench has found, for people and for programs.
//!
//! ```text
//! results → JSON → collection → page (document) → HTML, Markdown, terminal
//! ```
//!
//! A report is always made of JSON, so that it has no figure that is not in there.

mod collection;
mod compare;
mod csv;
mod destination;
pub(crate) mod document;
mod finding;
mod html;
mod json;
mod markdown;
mod mode;
mod overhead;
mod page;
mod pages;
mod peers;
pub(crate) mod plain;
mod plot;
pub(crate) mod quantity;
mod run;
mod side_by_side;
mod table;

use anyhow::Result;

use crate::bench::Results;
use crate::dos;

pub use collection::Collection;
pub use compare::compare;
pub use destination::Destination;
pub use json::{Document, json};
pub use pages::Pages;

impl Collection {
    /// The figures of all programs and attacks, and what follows from them in words.
    pub fn in_full(&self) -> String {
        let mut text = String::new();
        let mut say = |line: &str| {
            text += line;
            text.push('\n');
        };
        for run in self.runs.iter().map(|run| &run.result) {
            say(&format!("{}\n\n{}\n", plain::table(&table::table(run)), table::caption(run)));
            run.finding.iter().for_each(|finding| say(&finding.in_words(run.environment.unit)));
            run.overhead.in_words(run.environment.unit).iter().for_each(|line| say(line));
        }
        for attacks in self.attacks.iter().map(|attacks| &attacks.result) {
            say(&format!("{}\n\n{}\n", plain::table(&dos::table(attacks)), dos::caption(attacks)));
            dos::sentences(attacks).iter().for_each(|line| say(line));
        }
        text
    }

    /// The costs of all runs in one table; empty if there are none.
    pub fn side_by_side(&self) -> String {
        match &self.runs[..] {
            [] => String::new(),
            runs => {
                format!("{}\n\n{}\n", plain::table(&side_by_side::table(runs)), side_by_side::caption(runs))
            }
        }
    }
}

/// Writes a line per program and mode, in veristat's columns and more.
///
/// # Errors
/// The file can't be written; what was there before is still there then.
pub fn write_csv(results: &Results, destination: Destination) -> Result<()> {
    destination.write(|file| csv::write(results, file))
}
