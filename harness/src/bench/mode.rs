//! The ways to hand a program to the kernel.

use serde::Serialize;

use crate::engine::Engine;

/// How a program is presented, which decides what the kernel has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Without a signature, to a kernel that knows of none.
    Baseline,
    /// Without a signature.
    Unsigned,
    /// With a valid signature by a known signer, which the kernel sees for the first time.
    Signed,
    /// With a valid signature by a known signer, which the kernel has seen before.
    Repeated,
    /// A known signer, but the signature is broken.
    Forged,
    /// A valid signature by a signer that the kernel does not know.
    UnknownSigner,
    /// With a valid signature that the kernel has seen before, but one instruction has been changed since.
    Altered,
    /// Without a signature, where one is required.
    RequiredUnsigned,
}

/// What a mode needs: the machines that a run boots, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// The kernel without the patches.
    Baseline,
    /// The patched kernel, on which the same is done: what state it is in decides how long it looks for memory.
    Unsigned,
    /// The patched kernel, for all loads with a signature.
    Signed,
    /// The patched kernel, which requires signatures.
    Required,
}

impl Mode {
    /// All modes with a signature. A repeated load must come after the first.
    pub const WITH_SIGNATURE: [Mode; 5] =
        [Mode::Signed, Mode::Repeated, Mode::Forged, Mode::UnknownSigner, Mode::Altered];

    /// All modes without one.
    pub const WITHOUT_SIGNATURE: [Mode; 3] = [Mode::Baseline, Mode::Unsigned, Mode::RequiredUnsigned];

    /// How the kernel must answer: an errno, or 0 if it must accept.
    pub fn errno(self) -> i32 {
        match self {
            Mode::Baseline | Mode::Unsigned | Mode::Signed | Mode::Repeated => 0,
            Mode::Forged | Mode::Altered | Mode::RequiredUnsigned => libc::EKEYREJECTED,
            Mode::UnknownSigner => libc::ENOKEY,
        }
    }

    /// Where it is measured.
    pub fn machine(self) -> Machine {
        match self {
            Mode::Baseline => Machine::Baseline,
            Mode::Unsigned => Machine::Unsigned,
            Mode::RequiredUnsigned => Machine::Required,
            _ => Machine::Signed,
        }
    }

    /// As it is called in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Baseline => "baseline",
            Mode::Unsigned => "unsigned",
            Mode::Signed => "signed",
            Mode::Repeated => "repeated",
            Mode::Forged => "forged",
            Mode::UnknownSigner => "unknown-signer",
            Mode::Altered => "altered",
            Mode::RequiredUnsigned => "required-unsigned",
        }
    }
}

impl Machine {
    /// Those that an engine has. User-mode Linux is only built with the patches, and nothing leads out of requiring
    /// signatures on a host.
    pub fn on(engine: Engine) -> &'static [Machine] {
        match engine {
            Engine::Tcg | Engine::Kvm => {
                &[Machine::Baseline, Machine::Unsigned, Machine::Signed, Machine::Required]
            }
            Engine::Uml => &[Machine::Unsigned, Machine::Signed, Machine::Required],
            Engine::Host => &[Machine::Unsigned, Machine::Signed],
        }
    }

    /// What is added to the kernel's command line.
    pub fn kernel_args(self) -> &'static str {
        match self {
            Machine::Baseline | Machine::Unsigned | Machine::Signed => "",
            Machine::Required => "bpf_signature=required",
        }
    }
}
