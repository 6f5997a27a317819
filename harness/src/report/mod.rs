//! What the bench has found, for people and for programs.

mod compare;
mod csv;
mod destination;
mod finding;
mod json;
mod overhead;
pub mod plain;
pub mod quantity;
mod run;
mod side_by_side;
mod table;

use anyhow::Result;

use self::overhead::Overhead;
use crate::bench::Results;

pub use compare::compare;
pub use destination::Destination;
pub use side_by_side::side_by_side;

/// Prints the table, and what follows from it in words.
pub fn print(results: &Results) {
    println!("{}", table::render(results));
    for finding in finding::findings(&results.cost) {
        println!("{}", finding.in_words(results.environment.unit));
    }
    for line in Overhead::of(&results.cost).in_words(results.environment.unit) {
        println!("{line}");
    }
}

/// Writes everything, with each sample.
///
/// # Errors
/// The file can't be written; what was there before is still there then.
pub fn write_json(results: &Results, destination: Destination) -> Result<()> {
    destination.write_json(&json::Document::new(results))
}

/// Writes a line per program and mode, in veristat's columns and more.
///
/// # Errors
/// The file can't be written; what was there before is still there then.
pub fn write_csv(results: &Results, destination: Destination) -> Result<()> {
    destination.write(|file| csv::write(results, file))
}
