//! The results that a report is made of.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::analysis::Run;
use crate::results::{AnyResults, Attacks, Environment, Partial, Results};

/// Results of both kinds, in the order in which they were given.
#[derive(Default)]
pub struct Collection {
    pub(super) runs: Vec<Named<Run>>,
    pub(super) attacks: Vec<Named<Results<Attacks>>>,
}

/// A result, and its name next to others.
pub(super) struct Named<T> {
    pub name: String,
    pub file: PathBuf,
    pub result: T,
}

impl Collection {
    /// Reads files that `bpfsig bench` has written.
    ///
    /// # Errors
    /// A file can't be read, is of another kind or schema, or is given twice.
    pub fn read(files: &[PathBuf]) -> Result<Collection> {
        let mut collection = Collection::default();
        for (index, file) in files.iter().enumerate() {
            ensure!(!files[..index].contains(file), "{} is given twice", file.display());
            collection.add(file, AnyResults::read(file)?);
        }
        Ok(collection.named())
    }

    /// A result that has just been written, or is about to be.
    pub fn of(file: &Path, results: AnyResults) -> Collection {
        let mut collection = Collection::default();
        collection.add(file, results);
        collection.named()
    }

    fn add(&mut self, file: &Path, results: AnyResults) {
        let (name, file) = (String::new(), file.to_owned());
        match results {
            AnyResults::Loads(results) => self.runs.push(Named { name, file, result: Run::of(results) }),
            AnyResults::Attacks(result) => self.attacks.push(Named { name, file, result }),
        }
    }

    fn named(mut self) -> Collection {
        name(&mut self.runs, |run| &run.results.environment);
        name(&mut self.attacks, |attacks| &attacks.environment);
        self
    }

    /// All environments, with the file that each comes from.
    pub(super) fn environments(&self) -> impl Iterator<Item = (&Path, &Environment)> {
        let runs = self.runs.iter().map(|run| (&*run.file, &run.result.results.environment));
        runs.chain(self.attacks.iter().map(|attacks| (&*attacks.file, &attacks.result.environment)))
    }

    /// What is missing in which file, in words.
    pub(super) fn partial(&self) -> Vec<String> {
        let runs = self.runs.iter().map(|run| (&*run.file, &run.result.results.partial));
        let attacks = self.attacks.iter().map(|attacks| (&*attacks.file, &attacks.result.partial));
        let partial = runs.chain(attacks).filter_map(|(file, partial)| Some((file, partial.as_ref()?)));
        partial.map(|(file, partial)| in_words(file, partial)).collect()
    }
}

fn in_words(file: &Path, Partial { reason, missing }: &Partial) -> String {
    let missing = match &missing[..] {
        [] => String::new(),
        missing => format!(" Missing: {}.", missing.join("; ")),
    };
    // A reason may go on for lines: a console's, say.
    let reason = reason.lines().next().unwrap_or_default();
    format!(
        "{} is PARTIAL: the run ended early ({reason}).{missing} `bpfsig bench --resume` completes it.",
        file.display()
    )
}

/// Calls each by its engine; by its file if there are several of that engine.
fn name<T>(results: &mut [Named<T>], environment: impl Fn(&T) -> &Environment) {
    let engines: Vec<String> =
        results.iter().map(|named| environment(&named.result).engine.clone()).collect();
    for (named, engine) in results.iter_mut().zip(&engines) {
        let is_only = engines.iter().filter(|other| *other == engine).count() == 1;
        named.name =
            if is_only { engine.clone() } else { named.file.with_extension("").display().to_string() };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::analysis::fixture;

    fn written(directory: &Path, name: &str, text: &[u8]) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn results_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let run = |name, engine| {
            let results = fixture::results(engine, vec![fixture::load("one", "signed", 5)]);
            written(directory.path(), name, &results.to_json().unwrap())
        };
        let files = [run("a.json", "tcg"), run("b.json", "uml"), run("c.json", "tcg")];
        let collection = Collection::read(&files).unwrap();
        let names: Vec<_> = collection.runs.iter().map(|run| run.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["a", "uml", "c"]);
        assert!(collection.partial().is_empty());
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut results = fixture::results("tcg", vec![fixture::load("one", "signed", 5)]);
        let missing = vec!["mainline".to_owned(), "baseline, listed loader".to_owned()];
        results.partial = Some(Partial { reason: "interrupted\nlast lines".to_owned(), missing });
        let collection = Collection::of(Path::new("a.json"), AnyResults::Loads(results));
        assert_eq!(
            collection.partial(),
            [
                "a.json is PARTIAL: the run ended early (interrupted). Missing: mainline; baseline, listed loader. \
              `bpfsig bench --resume` completes it."
            ]
        );
    }

    #[test]
    fn what_is_no_result_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let error = |name: &str, text: &str| {
            let file = written(directory.path(), name, text.as_bytes());
            let error = Collection::read(&[file]).err().unwrap();
            let message = format!("{error:#}");
            assert!(
                message.contains(name) && message.contains("is not a result of `bpfsig bench`"),
                "{message}"
            );
            message
        };
        let json = |loads| String::from_utf8(fixture::results("tcg", loads).to_json().unwrap()).unwrap();
        let good = json(vec![fixture::load("one", "signed", 5)]);
        assert!(error("empty", "").contains("EOF"));
        assert!(error("text", "no JSON").contains("expected"));
        assert!(error("object", "{}").contains("neither loads nor attacks"));
        assert!(error("none", &json(Vec::new())).contains("no figures"));
        assert!(error("unit", &good.replace("guest instructions", "parsec")).contains("parsec"));
        assert!(error("old", r#"{ "environment": {}, "cost": [] }"#).contains("earlier version"));
        assert!(error("new", &good.replace("\"schema\": 2", "\"schema\": 3")).contains("its schema is 3"));
        let file = written(directory.path(), "good", good.as_bytes());
        let twice = Collection::read(&[file.clone(), file]).err().unwrap().to_string();
        assert!(twice.ends_with("good is given twice"));
        let missing = Collection::read(&["/nonexistent".into()]).err().unwrap();
        assert!(missing.to_string().contains("cannot read /nonexistent"));
    }
}
