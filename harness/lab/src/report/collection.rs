//! The results that a report is made of.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::run::Run;
use crate::bench::Environment;
use crate::dos;

/// Results of both kinds, in the order in which they were given.
#[derive(Default)]
pub struct Collection {
    pub(super) runs: Vec<Named<Run>>,
    pub(super) attacks: Vec<Named<dos::Results>>,
}

/// A result and what it is called next to others.
pub(super) struct Named<T> {
    pub name: String,
    pub file: PathBuf,
    pub result: T,
}

impl Collection {
    /// Reads files that `bpfsig bench` has written.
    ///
    /// # Errors
    /// A file can't be read, is of another kind, or is given twice.
    pub fn read(files: &[PathBuf]) -> Result<Collection> {
        let mut collection = Collection::default();
        for (index, file) in files.iter().enumerate() {
            ensure!(!files[..index].contains(file), "{} is given twice", file.display());
            let json = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            collection.add(file, &json)?;
        }
        Ok(collection.named())
    }

    /// What has just been written, or is about to be.
    ///
    /// # Errors
    /// It is of another kind.
    pub fn of(file: &Path, json: &[u8]) -> Result<Collection> {
        let mut collection = Collection::default();
        collection.add(file, json)?;
        Ok(collection.named())
    }

    fn add(&mut self, file: &Path, json: &[u8]) -> Result<()> {
        let mut parse = || -> Result<()> {
            let value: Value = serde_json::from_slice(json)?;
            let (name, file) = (String::new(), file.to_owned());
            if value.get("cost").is_some() {
                self.runs.push(Named { name, file, result: Run::parse(json)? });
            } else if value.get("dos").is_some() {
                let result: dos::Results = serde_json::from_slice(json)?;
                ensure!(!result.dos.is_empty(), "it has no figures");
                self.attacks.push(Named { name, file, result });
            } else {
                bail!("it has neither costs nor attacks");
            }
            Ok(())
        };
        parse().with_context(|| format!("{} is no result of `bpfsig bench`", file.display()))
    }

    fn named(mut self) -> Collection {
        name(&mut self.runs, |run| &run.environment);
        name(&mut self.attacks, |attacks| &attacks.environment);
        self
    }

    /// All environments, with the file that each comes from.
    pub(super) fn environments(&self) -> impl Iterator<Item = (&Path, &Environment)> {
        let runs = self.runs.iter().map(|run| (&*run.file, &run.result.environment));
        runs.chain(self.attacks.iter().map(|attacks| (&*attacks.file, &attacks.result.environment)))
    }
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
    use super::*;
    use crate::report::run::fixture;

    fn written(directory: &Path, name: &str, text: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn results_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let run = |name, engine| {
            let run = fixture::run(engine, vec![fixture::cost("one", "signed", 5)]);
            written(directory.path(), name, &run.to_string())
        };
        let files = [run("a.json", "tcg"), run("b.json", "uml"), run("c.json", "tcg")];
        let collection = Collection::read(&files).unwrap();
        let names: Vec<_> = collection.runs.iter().map(|run| run.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["a", "uml", "c"]);
    }

    #[test]
    fn what_is_no_result_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let error = |name: &str, text: &str| {
            let file = written(directory.path(), name, text);
            let error = Collection::read(&[file]).err().unwrap();
            let message = format!("{error:#}");
            assert!(
                message.contains(name) && message.contains("is no result of `bpfsig bench`"),
                "{message}"
            );
            message
        };
        assert!(error("empty", "").contains("EOF"));
        assert!(error("text", "no JSON").contains("expected"));
        assert!(error("object", "{}").contains("neither costs nor attacks"));
        assert!(error("none", &fixture::run("tcg", Vec::new()).to_string()).contains("no figures"));
        assert!(
            error(
                "unit",
                &fixture::run("tcg", Vec::new()).to_string().replace("guest instructions", "parsec")
            )
            .contains("parsec")
        );
        let file = written(
            directory.path(),
            "good",
            &fixture::run("tcg", vec![fixture::cost("one", "signed", 5)]).to_string(),
        );
        assert!(
            Collection::read(&[file.clone(), file])
                .err()
                .unwrap()
                .to_string()
                .ends_with("good is given twice")
        );
        let missing = Collection::read(&["/nonexistent".into()]).err().unwrap();
        assert!(missing.to_string().contains("cannot read /nonexistent"));
    }
}
