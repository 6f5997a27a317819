//! The dependencies that CONTRIBUTING.md allows crates and modules: no circles, and a loader without the lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate may depend on of this workspace.
const CRATES: [(&str, &[&str]); 5] = [
    ("bpfsig-signing", &[]),
    ("bpfsig-loading", &["bpfsig-signing"]),
    ("bpfsig-policy", &["bpfsig-loading", "bpfsig-signing"]),
    ("bpfsig-lab", &["bpfsig-loading", "bpfsig-policy", "bpfsig-signing"]),
    ("bpfsig", &["bpfsig-lab", "bpfsig-loading", "bpfsig-policy", "bpfsig-signing"]),
];

/// Crates that an application must not get with `bpfsig-loading`: to build, boot and measure kernels, and for commands.
const NOT_IN_LOADING: [&str; 7] =
    ["anyhow", "bpfsig-lab", "clap", "libbpf-cargo", "maud", "plotters", "vmtest"];

/// The folders of the crates, whose modules are to have no circle.
const FOLDERS: [&str; 5] = ["signing", "loading", "policy", "lab", "cli"];

type Graph = BTreeMap<String, BTreeSet<String>>;

fn harness() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `cargo metadata`: for each package, what it depends on when it is built or run, here: what it depends on elsewhere
/// has not been downloaded.
fn packages() -> Graph {
    let here = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform", &here])
        .current_dir(harness())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let array = |value: &Value| value.as_array().unwrap().clone();
    let names: BTreeMap<_, _> = array(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let is_for_tests =
        |dependency: &Value| array(&dependency["dep_kinds"]).iter().all(|kind| kind["kind"] == "dev");
    array(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let dependencies =
                array(&node["deps"]).into_iter().filter(|dependency| !is_for_tests(dependency));
            let names_of = dependencies.map(|dependency| names[&text(&dependency["pkg"])].clone());
            (names[&text(&node["id"])].clone(), names_of.collect())
        })
        .collect()
}

/// All that can be reached from a node.
fn reachable(graph: &Graph, start: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![start.to_owned()];
    while let Some(node) = next.pop() {
        for to in graph.get(&node).into_iter().flatten() {
            if seen.insert(to.clone()) {
                next.push(to.clone());
            }
        }
    }
    seen
}

/// The edges that are part of a circle.
fn circles(graph: &Graph) -> Vec<(String, String)> {
    let edges = graph.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    let closes = |(from, to): &(&String, &String)| reachable(graph, to).contains(*from);
    edges.filter(closes).map(|(from, to)| (from.clone(), to.clone())).collect()
}

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let packages = packages();
    for (name, allowed) in CRATES {
        let ours = packages[name].iter().filter(|other| other.starts_with("bpfsig"));
        let unexpected: Vec<_> = ours.filter(|other| !allowed.contains(&other.as_str())).collect();
        assert!(unexpected.is_empty(), "{name} must not depend on {unexpected:?}");
    }
}

#[test]
fn an_application_gets_no_lab_with_the_loader() {
    let all = reachable(&packages(), "bpfsig-loading");
    assert!(all.contains("bpfsig-signing"), "{all:?}");
    let unexpected: Vec<_> = NOT_IN_LOADING.iter().filter(|name| all.contains(**name)).collect();
    assert!(unexpected.is_empty(), "bpfsig-loading depends on {unexpected:?}");
}

/// The top-level modules of a crate, and which of the others each names as `crate::…`. Tests and comments do not count.
fn modules(source: &Path) -> Graph {
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(source) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let first = path.strip_prefix(source).unwrap().components().next().unwrap();
            let name = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
            files.entry(name).or_default().push(path);
        }
    }
    // They declare the modules, and name them for others.
    files.retain(|name, _| !matches!(name.as_str(), "lib" | "main"));
    let names: BTreeSet<_> = files.keys().cloned().collect();
    files
        .iter()
        .map(|(name, files)| {
            let mut used = BTreeSet::new();
            for file in files {
                let depth = file.strip_prefix(source).unwrap().components().count();
                let is_top = depth == 1 || (depth == 2 && file.ends_with("mod.rs"));
                used.extend(used_modules(&fs::read_to_string(file).unwrap(), is_top));
            }
            used.retain(|other| other != name && names.contains(other));
            (name.clone(), used)
        })
        .collect()
}

/// What follows `crate::` in code, also in braces; in a top-level module, `super::` is the same.
fn used_modules(code: &str, is_top: bool) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut used = BTreeSet::new();
    let roots: &[&str] = if is_top { &["crate::", "super::"] } else { &["crate::"] };
    for root in roots {
        for (start, _) in code.match_indices(root) {
            let before = code[..start].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &code[start + root.len()..];
            match rest.strip_prefix('{') {
                Some(list) => used.extend(top_names(list)),
                None => used.extend(first_name(rest)),
            }
        }
    }
    used
}

/// The first name of each item in a list in braces, which begins behind the opening one.
fn top_names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut item) = (0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                names.extend(first_name(list[item..at].trim()));
                item = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => (),
        }
    }
    names
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn modules_depend_on_each_other_in_one_direction() {
    let mut found = Vec::new();
    for name in FOLDERS {
        let modules = modules(&harness().join(name).join("src"));
        assert!(modules.values().any(|used| !used.is_empty()), "no module of {name} uses another");
        found.extend(circles(&modules).into_iter().map(|(from, to)| format!("{name}: {from} -> {to}")));
    }
    assert!(found.is_empty(), "these edges are part of a circle:\n{found:#?}");
}

#[test]
fn uses_are_found_as_rust_writes_them() {
    let code = "use crate::{error::{Error, Result}, pin};\nuse super::object::Loaded; // crate::comment\n\
                fn f() { crate::info::id() }\n#[cfg(test)]\nmod tests { use crate::tests_only; }";
    let names = |is_top| used_modules(code, is_top).into_iter().collect::<Vec<_>>();
    assert_eq!(names(true), ["error", "info", "object", "pin"]);
    assert_eq!(names(false), ["error", "info", "pin"]);
}
