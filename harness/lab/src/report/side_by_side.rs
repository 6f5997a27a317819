//! Several runs in one table, such as instructions and nanoseconds.

use super::collection::Named;
use super::document::{Column, Table};
use super::run::{Cost, Run};
use crate::bench::Summary;

/// One of a cost's figures.
type Which = fn(&Cost) -> Option<&Summary>;

/// What is shown of each run: the mode, and which figure of it.
const COLUMNS: [(&str, &str, Which); 6] = [
    ("unsigned", "unsigned", |cost| cost.total.as_ref()),
    ("signed", "signed", |cost| cost.total.as_ref()),
    ("repeated", "repeated", |cost| cost.total.as_ref()),
    ("check", "signed", |cost| cost.signature.as_ref().map(|signature| &signature.total)),
    ("verifier", "signed", |cost| cost.verifier.as_ref()),
    ("forged", "forged", |cost| cost.total.as_ref()),
];

/// A row for each program and algorithm of the first run that any other has, too.
pub(super) fn table(runs: &[Named<Run>]) -> Table {
    let text = ["program", "algorithm"].map(Column::text);
    let titles =
        runs.iter().flat_map(|run| COLUMNS.iter().map(move |(title, ..)| format!("{title}\n{}", run.name)));
    let numbers = titles.map(|title| Column { title: title.into(), is_number: true });
    let mut table = Table { columns: text.into_iter().chain(numbers).collect(), rows: Vec::new() };
    let Some((first, others)) = runs.split_first() else { return table };
    for cost in first.result.cost.iter().filter(|cost| cost.mode == "signed") {
        let (program, algorithm) = (&*cost.program, cost.algorithm.as_deref());
        let has = |run: &Named<Run>| run.result.cost(program, "signed", algorithm).is_some();
        if !others.is_empty() && !others.iter().any(has) {
            continue;
        }
        let figures = runs.iter().flat_map(|run| figures(&run.result, program, algorithm));
        table.push([program, algorithm.unwrap_or("-")].map(str::to_owned).into_iter().chain(figures));
    }
    table
}

/// What the figures of each run are.
pub(super) fn caption(runs: &[Named<Run>]) -> String {
    let unit = |run: &Named<Run>| format!("{}: {}", run.name, run.result.environment.unit.plural());
    runs.iter().map(unit).collect::<Vec<_>>().join("; ") + "."
}

fn figures(run: &Run, program: &str, algorithm: Option<&str>) -> Vec<String> {
    let figure = |mode: &str, of: Which| {
        let algorithm = algorithm.filter(|_| mode != "unsigned");
        Some(of(run.cost(program, mode, algorithm)?)?.median)
    };
    let show = |median: f64| run.environment.unit.short(median);
    COLUMNS.iter().map(|(_, mode, of)| figure(mode, *of).map_or("-".to_owned(), show)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::Text;
    use crate::report::run::fixture;

    #[test]
    fn runs_stand_side_by_side() {
        let run = |engine: &str, programs: &[&str]| {
            let costs = programs.iter().flat_map(|program| {
                let mut signed = fixture::cost(program, "signed", 1500);
                signed["signature"] = fixture::signature([100, 800, 100]);
                [signed, fixture::cost(program, "unsigned", 500)]
            });
            let json = fixture::run(engine, costs.collect()).to_string();
            Named {
                name: engine.to_owned(),
                file: engine.into(),
                result: Run::parse(json.as_bytes()).unwrap(),
            }
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
