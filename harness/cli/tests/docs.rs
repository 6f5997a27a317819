//! The commands in README.md, CONTRIBUTING.md and docs/ do what the pages say.
//!
//! Blocks marked `sh` are run, a page's one after the other, in a directory of their own. The others need what a test
//! can't have: `sh kernel` the patched kernel and root, `sh lab` a virtual machine, `sh build` the time to build
//! kernels. Of these, only the commands and options are checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BPFSIG: &str = env!("CARGO_BIN_EXE_bpfsig");

/// The program that the pages sign.
const OBJECT: &str = "docs/demo/cgroup_port_stats.bpf.o";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The pages, by their names.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages
}

/// The contents of the blocks of a page that are marked like this.
fn blocks(page: &str, mark: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.strip_prefix("```").filter(|mark| !mark.is_empty()) else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        assert!(["sh", "sh kernel", "sh lab", "sh build", "text"].contains(&found), "{page}: {line}");
        if found == mark {
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// What `bash` prints of a script in a directory of its own. It must succeed.
fn run(script: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(root().join(OBJECT), directory.path().join("prog.bpf.o")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(&directory)
        .env("PATH", format!("{}:{path}", Path::new(BPFSIG).parent().unwrap().display()))
        .env("BPFSIG", BPFSIG)
        .output()
        .unwrap();
    let [text, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{script}\n{text}{errors}");
    text
}

#[test]
fn the_commands_of_each_page_run() {
    for page in pages() {
        let script = blocks(&page, "sh").join("\n");
        let script = script.replace("scripts/", &format!("{}/scripts/", root().display()));
        println!("{page}:\n{script}\n{}", run(&script));
    }
}

#[test]
fn readme_shows_what_the_demo_prints() {
    let demo = run(&root().join("scripts/demo.sh").display().to_string());
    let demo = demo.lines().map(without_digests).collect::<Vec<_>>();
    let mut printed = demo.iter();
    let shown = blocks("README.md", "text").join("\n");
    for line in shown.lines().filter(|line| !["", "..."].contains(line)) {
        let line = without_digests(line);
        assert!(printed.any(|printed| *printed == line), "the demo doesn't print `{line}`: {demo:#?}");
    }
}

/// Keys, and so their identifiers, are new each time, and signatures by some of them vary in length.
fn without_digests(line: &str) -> String {
    let is_digest = |word: &str| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let varies = |word: &str| is_digest(word) || word.parse::<u32>().is_ok();
    line.split(' ').map(|word| if varies(word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

/// `scripts/selftests.sh` holds the list against the kernel.
#[test]
fn the_objects_that_do_not_load_signed_are_explained() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (list, page) = (read("scripts/selftests/not-signed"), read("docs/reviewers.md"));
    let mut names: Vec<_> = list.lines().filter(|line| !line.starts_with('#')).map(object).collect();
    names.dedup();
    let explained: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(".bpf.o` |")).collect();
    assert_eq!(names, explained.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

/// The object that a line of the list begins with, without what such names end with.
fn object(line: &str) -> &str {
    line.split_once(".bpf.o: ").unwrap_or_else(|| panic!("{line}")).0
}

/// Without the lab, half of the commands are not there.
#[cfg(feature = "lab")]
#[test]
fn commands_that_can_not_run_here_exist() {
    for page in pages() {
        for mark in ["sh kernel", "sh lab", "sh build"] {
            for block in blocks(&page, mark) {
                println!("{page}, {mark}:\n{block}\n");
                for line in block.replace("\\\n", " ").lines() {
                    for command in line.split(" && ") {
                        assert_exists(&shell_words::split(command).unwrap(), command);
                    }
                }
            }
        }
    }
}

#[cfg(feature = "lab")]
fn assert_exists(words: &[String], command: &str) {
    let words: Vec<_> = words.iter().map(String::as_str).take_while(|word| *word != "#").collect();
    match words[..] {
        ["bpfsig", ref arguments @ ..] => assert_options_exist(arguments, command),
        ["cargo", "run", ref arguments @ ..] => {
            let own = arguments.iter().position(|word| *word == "--").unwrap();
            assert_options_exist(&arguments[own + 1..], command);
        }
        [script, ..] if script.starts_with("scripts/") => {
            assert!(root().join(script).is_file(), "{command}: there is no such script");
        }
        _ => {}
    }
}

/// That `bpfsig` has the subcommand, and the subcommand the options.
#[cfg(feature = "lab")]
fn assert_options_exist(arguments: &[&str], command: &str) {
    let mut subcommand = Vec::new();
    let mut help = None;
    for argument in arguments.iter().take_while(|argument| !argument.starts_with('-')) {
        let output = Command::new(BPFSIG).args(&subcommand).args([argument, "--help"]).output().unwrap();
        if !output.status.success() {
            break;
        }
        subcommand.push(argument);
        help = Some(String::from_utf8(output.stdout).unwrap());
    }
    let help = help.unwrap_or_else(|| panic!("{command}: there is no such command"));
    // What follows `--` is another command.
    let own = arguments.iter().take_while(|argument| **argument != "--");
    for option in own.filter(|argument| argument.starts_with("--")) {
        assert!(
            help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")),
            "{command}: {help}"
        );
    }
}
