//! Where a run takes place.

use std::env;
use std::fs;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;
use bpfsig_signing::Digest;

use crate::engine::{Engine, qemu_version};
use crate::kernel::Kernel;
use crate::results::{DIRTY, Environment, KernelIdentity, Unit};

/// Describes the engine, the host and the sources.
///
/// # Errors
/// QEMU is missing.
pub(super) fn environment(engine: Engine) -> Result<Environment> {
    Ok(Environment {
        engine: engine.to_string(),
        unit: match engine {
            // A nanosecond of the guest's clock.
            Engine::Tcg => Unit::Instructions,
            Engine::Kvm | Engine::Uml | Engine::Host => Unit::Nanoseconds,
        },
        kernels: Vec::new(),
        qemu: engine.is_qemu().then(qemu_version).transpose()?,
        cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
        commit: commit(),
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        command: command(),
        seconds: 0,
    })
}

/// Describes a kernel; `version` is what it reports while it runs.
pub(super) fn identity(kernel: &Kernel, version: String) -> KernelIdentity {
    KernelIdentity {
        variant: kernel.variant.to_string(),
        version,
        config_sha256: kernel.config_sha256.clone(),
        patches_sha256: kernel.patches_sha256.clone(),
    }
}

/// The arguments of this process, as for a shell.
pub fn command() -> String {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    shell_words::join(arguments)
}

/// The model of the host's processor.
fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, model) = text.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
    Some(model.trim().to_owned())
}

/// The commit of the sources that this program was built from, and a digest of the changes since.
fn commit() -> Option<String> {
    let mut commit = git(&["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"])?;
    if commit.ends_with(DIRTY) {
        let digest = Digest::of(git(&["diff", "--binary", "HEAD"])?.as_bytes()).to_string();
        commit += &format!("-{}", &digest[..12]);
    }
    Some(commit)
}

/// What git says about the sources; none without git or a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR")]).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(text).filter(|text| output.status.success() && !text.is_empty())
}
