//! Where figures come from.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;

use crate::engine::{Engine, Unit, qemu_version};
use crate::kernel::Kernel;

/// Where something was measured.
#[derive(Debug, Serialize)]
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
}

/// What kernel it was.
#[derive(Debug, PartialEq, Serialize)]
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
