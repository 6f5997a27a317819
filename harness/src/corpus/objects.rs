//! The programs in `progs/`, embedded as objects that clang wrote.

use anyhow::{Context as _, Result};
use bpfsig_signing::object::Object;

use super::{Entry, Source};

/// Path of the source and bytes of the object.
const OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

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
