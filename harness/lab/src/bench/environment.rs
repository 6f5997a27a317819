//! Where figures come from.

use std::env;
use std::fs;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Unit, qemu_version};
use crate::kernel::Kernel;

/// Where something was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Environment {
    /// What executed the guest.
    pub engine: String,
    /// What all figures count.
    pub unit: Unit,
    /// The measured kernels.
    pub kernels: Vec<KernelIdentity>,
    /// QEMU's version; none: it did not run there.
    pub qemu: Option<String>,
    /// The host's processor.
    pub cpu: String,
    /// This project's commit, with `-dirty` if the sources have been changed since; none if that is not known.
    pub commit: Option<String>,
    /// When, in UTC.
    pub date: String,
    /// What `bpfsig` was told to do; none in files that were written before this was.
    pub command: Option<String>,
    /// For how long, in seconds, with kernels that had to be built first; none in such files, too.
    pub seconds: Option<u64>,
}

/// What kernel it was.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelIdentity {
    /// Release and version.
    pub version: String,
    /// SHA-256 of its configuration.
    pub config_sha256: String,
    /// SHA-256 of its patches; none: it is not patched.
    pub patches_sha256: Option<String>,
}

impl Environment {
    /// Describes the engine, the host and the sources.
    ///
    /// # Errors
    /// QEMU is missing.
    pub(crate) fn of(engine: Engine) -> Result<Environment> {
        Ok(Environment {
            engine: engine.to_string(),
            unit: engine.unit(),
            kernels: Vec::new(),
            qemu: engine.is_qemu().then(qemu_version).transpose()?,
            cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
            commit: commit(),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            command: Some(command()),
            seconds: None,
        })
    }

    /// Adds a kernel (`running`: what it says of itself), once.
    pub(crate) fn add(&mut self, kernel: &Kernel, running: String) {
        let identity = KernelIdentity {
            version: running,
            config_sha256: kernel.config_sha256.clone(),
            patches_sha256: kernel.patches_sha256.clone(),
        };
        if !self.kernels.contains(&identity) {
            self.kernels.push(identity);
        }
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

/// The commit of the sources that this program was built from.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args([
            "-C",
            env!("CARGO_MANIFEST_DIR"),
            "describe",
            "--always",
            "--abbrev=40",
            "--dirty",
            "--exclude=*",
        ])
        .output()
        .ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    Some(commit.trim().to_owned()).filter(|commit| output.status.success() && !commit.is_empty())
}
