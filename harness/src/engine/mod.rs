//! Where measurements run: a virtual machine that boots a given kernel over this machine's root file system.
//!
//! The `vmtest` crate sets the machine up; this module decides what executes it (see [`Engine`]), bounds it in time
//! and makes sure that QEMU never outlives it.

mod probe;
mod qemu;
mod vm;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::interrupt::Interrupted;
use crate::progress::Progress;

pub use qemu::version as qemu_version;
pub use vm::{Event, GUEST_SHARE, Vm, quote};

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// QEMU's translator, its clock advanced by one nanosecond an instruction: the same figures on any host, however
    /// loaded it is.
    Tcg,
    /// The CPU itself, through KVM.
    Kvm,
}

impl Engine {
    /// What a nanosecond of the guest's clock stands for.
    pub fn unit(self) -> Unit {
        match self {
            Engine::Tcg => Unit::Instructions,
            Engine::Kvm => Unit::Nanoseconds,
        }
    }

    /// How long a kernel may take from power-on until it takes commands.
    ///
    /// vmtest itself gives up after 80 seconds where `/dev/kvm` exists and 120 where it does not.
    fn boot_limit(self) -> Duration {
        match self {
            Engine::Tcg => Duration::from_secs(75),
            Engine::Kvm => Duration::from_secs(25),
        }
    }

    /// QEMU arguments, after vmtest's own: the last one wins.
    fn qemu_args(self) -> &'static [&'static str] {
        match self {
            // vmtest asks for KVM wherever /dev/kvm exists, and `-accel tcg` would not take that back.
            Engine::Tcg => {
                &["-machine", "accel=tcg", "-cpu", "max", "-icount", "shift=0,sleep=off,align=off"]
            }
            Engine::Kvm => &[],
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Tcg => "tcg",
            Engine::Kvm => "kvm",
        })
    }
}

/// What figures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Instructions that the guest executed, in kernel and system call alike.
    #[serde(rename = "guest instructions")]
    Instructions,
    /// Real nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
}

/// The engine that the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// KVM if it boots this kernel, otherwise TCG
    Auto,
    /// QEMU's translator: deterministic instruction counts, on any host
    #[default]
    Tcg,
    /// KVM: nanoseconds, only where it boots this kernel
    Kvm,
}

impl Choice {
    /// Decides on the engine for `kernel`; if the user left the choice, says why it is not KVM.
    ///
    /// # Errors
    /// KVM was demanded and does not boot this kernel, or the user interrupted.
    pub fn engine(self, kernel: &Path, progress: &Progress) -> Result<Engine> {
        match self {
            Choice::Tcg => Ok(Engine::Tcg),
            Choice::Kvm => probe::kvm(kernel).map(|()| Engine::Kvm),
            Choice::Auto => match probe::kvm(kernel) {
                Ok(()) => Ok(Engine::Kvm),
                Err(error) if error.is::<Interrupted>() => Err(error),
                Err(error) => {
                    progress.line(&format!("{error:#}\nGoing on with TCG."));
                    Ok(Engine::Tcg)
                }
            },
        }
    }
}
