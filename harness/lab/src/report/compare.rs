//! Two runs side by side, in veristat's manner: what has moved, and by how much.

use std::path::Path;

use anyhow::{Result, ensure};

use super::document::{Column, Table, Text};
use super::terminal;
use crate::results::{Key, Load, Loads, Results, Summary};

/// A figure that both runs have.
#[derive(Debug, PartialEq)]
struct Change<'a> {
    key: &'a Key,
    figure: &'static str,
    before: f64,
    after: f64,
}

/// The differences of two runs.
pub struct Comparison {
    /// A table of the figures that have moved by more than the threshold, and a line that says how many were compared.
    pub text: String,
    /// Whether anything costs more than it did, beyond the threshold.
    pub is_worse: bool,
}

/// Compares two files that `bpfsig bench` has written. The threshold is a part of the figure before, such as 0.01.
///
/// # Errors
/// A file can't be read, is of another kind, or the two can't be compared.
pub fn compare(before: &Path, after: &Path, threshold: f64) -> Result<Comparison> {
    let (a, b) = (Results::read(before)?, Results::read(after)?);
    let measure =
        |run: &Results<Loads>| format!("{} with {}", run.environment.unit.plural(), run.environment.engine);
    ensure!(
        measure(&a) == measure(&b),
        "{} and {} can't be compared: {} and {}",
        before.display(),
        after.display(),
        measure(&a),
        measure(&b)
    );
    let changes = changes(&a.figures, &b.figures);
    ensure!(!changes.is_empty(), "{} and {} have nothing in common", before.display(), after.display());
    let moved: Vec<&Change> = changes.iter().filter(|change| change.relative().abs() > threshold).collect();
    let summary = format!(
        "{} of {} figures moved by more than {} % ({}).",
        moved.len(),
        changes.len(),
        100.0 * threshold,
        a.environment.unit.plural()
    );
    let summary = match missing(&a.figures, &b.figures) + missing(&b.figures, &a.figures) {
        0 => summary,
        missing => format!("{summary} {missing} loads are in one of the two only."),
    };
    let text = if moved.is_empty() { summary } else { format!("{}\n\n{summary}", table(&moved)) };
    Ok(Comparison { text, is_worse: moved.iter().any(|change| change.after > change.before) })
}

/// How many loads of `a` were not measured in `b`.
fn missing(a: &Loads, b: &Loads) -> usize {
    a.loads.iter().filter(|load| b.get(&load.key).is_none()).count()
}

/// All figures that both runs have, in the order of the first.
fn changes<'a>(a: &'a Loads, b: &Loads) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for before in &a.loads {
        let Some(after) = b.get(&before.key) else { continue };
        for ((figure, a), (_, b)) in figures(before).into_iter().zip(figures(after)) {
            if let (Some(a), Some(b)) = (a, b) {
                changes.push(Change { key: &before.key, figure, before: a, after: b });
            }
        }
    }
    changes
}

/// What is compared of a load: medians.
fn figures(load: &Load) -> [(&'static str, Option<f64>); 4] {
    let median = |figure: &Option<Summary>| figure.as_ref().map(|figure| figure.median);
    [
        ("all system calls", median(&load.all_syscalls)),
        ("BPF_PROG_LOAD", median(&load.prog_load)),
        ("check", load.check.as_ref().map(|check| check.total.median)),
        ("verifier", median(&load.verifier)),
    ]
}

impl Change<'_> {
    /// The difference as a part of the figure before.
    fn relative(&self) -> f64 {
        if self.before == self.after { 0.0 } else { (self.after - self.before) / self.before }
    }
}

fn table(changes: &[&Change<'_>]) -> String {
    let text = ["program", "scenario", "algorithm", "figure"].map(Column::text);
    let numbers = ["before", "after", "difference"].map(Column::number);
    let row = |change: &&Change<'_>| {
        let difference = change.after - change.before;
        let row = [
            change.key.program.clone(),
            change.key.scenario.as_str().to_owned(),
            change.key.algorithm.map_or("-".to_owned(), |algorithm| algorithm.to_string()),
            change.figure.to_owned(),
            format!("{:.0}", change.before),
            format!("{:.0}", change.after),
            format!("{difference:+.0} ({:+.2}%)", 100.0 * change.relative()),
        ];
        row.map(Text::from).into()
    };
    terminal::table(&Table {
        columns: [&text[..], &numbers].concat(),
        rows: changes.iter().map(row).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::analysis::fixture;

    fn run(engine: &str, totals: &[(&str, u64)]) -> String {
        let load = |(program, total): &(&str, u64)| {
            let mut load = fixture::load(program, "signed", *total);
            load.verifier = Some(fixture::summary(7));
            load.all_syscalls = None;
            load
        };
        let json = fixture::results(engine, totals.iter().map(load).collect()).to_json().unwrap();
        String::from_utf8(json).unwrap()
    }

    fn compared(before: &str, after: &str, threshold: f64) -> Result<Comparison> {
        let directory = tempfile::tempdir().unwrap();
        let [a, b] = [("a", before), ("b", after)].map(|(name, text)| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        });
        compare(&a, &b, threshold)
    }

    #[test]
    fn shows_what_has_moved() {
        let before = run("tcg", &[("alpha", 1000), ("two", 1000), ("three", 1000), ("gone", 1)]);
        let after = run("tcg", &[("three", 500), ("alpha", 1005), ("two", 1020), ("new", 1)]);
        let comparison = compared(&before, &after, 0.01).unwrap();
        assert!(comparison.is_worse);
        assert!(comparison.text.contains("+20 (+2.00%)"), "{}", comparison.text);
        assert!(comparison.text.contains("-500 (-50.00%)"), "{}", comparison.text);
        assert!(
            !comparison.text.contains("alpha") && !comparison.text.contains("gone"),
            "{}",
            comparison.text
        );
        assert!(
            comparison.text.ends_with(
                "2 of 6 figures moved by more than 1 % (guest instructions). 2 loads are in one of the two only."
            ),
            "{}",
            comparison.text
        );
    }

    #[test]
    fn what_costs_less_is_not_worse() {
        let comparison =
            compared(&run("tcg", &[("alpha", 1000)]), &run("tcg", &[("alpha", 900)]), 0.01).unwrap();
        assert!(!comparison.is_worse);
    }

    #[test]
    fn refuses_what_can_not_be_compared() {
        let error = |before: &str, after: &str| format!("{:#}", compared(before, after, 0.01).err().unwrap());
        let one = run("tcg", &[("alpha", 1)]);
        assert!(
            error(&one, &run("uml", &[("alpha", 1)]))
                .contains("guest instructions with tcg and time with uml")
        );
        assert!(error(&one, &run("tcg", &[("two", 1)])).contains("nothing in common"));
        assert!(error(&one, "{}").contains("it has neither loads nor attacks"));
        assert!(error(&one, r#"{ "cost": [] }"#).contains("an earlier version of bpfsig has written it"));
        let missing = compare("/nonexistent".as_ref(), "/nonexistent".as_ref(), 0.01).err().unwrap();
        assert!(missing.to_string().contains("cannot read /nonexistent"));
    }
}
