//! The capabilities of each approach.

use std::collections::HashSet;

use super::super::collection::Named;
use super::super::document::{Block, Column, Table, Text};
use super::claims::{APPROACHES, Answer, CLAIMS};
use super::of;
use crate::analysis::Run;
use crate::scenario::{Scenario, ScenarioName};

/// Where tests of the kernel are, from a directory of the checkout, such as `results` or `kernel-patch`.
const TESTS: &str = "../harness/lab/tests/vm";

pub(super) fn blocks(runs: &[Named<Run>]) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Capabilities".to_owned())];
    for named in runs {
        let what = "The outcome of each way to load: programs, and objects with several programs.";
        blocks.push(Block::Paragraph(of(runs, named, what).into()));
        blocks.push(Block::Table(outcomes(&named.result)));
        let reasons = reasons(&named.result);
        if !reasons.rows.is_empty() {
            let summary = of(runs, named, "The reasons, in the words of libbpf and the kernel");
            blocks.push(Block::Details { summary, blocks: vec![Block::Table(reasons)] });
        }
    }
    blocks.push(Block::Paragraph(
        "What is carried and stopped. Each link leads to the test that shows it.".into(),
    ));
    blocks.push(Block::Table(claims()));
    blocks
}

/// A way to load a row, an outcome a column.
fn outcomes(run: &Run) -> Table {
    let mut table = Table::new(&[
        Column::text("way"),
        Column::number("loaded"),
        Column::number("refused, rightly"),
        Column::number("impossible"),
        Column::text("what it is"),
    ]);
    for scenario in Scenario::ALL.iter().copied().map(ScenarioName::from) {
        let count = |is_accepted: bool| {
            let loads = run.loads().iter().filter(|load| load.key.scenario == scenario);
            let programs =
                loads.filter(|load| load.is_accepted() == is_accepted).map(|load| &*load.key.program);
            programs.collect::<HashSet<_>>().len()
        };
        let unsupported =
            run.results.figures.unsupported.iter().filter(|row| row.scenario == scenario).count();
        let outcomes = [count(true), count(false), unsupported];
        if outcomes.iter().sum::<usize>() == 0 {
            continue;
        }
        let show = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
        let [loaded, refused, impossible] = outcomes.map(show);
        table.push([
            format!("`{}`", scenario.as_str()),
            loaded,
            refused,
            impossible,
            scenario.words().to_owned(),
        ]);
    }
    table
}

/// Why something is impossible: a reason a row.
fn reasons(run: &Run) -> Table {
    let mut table = Table::new(&[
        Column::text("way"),
        Column::text("reason"),
        Column::number("programs"),
        Column::text("which"),
    ]);
    let mut reasons: Vec<(&ScenarioName, &str, Vec<&str>)> = Vec::new();
    for row in &run.results.figures.unsupported {
        let same = |(scenario, reason, _): &&mut (&ScenarioName, &str, _)| {
            **scenario == row.scenario && *reason == row.reason
        };
        match reasons.iter_mut().find(same) {
            Some((.., programs)) => programs.push(&row.program),
            None => reasons.push((&row.scenario, &row.reason, vec![&row.program])),
        }
    }
    for (scenario, reason, programs) in reasons {
        let count = programs.len().to_string();
        table.push([format!("`{}`", scenario.as_str()), reason.to_owned(), count, programs.join(", ")]);
    }
    table
}

/// A row for each claim; an approach without any answer has no column.
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

    #[test]
    fn outcomes_are_counted_and_reasons_given_once() {
        let mut forged = load("one", "forged", 3);
        forged.errno = libc::EKEYREJECTED;
        let mut run =
            fixture::run("tcg", vec![load("one", "unsigned", 5), load("one", "mainline", 9), forged]);
        let row = |program: &str, reason: &str| Unsupported {
            program: program.to_owned(),
            scenario: Scenario::Mainline.into(),
            reason: reason.to_owned(),
        };
        run.results.figures.unsupported =
            vec![row("two", "shared map"), row("three", "struct_ops"), row("four", "shared map")];
        let words = |table: Table| -> Vec<Vec<String>> {
            table.rows.iter().map(|row| row.iter().take(4).map(Text::words).collect()).collect()
        };
        assert_eq!(
            words(outcomes(&run)),
            [["unsigned", "1", "-", "-"], ["forged", "-", "1", "-"], ["mainline", "1", "-", "3"]]
        );
        let expected =
            [["mainline", "shared map", "2", "two, four"], ["mainline", "struct_ops", "1", "three"]];
        assert_eq!(words(reasons(&run)), expected);
    }
}
