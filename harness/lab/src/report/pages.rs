//! Where a report goes.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::collection::Collection;
use super::document::Document;
use super::{html, markdown, page, picture};
use crate::output_file::OutputFile;

/// The files of a report, which are known to be writable.
pub struct Pages(Vec<Page>);

struct Page {
    path: PathBuf,
    destination: OutputFile,
    render: fn(&Document) -> Result<String>,
}

impl Page {
    fn new(path: PathBuf, render: fn(&Document) -> Result<String>) -> Result<Page> {
        Ok(Page { destination: OutputFile::new(&path)?, path, render })
    }
}

fn as_html(document: &Document) -> Result<String> {
    Ok(html::render(document))
}

fn as_markdown(document: &Document) -> Result<String> {
    Ok(markdown::render(document))
}

impl Pages {
    /// Beside the JSON of a run, unless that goes to a pipe or a terminal.
    ///
    /// # Errors
    /// A file can't be written, or would take the place of the JSON.
    pub fn beside(json: &Path) -> Result<Pages> {
        if json.exists() && !json.is_file() {
            return Ok(Pages(Vec::new()));
        }
        let taken =
            ["html", "md"].iter().find(|extension| json.extension().is_some_and(|of| of == **extension));
        ensure!(taken.is_none(), "{} is where the report goes: give the JSON another name", json.display());
        Pages::of(&json.with_extension("html"), &json.with_extension("md"))
    }

    /// At `output`: a file if its name ends in `.html`, `.md` or (the first plot alone) `.svg`, otherwise a page and a text in a
    /// directory.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn at(output: &Path) -> Result<Pages> {
        match output.extension().and_then(|extension| extension.to_str()) {
            Some("html") => Ok(Pages(vec![Page::new(output.to_owned(), as_html)?])),
            Some("svg") => Ok(Pages(vec![Page::new(output.to_owned(), picture::render)?])),
            Some("md") => Ok(Pages(vec![Page::new(output.to_owned(), as_markdown)?])),
            _ => Pages::of(&output.join("report.html"), &output.join("report.md")),
        }
    }

    fn of(html: &Path, markdown: &Path) -> Result<Pages> {
        Ok(Pages(vec![Page::new(html.to_owned(), as_html)?, Page::new(markdown.to_owned(), as_markdown)?]))
    }

    /// Where they are.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|page| &*page.path)
    }

    /// Writes the report of `results`, which `bpfsig COMMAND` has asked for.
    ///
    /// # Errors
    /// It can't be written, and what was there before is still there then; nothing can be plotted for a picture.
    pub fn write(&self, results: &Collection, command: &str) -> Result<()> {
        let document = page::document(results, command)?;
        for Page { destination, render, .. } in &self.0 {
            let text = render(&document)?;
            destination.write(|file| Ok(file.write_all(text.as_bytes())?))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_file_or_two() {
        let directory = tempfile::tempdir().unwrap();
        let paths = |pages: Pages| -> Vec<PathBuf> {
            pages.paths().map(|path| path.strip_prefix(&directory).unwrap().to_owned()).collect()
        };
        let at = |name: &str| paths(Pages::at(&directory.path().join(name)).unwrap());
        assert_eq!(at("RESULTS.md"), [Path::new("RESULTS.md")]);
        assert_eq!(at("a.html"), [Path::new("a.html")]);
        assert_eq!(at("a.svg"), [Path::new("a.svg")]);
        assert_eq!(at("new"), ["new/report.html", "new/report.md"].map(PathBuf::from));
        let beside = Pages::beside(&directory.path().join("bench.json")).unwrap();
        assert_eq!(paths(beside), ["bench.html", "bench.md"].map(PathBuf::from));
        assert!(Pages::beside(Path::new("/dev/null")).unwrap().0.is_empty());
        let error = Pages::beside(&directory.path().join("bench.md")).err().unwrap();
        assert!(error.to_string().contains("another name"), "{error}");
    }
}
