//! `package.sha256`: the digest of each file by its path, in the format of `sha256sum`.

use super::{File, PackageError};
use crate::Digest;

/// The list of the files in a folder.
pub fn write(folder: &str, files: &[File]) -> String {
    files.iter().map(|file| format!("{}  {folder}/{}\n", Digest::of(&file.content), file.path)).collect()
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
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| line.split_once("  ").ok_or(PackageError::Index(at + 1))).collect()
}
