//! Downloads the kernel's source as Debian's package, from the first suite that has it.

use std::fs;
use std::iter;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::Lock;
use super::process::{self, Log};
use super::source::{Source, tarball_in};
use super::{Release, apt};
use crate::interrupt::Interrupted;
use crate::progress::{Progress, Total};

/// The source that [`download`] has put into `directory`, if it has.
pub fn downloaded(release: Release, directory: &Path) -> Option<Source> {
    tarball_in(directory, release)
}

/// Takes the source out of Debian's package, into `directory`, without installing the package. Needs the lock.
pub fn download(release: Release, directory: &Path, _lock: &Lock, progress: &Progress) -> Result<Source> {
    if let Some(source) = downloaded(release, directory) {
        return Ok(source);
    }
    let package = release.package();
    progress.line(&format!("The package {package} is not installed: downloading it, about 160 MB"));
    first_of(release, |suite| {
        let scratch = directory.join("download");
        if scratch.exists() {
            fs::remove_dir_all(&scratch).context("cannot remove what the last download left")?;
        }
        fs::create_dir(&scratch).with_context(|| format!("cannot write {}", scratch.display()))?;
        let result = download_into(&scratch, directory, release, suite, progress);
        let cleaned = fs::remove_dir_all(&scratch);
        let source = result?;
        cleaned?;
        Ok(source)
    })
}

/// Fetches the source from the suites that this machine uses, otherwise from each of those that may have it: a suite moves
/// on, and then has another release. Fails, saying what was tried, if none of them has it.
fn first_of(release: Release, mut fetch: impl FnMut(Option<&str>) -> Result<Source>) -> Result<Source> {
    let mut tried = String::new();
    for suite in iter::once(None).chain(release.suites.iter().copied().map(Some)) {
        match fetch(suite) {
            Err(error) if !error.is::<Interrupted>() => {
                let suite = suite.unwrap_or("the suites of this machine");
                tried += &format!("\n  {suite}: {}", reason(&error));
            }
            result => return result,
        }
    }
    bail!(
        "cannot download the package {}; `--source` takes the source of any Linux {}.y, as a directory or a tarball. \
         Tried:{tried}",
        release.package(),
        release.number
    )
}

/// What apt says is wrong, or else the error, in one line.
fn reason(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let of_apt = text.lines().rev().find_map(|line| line.trim().strip_prefix("E: "));
    of_apt.or_else(|| text.lines().next()).unwrap_or_default().to_owned()
}

fn download_into(
    scratch: &Path,
    directory: &Path,
    release: Release,
    suite: Option<&str>,
    progress: &Progress,
) -> Result<Source> {
    let log = Log::create(&directory.join(format!("download-{}.log", suite.unwrap_or("own"))))?;
    let package = release.package();
    let from = suite.map_or(String::new(), |suite| format!(" from {suite}"));
    let task = progress.task(&format!("Downloading {package}{from}"), Total::Unknown);
    let mut apt_get = Command::new("apt-get");
    if let Some(suite) = suite {
        apt_get.args(apt::only(suite, scratch, &log)?);
    }
    process::run(apt_get.args(["download", &package]).current_dir(scratch), &log, |_| {})?;
    let unpack =
        "dpkg-deb --fsys-tarfile *.deb | tar --extract --strip-components=3 --wildcards './usr/src/*.tar.*'";
    process::run(
        Command::new("bash").args(["-o", "pipefail", "-c", unpack]).current_dir(scratch),
        &log,
        |_| {},
    )?;
    let Some(Source::Tarball(tarball)) = tarball_in(scratch, release) else {
        bail!("{package} has no tarball in it")
    };
    let place = directory.join(tarball.file_name().unwrap_or_default());
    fs::rename(&tarball, &place)?;
    task.done();
    Ok(Source::Tarball(place))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    const RELEASE: Release = Release { number: "7.3", suites: &["trixie-backports", "sid"] };

    /// An archive in which one suite has the package. Returns also which were asked.
    fn archive(has: &str) -> (Result<Source>, Vec<String>) {
        let mut asked = Vec::new();
        let result = first_of(RELEASE, |suite| {
            let suite = suite.unwrap_or("own");
            asked.push(suite.to_owned());
            if suite == has {
                return Ok(Source::Tarball(suite.into()));
            }
            let error =
                anyhow!("`apt-get download` failed (100)\n  Reading\n  E: no package in {suite}\n  log");
            Err(error.context(format!("cannot fetch from {suite}")))
        });
        (result, asked)
    }

    #[test]
    fn the_first_suite_that_has_the_package_gives_it() {
        for (has, expected) in [
            ("own", vec!["own"]),
            ("trixie-backports", vec!["own", "trixie-backports"]),
            ("sid", vec!["own", "trixie-backports", "sid"]),
        ] {
            let (result, asked) = archive(has);
            let Source::Tarball(path) = result.unwrap() else { panic!("it is a tarball") };
            assert_eq!((path.to_str(), asked), (Some(has), expected.iter().map(|s| s.to_string()).collect()));
        }
    }

    #[test]
    fn if_all_suites_have_moved_on_each_is_named_with_its_reason() {
        let (result, _) = archive("none");
        let Err(error) = result else { panic!("there is none") };
        assert_eq!(
            error.to_string(),
            "cannot download the package linux-source-7.3; `--source` takes the source of any Linux 7.3.y, as a \
             directory or a tarball. Tried:\n  \
             the suites of this machine: no package in own\n  \
             trixie-backports: no package in trixie-backports\n  \
             sid: no package in sid"
        );
    }

    #[test]
    fn an_error_of_something_else_is_its_own_reason() {
        assert_eq!(reason(&anyhow!("one\ntwo").context("cannot")), "cannot: one");
    }

    #[test]
    fn an_interrupted_download_is_not_tried_elsewhere() {
        let mut asked = 0;
        let result = first_of(RELEASE, |_| {
            asked += 1;
            Err(anyhow::Error::from(Interrupted).context("cannot download"))
        });
        assert!(result.is_err_and(|error| error.is::<Interrupted>()));
        assert_eq!(asked, 1);
    }
}
