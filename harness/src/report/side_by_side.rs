//! Several runs in one table, such as instructions and nanoseconds.

use std::path::PathBuf;

use anyhow::Result;

use super::plain;
use super::run::{Cost, Figure, Run};

/// One of a cost's figures.
type Which = fn(&Cost) -> Option<Figure>;

/// What is shown of each run: the mode, and which figure of it.
const COLUMNS: [(&str, &str, Which); 6] = [
    ("unsigned", "unsigned", |cost| cost.total),
    ("signed", "signed", |cost| cost.total),
    ("repeated", "repeated", |cost| cost.total),
    ("check", "signed", |cost| cost.signature),
    ("verifier", "signed", |cost| cost.verifier),
    ("forged", "forged", |cost| cost.total),
];

/// A table of the programs in these files, all of which `bpfsig bench` has written: a row for each program and algorithm
/// of the first that any other has, too.
///
/// # Errors
/// A file can't be read, or is of another kind.
pub fn side_by_side(files: &[PathBuf]) -> Result<String> {
    let runs = files.iter().map(|file| Run::read(file)).collect::<Result<Vec<_>>>()?;
    let name = |index: usize| -> String {
        let engine = &runs[index].environment.engine;
        let is_only = runs.iter().filter(|run| run.environment.engine == *engine).count() == 1;
        let file = || files[index].file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if is_only { engine.clone() } else { file() }
    };
    let names: Vec<String> = (0..runs.len()).map(name).collect();
    let columns =
        names.iter().flat_map(|name| COLUMNS.iter().map(move |(title, ..)| format!("{title}\n{name}")));
    let header = ["program", "algorithm"].map(str::to_owned).into_iter().chain(columns);
    let mut rows = Vec::new();
    let Some((first, others)) = runs.split_first() else { return Ok(String::new()) };
    for cost in first.cost.iter().filter(|cost| cost.mode == "signed") {
        let (program, algorithm) = (&*cost.program, cost.algorithm.as_deref());
        let has = |run: &Run| run.cost(program, "signed", algorithm).is_some();
        if !others.is_empty() && !others.iter().any(has) {
            continue;
        }
        let figures = runs.iter().flat_map(|run| figures(run, program, algorithm));
        let row = [program, algorithm.unwrap_or("-")].map(str::to_owned).into_iter().chain(figures);
        rows.push(row.collect());
    }
    let table = plain::table(header, rows, |index| index < 2);
    let unit = |(name, run): (&String, &Run)| format!("{name}: {}", run.environment.unit.plural());
    let units: Vec<String> = names.iter().zip(&runs).map(unit).collect();
    Ok(format!("{}\n\n{}.", table, units.join("; ")))
}

fn figures(run: &Run, program: &str, algorithm: Option<&str>) -> Vec<String> {
    let figure = |mode: &str, of: Which| {
        let algorithm = algorithm.filter(|_| mode != "unsigned");
        of(run.cost(program, mode, algorithm)?)
    };
    let show = |figure: Figure| run.environment.unit.short(figure.median);
    COLUMNS.iter().map(|(_, mode, of)| figure(mode, *of).map_or("-".to_owned(), show)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn runs_stand_side_by_side() {
        let directory = tempfile::tempdir().unwrap();
        let run = |engine: &str, unit: &str, programs: &[&str]| {
            let cost = |program: &&str| {
                format!(
                    r#"{{"program":"{program}","mode":"signed","algorithm":"p-256","total":{{"median":1500}},
                         "signature":{{"median":1000}},"verifier":null}},
                       {{"program":"{program}","mode":"unsigned","algorithm":null,"total":{{"median":500}},
                         "signature":null,"verifier":null}}"#
                )
            };
            let costs: Vec<_> = programs.iter().map(cost).collect();
            let text = format!(
                r#"{{"environment":{{"engine":"{engine}","unit":"{unit}"}},"cost":[{}]}}"#,
                costs.join(",")
            );
            let path = directory.path().join(engine);
            fs::write(&path, text).unwrap();
            path
        };
        let tcg = run("tcg", "guest instructions", &["one", "two"]);
        let uml = run("uml", "ns", &["two"]);
        let text = side_by_side(&[tcg.clone(), uml]).unwrap();
        assert!(!text.contains("one"), "{text}");
        let row: Vec<_> = text.lines().find(|line| line.contains("two")).unwrap().split("  ").collect();
        let row: Vec<_> = row.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
        let expected = [
            "two", "p-256", "500", "1.50 k", "-", "1.00 k", "-", "-", "500 ns", "1.50 µs", "-", "1.00 µs",
            "-", "-",
        ];
        assert_eq!(row, expected);
        assert!(side_by_side(&[tcg]).unwrap().contains("one"));
    }
}
