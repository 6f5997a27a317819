//! The finding, for people.
//!
//! ```text
//! results → collection (with analysis) → page (document) → HTML, Markdown, SVG; terminal; CSV
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
mod picture;
mod plot;
mod policies;
mod side_by_side;
mod table;
mod terminal;
mod ways;

use anyhow::Result;

use crate::analysis::headlines;
use crate::output_file::OutputFile;
use crate::results::{Loads, Results};

pub use collection::Collection;
pub use compare::compare;
pub use pages::Pages;

impl Collection {
    /// The figures of all programs and attacks, and the parts that are missing.
    pub fn in_full(&self) -> String {
        let runs = self.runs.iter().map(|run| {
            format!(
                "{}\n\n{}\n",
                terminal::table(&table::table(&run.result).compact()),
                table::caption(&run.result)
            )
        });
        let attacks = self.attacks.iter().map(|attacks| {
            let table = terminal::table(&attack_table::table(&attacks.result));
            format!("{table}\n\n{}\n", attack_table::caption(&attacks.result))
        });
        runs.chain(attacks).collect::<Vec<_>>().join("\n")
    }

    /// The ways to load programs, or the policies under attack, side by side.
    pub fn in_short(&self) -> String {
        let runs = self.runs.iter().map(|run| ways::table(&run.result).compact());
        let attacks = self.attacks.iter().map(|attacks| policies::table(&attacks.result).compact());
        let tables =
            runs.chain(attacks).map(|table| format!("{}\n", terminal::table(&table).replace('`', "")));
        tables.collect::<Vec<_>>().join("\n")
    }

    /// The finding, the most important sentence first.
    pub fn finding(&self) -> Vec<String> {
        let (run, attacks) = (self.runs.first(), self.attacks.first());
        let sentences = headlines(run.map(|run| &run.result), attacks.map(|attacks| &attacks.result));
        sentences.iter().map(ToString::to_string).collect()
    }

    /// The costs of all runs in one table, and what is missing in them; empty if there is nothing of that.
    pub fn side_by_side(&self) -> String {
        let table = match &self.runs[..] {
            [] => String::new(),
            runs => {
                format!(
                    "{}\n\n{}\n",
                    terminal::table(&side_by_side::table(runs)),
                    side_by_side::caption(runs)
                )
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
pub fn write_csv(results: &Results<Loads>, destination: &OutputFile) -> Result<()> {
    destination.write(|file| csv::write(results, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, load};
    use crate::results::AnyResults;

    #[test]
    fn first_figures_have_no_empty_columns_and_later_ones_no_programs() {
        let loads = vec![load("one", "unsigned", 1000), load("one", "signed", 1500)];
        let results = Collection::of("a.json".as_ref(), AnyResults::Loads(fixture::results("tcg", loads)));
        let full = results.in_full();
        assert!(full.contains("one") && full.contains("1.50 k"), "{full}");
        assert!(!full.lines().next().unwrap().contains("baseline"), "{full}");
        let short = results.in_short();
        assert!(short.contains("signed") && short.contains("1.50") && !short.contains("one"), "{short}");
        // Neither a check nor a rival was measured.
        assert!(results.finding().is_empty());
    }
}
