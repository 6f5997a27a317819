//! The CPU time of a fleet in a year.

use super::super::collection::Named;
use super::super::document::{Block, Column, Table};
use super::of;
use crate::analysis::fleet::{HOSTS, LOADS, PER_NANOSECOND, year};
use crate::analysis::{self, Run};
use crate::results::Unit;

pub(super) fn blocks(runs: &[Named<Run>]) -> Vec<Block> {
    let tables: Vec<(&Named<Run>, Table)> = runs
        .iter()
        .map(|named| (named, table(&named.result)))
        .filter(|(_, table)| !table.rows.is_empty())
        .collect();
    if tables.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Heading(format!("A year of {HOSTS} hosts"))];
    for (named, table) in tables {
        let speed = match named.result.unit() {
            Unit::Nanoseconds => String::new(),
            Unit::Instructions => {
                format!(", on processors that execute {PER_NANOSECOND} instructions a nanosecond")
            }
        };
        let assumptions = format!(
            "CPU time added (+) or saved (−) in comparison with the same loads without signatures. It is assumed that each host \
             loads each real program {LOADS} times a year{speed}. Attacks don't count."
        );
        blocks.push(Block::Paragraph(of(runs, named, &assumptions).into()));
        blocks.push(Block::Table(table));
    }
    blocks
}

fn table(run: &Run) -> Table {
    let mut table = Table::new(&[
        Column::text("way"),
        Column::number("CPU time a year"),
        Column::text("compared with"),
        Column::number("programs"),
    ]);
    for scenario in analysis::measured(run) {
        let other = scenario.listed().and_then(|scenario| scenario.row().compared_with);
        let Some((other, year)) = other.zip(year(run, &scenario)) else { continue };
        table.push([
            format!("`{}`", scenario.as_str()),
            hours(year.hours),
            format!("`{}`", other.name()),
            year.programs.to_string(),
        ]);
    }
    table
}

/// A difference, with its sign.
fn hours(hours: f64) -> String {
    let sign = if hours < 0.0 { '−' } else { '+' };
    match hours.abs() {
        nothing if nothing < 0.5 / 60.0 => "0".to_owned(),
        minutes if minutes < 1.0 => format!("{sign}{:.0} min", 60.0 * minutes),
        few if few < 100.0 => format!("{sign}{few:.1} h"),
        many => format!("{sign}{many:.0} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign() {
        let shown = [-0.001, 0.25, -0.5, 2.04, -1234.5].map(hours);
        assert_eq!(shown, ["0", "+15 min", "−30 min", "+2.0 h", "−1234 h"]);
    }
}
