//! Several runs in one table, such as instructions and nanoseconds.

use super::collection::Named;
use super::document::{Column, Table};
use crate::analysis::Run;
use crate::results::{Key, Load, Summary};
use crate::scenario::Scenario;

/// One of a load's figures.
type Which = fn(&Load) -> Option<&Summary>;

/// What is shown of each run: the scenario, and which figure of it.
const COLUMNS: [(&str, Scenario, Which); 6] = [
    ("unsigned", Scenario::Unsigned, |load| load.prog_load.as_ref()),
    ("signed", Scenario::Signed, |load| load.prog_load.as_ref()),
    ("repeated", Scenario::Repeated, |load| load.prog_load.as_ref()),
    ("check", Scenario::Signed, |load| load.check.as_ref().map(|check| &check.total)),
    ("verifier", Scenario::Signed, |load| load.verifier.as_ref()),
    ("forged", Scenario::Forged, |load| load.prog_load.as_ref()),
];

/// A row for each program and algorithm of the first run that any other has, too.
pub(super) fn table(runs: &[Named<Run>]) -> Table {
    let text = ["program", "algorithm"].map(Column::text);
    let titles =
        runs.iter().flat_map(|run| COLUMNS.iter().map(move |(title, ..)| format!("{title}\n{}", run.name)));
    let numbers = titles.map(|title| Column { title: title.into(), is_number: true });
    let mut table = Table { columns: text.into_iter().chain(numbers).collect(), rows: Vec::new() };
    let Some((first, others)) = runs.split_first() else { return table };
    for load in first.result.loads().iter().filter(|load| load.key.scenario == Scenario::Signed) {
        let key = &load.key;
        let has = |run: &Named<Run>| run.result.results.figures.get(key).is_some();
        if !others.is_empty() && !others.iter().any(has) {
            continue;
        }
        let figures = runs.iter().flat_map(|run| figures(&run.result, key));
        let algorithm = key.algorithm.map_or("-".to_owned(), |algorithm| algorithm.to_string());
        table.push([key.program.clone(), algorithm].into_iter().chain(figures));
    }
    table
}

/// What the figures of each run are.
pub(super) fn caption(runs: &[Named<Run>]) -> String {
    let unit = |run: &Named<Run>| format!("{}: {}", run.name, run.result.unit().plural());
    runs.iter().map(unit).collect::<Vec<_>>().join("; ") + "."
}

fn figures(run: &Run, signed: &Key) -> Vec<String> {
    let figure = |scenario: Scenario, of: Which| {
        let algorithm = signed.algorithm.filter(|_| scenario.is_signed());
        let key = Key { scenario: scenario.into(), algorithm, ..signed.clone() };
        Some(of(run.results.figures.get(&key)?)?.median)
    };
    let show = |median: f64| run.unit().short(median);
    COLUMNS.iter().map(|(_, scenario, of)| figure(*scenario, *of).map_or("-".to_owned(), show)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;
    use crate::report::document::Text;

    #[test]
    fn runs_stand_side_by_side() {
        let run = |engine: &str, programs: &[&str]| {
            let loads = programs.iter().flat_map(|program| {
                let mut signed = fixture::load(program, "signed", 1500);
                signed.check = Some(fixture::check([100, 800, 100]));
                [signed, fixture::load(program, "unsigned", 500)]
            });
            let result = fixture::run(engine, loads.collect());
            Named { name: engine.to_owned(), file: engine.into(), result }
        };
        let mut runs = vec![run("tcg", &["one", "two"]), run("uml", &["two"])];
        let rows = table(&runs).rows;
        let row: Vec<_> = rows[0].iter().map(Text::words).collect();
        let expected = [
            "two", "p-256", "500", "1.50 k", "-", "1.00 k", "-", "-", "500 ns", "1.50 µs", "-", "1.00 µs",
            "-", "-",
        ];
        assert_eq!((rows.len(), &row[..]), (1, &expected.map(str::to_owned)[..]));
        assert_eq!(caption(&runs), "tcg: guest instructions; uml: time.");
        runs.pop();
        assert_eq!(table(&runs).rows.len(), 2);
    }
}
