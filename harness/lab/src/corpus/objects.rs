//! The programs in `progs/`, embedded as objects that clang wrote.

use anyhow::{Context as _, Result};
use bpfsig_signing::object::Object;

use super::{Entry, Source};

/// Path of the source and bytes of the object.
const OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

/// The objects by the names of their sources, without `.bpf.c`.
pub(super) fn objects() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let name = |path: &'static str| path.trim_start_matches("progs/").trim_end_matches(".bpf.c");
    OBJECTS.iter().map(move |(path, bytes)| (name(path), *bytes))
}

/// The object of the source at `path`.
pub(super) fn object(path: &str) -> Option<&'static [u8]> {
    OBJECTS.iter().find(|(other, _)| *other == path).map(|(_, bytes)| *bytes)
}

pub(super) fn programs() -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (path, bytes) in OBJECTS {
        let object = Object::parse(bytes).with_context(|| format!("cannot read the object of {path}"))?;
        entries.extend(object.programs().iter().map(|program| Entry {
            name: program.name.clone(),
            program: program.clone(),
            source: Source::File(path),
        }));
    }
    Ok(entries)
}
