//! The modules of the lab depend one way.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

/// Each module uses only modules before it. The same list explains itself in `src/lib.rs`.
const ORDER: [&str; 14] = [
    "interrupt",
    "group",
    "destination",
    "progress",
    "kernel",
    "engine",
    "corpus",
    "approve_list",
    "scenario",
    "results",
    "jobs",
    "bench",
    "analysis",
    "report",
];

fn place(module: &str) -> usize {
    let place = ORDER.iter().position(|other| *other == module);
    place.unwrap_or_else(|| panic!("the module {module} has no place in the order"))
}

/// The modules that a source uses.
fn used(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).flat_map(|rest| {
        // `crate::NAME`, or `crate::{NAME::…, NAME::…}` on one line.
        let group = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        group
            .unwrap_or(rest.split([':', ';', ' ', '(', ')', ',', '`', ']']).next().unwrap_or_default())
            .split(',')
    })
}

#[test]
fn each_uses_only_modules_before_it() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for entry in WalkDir::new(&sources) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(&sources).unwrap();
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        if !is_source || path == Path::new("lib.rs") {
            continue;
        }
        let top = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = top.trim_end_matches(".rs");
        for other in used(&fs::read_to_string(entry.path()).unwrap()) {
            let other = other.split("::").next().unwrap_or_default().trim();
            assert!(place(other) <= place(module), "{} uses {other}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}
