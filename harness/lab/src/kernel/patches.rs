//! The patch series.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::process::{self, Event, Log};

/// Patches, in the order in which they apply.
#[derive(Default)]
pub struct Series(Vec<Patch>);

/// A file that `git format-patch` wrote.
pub struct Patch {
    /// File name, after the name of its folder if it is in one.
    pub name: String,
    /// Contents.
    pub text: String,
}

/// Parts of the source that nothing is built from.
const NOT_BUILT: [&str; 3] = ["Documentation/bpf/", "tools/testing/", "MAINTAINERS "];

impl Patch {
    /// What decides how the kernel is built: no words, documentation and tests.
    pub fn built(&self) -> String {
        const FILE: &str = "\ndiff --git a/";
        match self.text.split_once(FILE) {
            // Not of `git format-patch`: no telling what is what.
            None => self.text.clone(),
            Some((_, files)) => files
                .split(FILE)
                .filter(|file| !NOT_BUILT.iter().any(|path| file.starts_with(path)))
                .collect(),
        }
    }
}

impl Series {
    /// Reads the patches for a release: every `*.patch` of a directory, ordered by name, and then those of its folders whose
    /// names begin with a digit, a series each. A directory that does not exist has none.
    pub fn read(directory: &Path) -> Result<Self> {
        if !directory.exists() {
            return Ok(Self::default());
        }
        let mut patches = Vec::new();
        let mut folders = Vec::new();
        for entry in
            fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_some_and(|extension| extension == "patch") {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                patches.push(Patch { name, text });
            } else if path.is_dir() && name.starts_with(|first: char| first.is_ascii_digit()) {
                folders.push((name, path));
            }
        }
        patches.sort_by(|a, b| a.name.cmp(&b.name));
        folders.sort();
        for (folder, path) in folders {
            let series = Self::read(&path)?;
            if series.is_empty() {
                bail!("there are no patches in {}", path.display());
            }
            let in_folder = |patch: Patch| Patch { name: format!("{folder}/{}", patch.name), ..patch };
            patches.extend(series.0.into_iter().map(in_folder));
        }
        Ok(Self(patches))
    }

    /// Appends the patches of another series.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there are no patches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patches in order.
    pub fn iter(&self) -> impl Iterator<Item = &Patch> {
        self.0.iter()
    }

    /// SHA-256 of all patches, one after the other, in hex; none if there are no patches.
    pub fn sha256(&self) -> Option<String> {
        let hash = self.0.iter().fold(Sha256::new(), |hash, patch| hash.chain_update(&patch.text));
        (!self.is_empty()).then(|| hex::encode(hash.finalize()))
    }

    /// Applies the patches to the tree at `tree`. An error names the patch, the file and the hunk.
    pub fn apply(&self, tree: &Path, log: &Log) -> Result<()> {
        for patch in &self.0 {
            apply(patch, tree, log)?;
        }
        Ok(())
    }
}

fn apply(patch: &Patch, tree: &Path, log: &Log) -> Result<()> {
    let file = tree.with_extension("patch");
    fs::write(&file, &patch.text).with_context(|| format!("cannot write {}", file.display()))?;
    let mut command = Command::new("patch");
    // `git apply` would pass over every file if the tree lay inside some repository.
    // No fuzz: a hunk whose surroundings have changed needs a person to look at it. It may have moved, though.
    command
        .args(["--strip=1", "--forward", "--batch", "--fuzz=0", "--directory"])
        .arg(tree)
        .stdin(File::open(&file)?)
        .env("LC_ALL", "C");

    let mut path = String::new();
    let mut rejected = Vec::new();
    let result = process::run(&mut command, log, |event| {
        let Event::Line(line) = event else { return };
        if let Some(name) = line.strip_prefix("patching file ") {
            path = name.trim_matches('\'').to_owned();
        } else if let Some(header) = line.strip_prefix("|+++ b/") {
            path = header.split_whitespace().next().unwrap_or_default().to_owned();
        } else if line.contains("FAILED") && line.starts_with("Hunk #") {
            rejected.push(format!("{path}: {}", line.trim_end_matches('.')));
        } else if line.starts_with("No file to patch") {
            rejected.push(format!("{path}: no such file"));
        } else if line.starts_with("Reversed (or previously applied) patch detected") {
            rejected.push(format!("{path}: already applied"));
        }
    });
    match result {
        Err(error) if error.is::<process::Failed>() && !rejected.is_empty() => {
            bail!("{} does not apply:\n  {}", patch.name, rejected.join("\n  "))
        }
        other => other.with_context(|| format!("cannot apply {}", patch.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "\
From: A <a@example.org>
Subject: [PATCH] change two lines

---
--- a/kernel/file.c
+++ b/kernel/file.c
@@ -1,3 +1,3 @@
-one
+ONE
 two
 three
@@ -8,3 +8,3 @@
 eight
 nine
-ten
+TEN
";

    fn tree_with(text: &str) -> (tempfile::TempDir, Log) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("linux/kernel")).unwrap();
        fs::write(directory.path().join("linux/kernel/file.c"), text).unwrap();
        let log = Log::create(&directory.path().join("log")).unwrap();
        (directory, log)
    }

    fn series() -> Series {
        Series(vec![Patch { name: "0001-change.patch".into(), text: PATCH.into() }])
    }

    const ORIGINAL: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

    #[test]
    fn applies() {
        let (directory, log) = tree_with(ORIGINAL);
        series().apply(&directory.path().join("linux"), &log).unwrap();
        let text = fs::read_to_string(directory.path().join("linux/kernel/file.c")).unwrap();
        assert_eq!(text, ORIGINAL.replace("one", "ONE").replace("ten", "TEN"));
    }

    #[test]
    fn a_file_that_is_linked_elsewhere_is_replaced_not_changed() {
        let (directory, log) = tree_with(ORIGINAL);
        let pristine = directory.path().join("pristine.c");
        fs::hard_link(directory.path().join("linux/kernel/file.c"), &pristine).unwrap();
        series().apply(&directory.path().join("linux"), &log).unwrap();
        assert_eq!(fs::read_to_string(pristine).unwrap(), ORIGINAL);
    }

    #[test]
    fn a_rejected_hunk_is_named() {
        let (directory, log) = tree_with(&ORIGINAL.replace("nine", "other"));
        let error = series().apply(&directory.path().join("linux"), &log).unwrap_err();
        assert_eq!(
            error.to_string(),
            "0001-change.patch does not apply:\n  kernel/file.c: Hunk #2 FAILED at 8"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let (directory, log) = tree_with(ORIGINAL);
        fs::remove_file(directory.path().join("linux/kernel/file.c")).unwrap();
        let error = series().apply(&directory.path().join("linux"), &log).unwrap_err();
        assert!(error.to_string().contains("\n  kernel/file.c: no such file"), "{error}");
    }

    #[test]
    fn a_patch_that_is_in_already_is_named() {
        let (directory, log) = tree_with(ORIGINAL);
        series().apply(&directory.path().join("linux"), &log).unwrap();
        let error = series().apply(&directory.path().join("linux"), &log).unwrap_err();
        assert!(error.to_string().contains("\n  kernel/file.c: already applied"), "{error}");
    }

    #[test]
    fn patches_are_read_in_order_and_hashed() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["0002-b.patch", "0001-a.patch", "README"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let series = Series::read(directory.path()).unwrap();
        assert_eq!(
            series.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
            ["0001-a.patch", "0002-b.patch"]
        );
        assert_eq!(series.sha256().unwrap(), hex::encode(Sha256::digest("0001-a.patch0002-b.patch")));
        assert!(Series::read(&directory.path().join("none")).unwrap().sha256().is_none());
    }

    #[test]
    fn what_nothing_is_built_from_does_not_count() {
        let built = |message: &str, code: &str, document: &str| {
            let text = format!(
                "Subject: [PATCH] {message}\n\n---\ndiff --git a/Documentation/bpf/a.rst b/Documentation/bpf/a.rst\n\
                 +{document}\ndiff --git a/kernel/a.c b/kernel/a.c\n+{code}\n"
            );
            Patch { name: String::new(), text }.built()
        };
        assert_eq!(built("one", "two", "three"), built("four", "two", "five"));
        assert_ne!(built("one", "two", "three"), built("one", "four", "three"));
        let bare = Patch { name: String::new(), text: PATCH.to_owned() };
        assert_eq!(bare.built(), PATCH);
    }

    #[test]
    fn the_series_of_a_release_follow_each_other() {
        let directory = tempfile::tempdir().unwrap();
        for folder in ["2-second", "1-first", "uml"] {
            fs::create_dir(directory.path().join(folder)).unwrap();
        }
        for name in
            ["2-second/0001-c.patch", "1-first/0002-b.patch", "1-first/0001-a.patch", "uml/0001-d.patch"]
        {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let series = Series::read(directory.path()).unwrap();
        assert_eq!(
            series.iter().map(|patch| patch.name.as_str()).collect::<Vec<_>>(),
            ["1-first/0001-a.patch", "1-first/0002-b.patch", "2-second/0001-c.patch"]
        );

        fs::remove_file(directory.path().join("2-second/0001-c.patch")).unwrap();
        let Err(error) = Series::read(directory.path()) else { panic!("a series is missing") };
        assert!(error.to_string().ends_with("/2-second"), "{error}");
    }
}
