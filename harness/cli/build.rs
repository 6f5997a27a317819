//! Tells the command which commit it is built from.

use std::path::Path;
use std::process::Command;

fn main() {
    let mut version = env!("CARGO_PKG_VERSION").to_owned();
    // A copy without a history may lie in somebody else's repository.
    if git(&["ls-files", "--error-unmatch", "Cargo.toml"]).is_some() {
        if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
            version += &format!(" ({commit})");
        }
        for file in ["HEAD", "logs/HEAD"] {
            let path = git(&["rev-parse", "--path-format=absolute", "--git-path", file]);
            if let Some(path) = path.filter(|path| Path::new(path).exists()) {
                println!("cargo::rerun-if-changed={path}");
            }
        }
    }
    println!("cargo::rustc-env=BPFSIG_VERSION={version}");
}

/// What git prints; none if it fails or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
