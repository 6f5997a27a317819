//! `completions`, `man` and `--version`.

use std::fs;
use std::process::Command;

use crate::scratch::{Scratch, succeed};

#[test]
fn bash_completes_commands_and_options() {
    let scratch = Scratch::new();
    scratch.write("completions", scratch.bpfsig("completions bash").as_bytes());
    // As bash calls it: the command, the word at the cursor, the one before.
    let complete = |before: &str, word: &str| {
        let script = format!(
            "source completions; COMP_WORDS=({before} {word}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _bpfsig bpfsig {word} {before}; echo ${{COMPREPLY[*]}}"
        );
        succeed(scratch.command("bash", "-c").arg(script))
    };
    assert_eq!(complete("bpfsig", "ver"), "verify\n");
    assert_eq!(complete("bpfsig sign", "--emb"), "--embed\n");
}

#[test]
fn each_command_has_a_manual_page() {
    let scratch = Scratch::new();
    scratch.bpfsig("man pages");
    let page = |name: &str| fs::read_to_string(scratch.path(&format!("pages/{name}.1"))).unwrap();
    assert!(page("bpfsig").contains("bpfsig\\-verify(1)"));
    assert!(page("bpfsig-sign").contains("\\fB\\-\\-embed\\fR"));
    assert!(page("bpfsig-package-create").contains("manifest.json"));
    // What people don't call has none.
    for hidden in ["guest", "man"] {
        assert!(!scratch.path(&format!("pages/bpfsig-{hidden}.1")).exists());
        assert!(!page("bpfsig").contains(&format!("bpfsig\\-{hidden}(1)")));
    }
}

#[test]
fn the_version_names_the_commit() {
    let version = Scratch::new().bpfsig("--version");
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = match &git {
        Ok(output) if output.status.success() => {
            format!(" ({})", String::from_utf8_lossy(&output.stdout).trim())
        }
        _ => String::new(),
    };
    assert_eq!(version, format!("bpfsig {}{commit}\n", env!("CARGO_PKG_VERSION")));
}
