//! Where measurements run: a machine that runs a given kernel over this machine's root file system.
//!
//! ```text
//! Choice ── kernel, probe ──> Engine ──> Machine: Vm (QEMU, set up by the `vmtest` crate), Uml, Host
//! ```
//!
//! Every machine is bounded in time, and nothing of it outlives us.

mod host;
mod init;
mod machine;
mod probe;
mod process;
mod qemu;
mod sysctls;
mod uml;
mod vm;
mod watch;

use std::fmt;
use std::path::Path;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::interrupt::Interrupted;
use crate::kernel::{self, Kernel, Variant};
use crate::progress::Progress;

use host::Host;
use qemu::Accelerator;
use uml::Uml;
use vm::Vm;

pub use init::init;
pub use machine::{Event, Machine, quote, remove};
pub use qemu::version as qemu_version;
pub use sysctls::Settings;

/// Where a guest finds the contents of [`Machine::share`].
pub const GUEST_SHARE: &str = "/mnt/vmtest";

/// A guest's empty disk, under QEMU.
pub const GUEST_DISK: &str = "/dev/vda";

/// The serial number of that disk.
pub const GUEST_DISK_SERIAL: &str = "bpfsig-scratch";

/// Its size in bytes: enough for executables with debug information. Only what is written takes room.
const DISK_SIZE: u64 = 1 << 30;

/// Enough for the verifier's state for a million instructions, eight megabytes of program and its JITed form.
const MEMORY: &str = "2G";

/// * `nokaslr`: the same addresses, hence the same cache and hash behaviour, in every run.
/// * `oops=panic panic_on_warn=1`: a kernel that has failed must not go on to report figures or to pass tests.
const KERNEL_ARGS: &str = "nokaslr oops=panic panic_on_warn=1";

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// QEMU's translator. With one CPU, its clock is advanced by one nanosecond an instruction: the same figures on any
    /// host, however loaded it is.
    Tcg,
    /// The CPU itself, through KVM.
    Kvm,
    /// The CPU itself: the kernel is a process.
    Uml,
    /// The CPU itself, under the kernel that runs.
    Host,
}

impl Engine {
    /// Whether QEMU is the machine.
    pub fn is_qemu(self) -> bool {
        matches!(self, Engine::Tcg | Engine::Kvm)
    }

    /// Whether all kinds of programs can be loaded there. User-mode Linux lacks some; a host's kernel may, too.
    pub fn takes_all_programs(self) -> bool {
        self.is_qemu()
    }

    /// A machine with so many CPUs, ready to boot `kernel` with an addition to its command line.
    ///
    /// # Errors
    /// The kernel image or QEMU is missing, there is no room for temporary files, or only QEMU has as many CPUs.
    pub fn machine(self, kernel: &Path, kernel_args: &str, cpus: u8) -> Result<Box<dyn Machine>> {
        ensure!(cpus == 1 || self.is_qemu(), "the engine {self} has one CPU");
        Ok(match self {
            Engine::Tcg => Box::new(Vm::new(Accelerator::Tcg, kernel, kernel_args, cpus)?),
            Engine::Kvm => Box::new(Vm::new(Accelerator::Kvm, kernel, kernel_args, cpus)?),
            Engine::Uml => Box::new(Uml::new(kernel, kernel_args)?),
            Engine::Host => Box::new(Host::new()?),
        })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Tcg => "tcg",
            Engine::Kvm => "kvm",
            Engine::Uml => "uml",
            Engine::Host => "host",
        })
    }
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
    /// User-mode Linux: nanoseconds, on any host; no JIT, no tracing and LSM programs
    Uml,
    /// No virtual machine: nanoseconds, under the running kernel, which must be the patched one
    Host,
}

impl Choice {
    /// The kernel that is measured: from the cache, or built first. For the host it is the one that runs.
    ///
    /// # Errors
    /// See [`kernel::obtain`]; nothing can be measured under the running kernel.
    pub fn kernel(self, progress: &Progress) -> Result<Kernel> {
        match self {
            Choice::Auto | Choice::Tcg | Choice::Kvm => kernel::obtain(Variant::Patched, None, progress),
            Choice::Uml => kernel::obtain(Variant::Uml, None, progress),
            Choice::Host => host::kernel(progress),
        }
    }

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
            Choice::Uml => Ok(Engine::Uml),
            Choice::Host => Ok(Engine::Host),
        }
    }
}
