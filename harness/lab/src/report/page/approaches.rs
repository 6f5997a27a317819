//! What each approach can and can't do.

use std::collections::HashSet;

use super::super::collection::Named;
use super::super::document::{Block, Column, Table, Text};
use super::claims::{APPROACHES, Answer, CLAIMS};
use super::of;
use crate::analysis::{self, Run};

/// Where tests of the kernel are, from a directory of the checkout, such as `results` or `kernel-patch`.
const TESTS: &str = "../harness/lab/tests/vm";

pub(super) fn blocks(runs: &[Named<Run>]) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("What each approach can and can't do".to_owned())];
    for named in runs {
        let what = "How many programs, and objects with several, are loaded each way. What can't be was found by trying; \
                    without a reason, it was not tried.";
        blocks.push(Block::Paragraph(of(runs, named, what).into()));
        blocks.push(Block::Table(carried(&named.result)));
    }
    blocks.push(Block::Paragraph(
        "What is carried and stopped, each shown by the test that the link leads to.".into(),
    ));
    blocks.push(Block::Table(claims()));
    blocks
}

/// What each way carries, and what not: a reason a row.
fn carried(run: &Run) -> Table {
    let mut table = Table::new(&[
        Column::text("way"),
        Column::number("carried"),
        Column::number("not"),
        Column::text("because"),
        Column::text("programs"),
    ]);
    for scenario in analysis::measured(run) {
        let carried: HashSet<&str> = run
            .loads()
            .iter()
            .filter(|load| load.key.scenario == scenario && load.is_accepted())
            .map(|load| &*load.key.program)
            .collect();
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in run.results.figures.unsupported.iter().filter(|row| row.scenario == scenario) {
            match reasons.iter_mut().find(|(reason, _)| *reason == row.reason) {
                Some((_, programs)) => programs.push(&row.program),
                None => reasons.push((&row.reason, vec![&row.program])),
            }
        }
        let way = |is_first: bool| match is_first {
            true => [format!("`{}`", scenario.as_str()), carried.len().to_string()],
            false => [String::new(), String::new()],
        };
        if reasons.is_empty() {
            table.push(way(true).into_iter().chain(["-"; 3].map(str::to_owned)));
        }
        for (index, (reason, programs)) in reasons.into_iter().enumerate() {
            let rest = [programs.len().to_string(), reason.to_owned(), programs.join(", ")];
            table.push(way(index == 0).into_iter().chain(rest));
        }
    }
    table
}

/// A claim a row; an approach of which nothing is shown has no column.
fn claims() -> Table {
    let is_shown = |approach: &&(_, &str)| CLAIMS.iter().any(|claim| claim.answer(approach.0).is_some());
    let approaches: Vec<_> = APPROACHES.iter().filter(is_shown).collect();
    let columns = approaches.iter().map(|(_, title)| Column::text(title));
    let mut table =
        Table { columns: [Column::text("what")].into_iter().chain(columns).collect(), rows: Vec::new() };
    for claim in CLAIMS {
        let cells =
            approaches.iter().map(|(approach, _)| claim.answer(*approach).map_or("not shown".into(), answer));
        table.push([Text::from(claim.what)].into_iter().chain(cells));
    }
    table
}

fn answer(answer: &Answer) -> Text {
    let link = Text::link(answer.test, format!("{TESTS}/{}", answer.file));
    Text::from(format!("{}: ", answer.says)).then(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, load};
    use crate::results::Unsupported;
    use crate::scenario::Scenario;

    #[test]
    fn reasons_are_given_once() {
        let mut run = fixture::run("tcg", vec![load("one", "unsigned", 5), load("one", "mainline", 9)]);
        let row = |program: &str, reason: &str| Unsupported {
            program: program.to_owned(),
            scenario: Scenario::Mainline.into(),
            reason: reason.to_owned(),
        };
        run.results.figures.unsupported =
            vec![row("two", "shared map"), row("three", "struct_ops"), row("four", "shared map")];
        let rows: Vec<Vec<String>> =
            carried(&run).rows.iter().map(|row| row.iter().map(Text::words).collect()).collect();
        let expected = [
            ["unsigned", "1", "-", "-", "-"],
            ["mainline", "1", "2", "shared map", "two, four"],
            ["", "", "1", "struct_ops", "three"],
        ];
        assert_eq!(rows, expected);
    }
}
