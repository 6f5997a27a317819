//! Packages from a suite other than the machine's own, without a change to its lists.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::process::{self, Event, Log};

/// Debian's keys, which the package `debian-archive-keyring` keeps there on every Debian.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches the list of packages of a suite into `scratch`, and returns the options that make `apt-get` use only that
/// list. The suite comes from the same archive as the machine's own.
pub fn only(suite: &str, scratch: &Path, log: &Log) -> Result<Vec<String>> {
    let archive = archive(log)?;
    let list = scratch.join("sources.list");
    fs::write(&list, format!("deb [signed-by={KEYRING}] {archive} {suite} main\n"))?;
    let lists = scratch.join("lists");
    fs::create_dir(&lists)?;
    let options: Vec<_> = [
        format!("Dir::Etc::sourcelist={}", list.display()),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        format!("Dir::State::lists={}", lists.display()),
        format!("Dir::Cache={}", scratch.display()),
        // The user that apt otherwise becomes can't write to a cache in somebody's home.
        "APT::Sandbox::User=".to_owned(),
        // Without it, a failed download of the list is only a warning.
        "APT::Update::Error-Mode=any".to_owned(),
    ]
    .into_iter()
    .map(|option| format!("--option={option}"))
    .collect();
    process::run(Command::new("apt-get").args(&options).arg("update"), log, |_| {})
        .with_context(|| format!("cannot fetch the list of packages in {suite}"))?;
    Ok(options)
}

/// The address of the archive that the machine gets Debian from.
fn archive(log: &Log) -> Result<String> {
    let mut archive = None;
    let mut apt_get = Command::new("apt-get");
    apt_get.args(["indextargets", "--format", "$(SITE)", "Created-By: Packages", "Label: Debian"]);
    process::run(&mut apt_get, log, |event| {
        if let (Event::Line(line), None) = (event, &archive) {
            archive = Some(line.to_owned());
        }
    })?;
    archive.context("apt knows no archive of Debian: run `apt-get update`")
}
