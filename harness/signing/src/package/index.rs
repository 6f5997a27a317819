//! `package.sha256`: what the package is, in a comment, and the digest of each file by its path, in the format of
//! `sha256sum`.

use super::{File, PackageError};
use crate::Digest;

/// What a comment begins with, for `sha256sum` too.
const COMMENT: &str = "# ";

/// The list of the files in a folder. `title` has nothing in it but names and spaces.
pub fn write(title: &str, folder: &str, files: &[File]) -> String {
    let lines = files.iter().map(|file| format!("{}  {folder}/{}\n", Digest::of(&file.content), file.path));
    std::iter::once(format!("{COMMENT}{title}\n")).chain(lines).collect()
}

/// The package's title in a list.
pub fn title(index: &[u8]) -> Result<&str, PackageError> {
    let text = std::str::from_utf8(index).map_err(|_| PackageError::Index(1))?;
    text.lines().next().and_then(|line| line.strip_prefix(COMMENT)).ok_or(PackageError::Index(1))
}

/// Checks that the files are those in the list: all of them, and no others.
pub fn check(index: &[u8], folder: &str, files: &[File]) -> Result<(), PackageError> {
    let listed = read(index)?;
    for file in files {
        let path = format!("{folder}/{}", file.path);
        match listed.iter().find(|(_, listed)| *listed == path) {
            None => return Err(PackageError::Unlisted(path)),
            Some((digest, _)) if *digest != Digest::of(&file.content).to_string() => {
                return Err(PackageError::Different(path));
            }
            Some(_) => {}
        }
    }
    let is_there = |path: &str| files.iter().any(|file| path == format!("{folder}/{}", file.path));
    match listed.iter().find(|(_, path)| !is_there(path)) {
        Some((_, path)) => Err(PackageError::Missing(path.escape_debug().to_string())),
        None => Ok(()),
    }
}

fn read(index: &[u8]) -> Result<Vec<(&str, &str)>, PackageError> {
    let text = std::str::from_utf8(index).map_err(|_| PackageError::Index(1))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with(COMMENT));
    lines.map(|(at, line)| line.split_once("  ").ok_or(PackageError::Index(at + 1))).collect()
}
