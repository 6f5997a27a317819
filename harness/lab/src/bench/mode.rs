//! The ways to hand a program to the kernel.

use clap::ValueEnum;
use serde::Serialize;

use crate::engine::Engine;
use crate::guest::Listing;
use crate::kernel::Variant;

/// How a program is presented, which decides what the kernel has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
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
    /// With a valid signature and attested facts, by a known signer and a known attester, which the kernel sees for the
    /// first time.
    AttestedFirst,
    /// With a valid signature and attested facts, of which the kernel has seen both messages before.
    Attested,
    /// With a valid signature over the instructions alone.
    Detached,
    /// Without a signature, to a kernel that has its own way to sign.
    MainlineUnsigned,
    /// In that way: the program is loaded by a loader with a valid signature by a known signer.
    Mainline,
    /// In that way, but the signature is broken.
    MainlineForged,
    /// In that way, by a signer that the kernel does not know.
    MainlineUnknownSigner,
    /// With a valid signature over the instructions alone, to that kernel.
    MainlineDetached,
    /// Without a signature, to a kernel that knows of none and lets listed loaders load, by one of them.
    ApproveList,
    /// The same, by one that is not listed.
    ApproveListRefused,
}

/// What a mode hands to the kernel, and what its signature, if it has one, is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The programs; a statement of their manifests.
    Manifests,
    /// The programs; their instructions.
    Instructions,
    /// A loader; its instructions and what it loads.
    Loader,
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
    /// Linux 7.3 without the patches.
    Mainline,
    /// The kernel without the patches, where only listed loaders may load, and a listed loader.
    Listed,
    /// The same, and a loader that is not listed.
    Unlisted,
}

impl Mode {
    /// All modes with a signature. A repeated load must come after the first.
    pub const WITH_SIGNATURE: [Mode; 12] = [
        Mode::Signed,
        Mode::Repeated,
        Mode::Forged,
        Mode::UnknownSigner,
        Mode::Altered,
        Mode::AttestedFirst,
        Mode::Attested,
        Mode::Detached,
        Mode::Mainline,
        Mode::MainlineForged,
        Mode::MainlineUnknownSigner,
        Mode::MainlineDetached,
    ];

    /// All modes without one.
    pub const WITHOUT_SIGNATURE: [Mode; 6] = [
        Mode::Baseline,
        Mode::Unsigned,
        Mode::RequiredUnsigned,
        Mode::MainlineUnsigned,
        Mode::ApproveList,
        Mode::ApproveListRefused,
    ];

    /// How the kernel must answer: an errno, or 0 if it must accept.
    pub fn errno(self) -> i32 {
        match self {
            Mode::Baseline | Mode::Unsigned | Mode::Signed | Mode::Repeated | Mode::Detached => 0,
            Mode::AttestedFirst | Mode::Attested => 0,
            Mode::MainlineUnsigned | Mode::Mainline | Mode::MainlineDetached => 0,
            Mode::Forged | Mode::Altered | Mode::RequiredUnsigned | Mode::MainlineForged => {
                libc::EKEYREJECTED
            }
            Mode::UnknownSigner | Mode::MainlineUnknownSigner => libc::ENOKEY,
            Mode::ApproveList => 0,
            Mode::ApproveListRefused => libc::EPERM,
        }
    }

    /// The mode that has to accept a program for this one to say something of it, if there are programs that it can't
    /// carry.
    pub fn carrier(self) -> Option<Mode> {
        match self {
            Mode::Detached | Mode::MainlineUnsigned | Mode::MainlineDetached => Some(self),
            Mode::AttestedFirst | Mode::Attested => Some(Mode::Attested),
            Mode::Mainline | Mode::MainlineForged | Mode::MainlineUnknownSigner => Some(Mode::Mainline),
            _ => None,
        }
    }

    /// Whether facts about the program are handed to the kernel, too.
    pub fn is_attested(self) -> bool {
        matches!(self, Mode::AttestedFirst | Mode::Attested)
    }

    /// What is handed to the kernel.
    pub fn form(self) -> Form {
        match self {
            Mode::Detached | Mode::MainlineDetached => Form::Instructions,
            Mode::Mainline | Mode::MainlineForged | Mode::MainlineUnknownSigner => Form::Loader,
            _ => Form::Manifests,
        }
    }

    /// Where it is measured.
    pub fn machine(self) -> Machine {
        match self {
            Mode::Baseline => Machine::Baseline,
            Mode::Unsigned => Machine::Unsigned,
            Mode::RequiredUnsigned => Machine::Required,
            Mode::MainlineUnsigned
            | Mode::Mainline
            | Mode::MainlineForged
            | Mode::MainlineUnknownSigner
            | Mode::MainlineDetached => Machine::Mainline,
            Mode::ApproveList => Machine::Listed,
            Mode::ApproveListRefused => Machine::Unlisted,
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
            Mode::AttestedFirst => "attested-first",
            Mode::Attested => "attested",
            Mode::Detached => "detached",
            Mode::MainlineUnsigned => "mainline-unsigned",
            Mode::Mainline => "mainline",
            Mode::MainlineForged => "mainline-forged",
            Mode::MainlineUnknownSigner => "mainline-unknown-signer",
            Mode::MainlineDetached => "mainline-detached",
            Mode::ApproveList => "approve-list",
            Mode::ApproveListRefused => "approve-list-refused",
        }
    }
}

impl Machine {
    /// Those that an engine has. User-mode Linux is only built with the patches, a host runs the kernel that it runs, and nothing leads out of requiring
    /// signatures on a host.
    pub fn on(engine: Engine) -> &'static [Machine] {
        match engine {
            Engine::Tcg | Engine::Kvm => &[
                Machine::Baseline,
                Machine::Unsigned,
                Machine::Signed,
                Machine::Required,
                Machine::Mainline,
                Machine::Listed,
                Machine::Unlisted,
            ],
            Engine::Uml => &[Machine::Unsigned, Machine::Signed, Machine::Required],
            Engine::Host => &[Machine::Unsigned, Machine::Signed],
        }
    }

    /// The kernel, if it is not the patched one, or the one that runs.
    pub fn variant(self) -> Option<Variant> {
        match self {
            Machine::Baseline | Machine::Listed | Machine::Unlisted => Some(Variant::Baseline),
            Machine::Mainline => Some(Variant::Mainline),
            Machine::Unsigned | Machine::Signed | Machine::Required => None,
        }
    }

    /// Whether the program that loads there is on an approve-list.
    pub fn listing(self) -> Listing {
        match self {
            Machine::Listed => Listing::Listed,
            Machine::Unlisted => Listing::Unlisted,
            _ => Listing::NoList,
        }
    }

    /// What is added to the kernel's command line.
    pub fn kernel_args(self) -> &'static str {
        match self {
            Machine::Required => "bpf_signature=required",
            _ => "",
        }
    }
}
