//! The tools that a kernel build needs.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Programs and the Debian packages that they come in.
const PROGRAMS: [(&str, &str); 12] = [
    ("gcc", "gcc"),
    ("ld", "binutils"),
    ("make", "make"),
    ("patch", "patch"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("pahole", "pahole"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("bash", "bash"),
    ("depmod", "kmod"),
];

/// C headers and the Debian packages that they come in.
const HEADERS: [(&str, &str); 2] = [("libelf.h", "libelf-dev"), ("openssl/cms.h", "libssl-dev")];

/// Fails, naming the packages, if something is missing.
pub fn check() -> Result<()> {
    let programs = PROGRAMS.iter().filter(|(program, _)| find(program).is_none());
    let headers = HEADERS.iter().filter(|(header, _)| find("gcc").is_some() && !has_header(header));
    let missing: Vec<_> = programs.chain(headers).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    bail!(
        "building the kernel needs {}: run `scripts/setup.sh`, which installs {}",
        names.join(", "),
        packages.join(", ")
    )
}

/// The versions of the tools that shape the image, a line each.
pub fn versions() -> Result<Vec<String>> {
    ["gcc", "ld", "pahole"].into_iter().map(version).collect()
}

/// Where the program is: in `PATH`, or where Debian keeps what only root needs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn has_header(header: &str) -> bool {
    Command::new("gcc")
        .args(["-E", "-include", header, "-x", "c", "/dev/null"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn version(program: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("cannot run `{program} --version`"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(format!("{program}: {}", text.lines().next().unwrap_or_default()))
}
