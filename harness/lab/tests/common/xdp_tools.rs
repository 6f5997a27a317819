//! The objects that Debian's packages `xdp-tools` and `libxdp1` have, as other people's programs.

use std::fs;
use std::path::Path;

/// File names and bytes, ordered by name.
pub fn objects() -> Vec<(String, Vec<u8>)> {
    let directory = format!("/usr/lib/{}-linux-gnu/bpf", std::env::consts::ARCH);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| is_object(path));
    let mut objects: Vec<_> = paths
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    objects.sort();
    assert!(!objects.is_empty(), "{directory} has no objects: scripts/setup.sh installs them");
    objects
}

fn is_object(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "o")
}
