//! Paths that mean the same on every system and never lead out of their folder.

use std::collections::BTreeMap;

use super::PackageError;

/// Checks the name of a file or a folder. The characters are those that need no escaping anywhere.
pub fn check_component(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("a part of the path is empty"),
        ".." => Err("it leads out of its folder"),
        _ if name.starts_with('.') => Err("a part of the path begins with a dot"),
        _ if name.ends_with('.') => Err("a part of the path ends with a dot"),
        _ if name.contains('\\') => Err("it has a backslash in it"),
        _ if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+@~,=".contains(&byte)) => {
            Err("it has characters other than A-Z, a-z, 0-9 and ._-+@~,= in it")
        }
        _ => Ok(()),
    }
}

/// Checks a path.
pub fn check(path: &str) -> Result<(), &'static str> {
    if path.starts_with('/') {
        return Err("the path is absolute");
    }
    path.split('/').try_for_each(check_component)
}

/// Checks all paths of a package, also against each other: a file system may not tell upper from lower case, and nothing
/// is a file and a folder at once.
pub fn check_all<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), PackageError> {
    let mut seen: BTreeMap<String, (&str, bool)> = BTreeMap::new();
    for path in paths {
        check(path).map_err(|problem| PackageError::entry(path, problem))?;
        let folders = path.match_indices('/').map(|(end, _)| (&path[..end], true));
        for (part, is_folder) in folders.chain([(path, false)]) {
            match seen.insert(part.to_ascii_lowercase(), (part, is_folder)) {
                None => {}
                Some((other, true)) if is_folder && other == part => {}
                Some((other, _)) => {
                    return Err(PackageError::Conflict { one: other.into(), other: path.into() });
                }
            }
        }
    }
    Ok(())
}
