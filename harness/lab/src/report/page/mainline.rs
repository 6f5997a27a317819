//! Mainline's signed loader programs beside signed programs.

use super::super::collection::Named;
use super::super::document::{Block, Column, Table};
use super::of;
use crate::analysis::{Run, beside, times};
use crate::scenario::Scenario;

/// The same task, in our way and in mainline's.
const PAIRS: [(&str, Scenario, Scenario); 6] = [
    ("unsigned", Scenario::Unsigned, Scenario::Baseline),
    ("signed, first load", Scenario::Signed, Scenario::Mainline),
    ("signed, later loads", Scenario::Repeated, Scenario::Mainline),
    ("instructions alone signed", Scenario::Detached, Scenario::MainlineDetached),
    ("forged, refused", Scenario::Forged, Scenario::MainlineForged),
    ("unknown signer, refused", Scenario::UnknownSigner, Scenario::MainlineUnknownSigner),
];

pub(super) fn blocks(runs: &[Named<Run>]) -> Vec<Block> {
    let tables: Vec<(&Named<Run>, Table)> = runs
        .iter()
        .map(|named| (named, table(&named.result)))
        .filter(|(_, table)| !table.rows.is_empty())
        .collect();
    if tables.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Heading("Beside mainline".to_owned())];
    for (named, table) in tables {
        let caption = format!(
            "All system calls of a load, in {}. Medians of the programs that both kernels take; `times` compares each program \
             with itself.",
            named.result.unit().plural()
        );
        blocks.push(Block::Paragraph(of(runs, named, &caption).into()));
        blocks.push(Block::Table(table));
    }
    blocks
}

fn table(run: &Run) -> Table {
    let mut table = Table::new(&[
        Column::text("load"),
        Column::number("times"),
        Column::number("ours"),
        Column::number("mainline"),
        Column::number("programs"),
    ]);
    let unit = run.unit();
    for (task, ours, mainline) in PAIRS {
        let Some(pair) = beside(run, ours, mainline) else { continue };
        let programs = pair.ratio.programs.to_string();
        table.push([
            task.to_owned(),
            times(pair.ratio.median),
            unit.short(pair.a),
            unit.short(pair.b),
            programs,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, load};

    #[test]
    fn refusals_are_compared_with_refusals() {
        let refused = |scenario: &str, cost| {
            let mut load = load("one", scenario, cost);
            load.errno = libc::EKEYREJECTED;
            load
        };
        let loads = vec![
            load("one", "signed", 100),
            load("one", "mainline", 400),
            refused("forged", 10),
            refused("mainline-forged", 20),
            refused("unknown-signer", 10),
            // A kernel that takes it is not a peer.
            load("one", "mainline-unknown-signer", 20),
        ];
        let table = table(&fixture::run("tcg", loads));
        let rows: Vec<Vec<String>> =
            table.rows.iter().map(|row| row.iter().map(|cell| cell.words()).collect()).collect();
        assert_eq!(
            rows,
            [
                ["signed, first load", "0.250", "100", "400", "1"],
                ["forged, refused", "0.500", "10", "20", "1"]
            ]
        );
    }
}
