//! The kernels that scenarios run on, and the state that they are in.

use serde::{Deserialize, Serialize};

use crate::kernel::Variant;

/// A kernel and its state: a run boots a machine for each, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The kernel without the patches.
    Baseline,
    /// The patched kernel, for the same loads: how long a kernel looks for memory depends on what was loaded before.
    Unsigned,
    /// The patched kernel, for all loads with a signature.
    Signed,
    /// The patched kernel, which requires signatures.
    Required,
    /// The same, with a policy that grants all programs that are measured.
    Granted,
    /// The kernel without the patches, for all loads with a signature.
    Mainline,
    /// The kernel without the patches, where only listed loaders may load, and a listed loader.
    Listed,
    /// The same, and a loader that is not listed.
    Unlisted,
}

/// Whether the loader is on an approve-list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loader {
    /// No list is enforced.
    #[default]
    Any,
    /// It is.
    Listed,
    /// It is not.
    Unlisted,
}

impl Setup {
    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Setup::Baseline => "baseline",
            Setup::Unsigned => "patched, unsigned",
            Setup::Signed => "patched, signed",
            Setup::Required => "patched, required",
            Setup::Granted => "patched, policy",
            Setup::Mainline => "mainline",
            Setup::Listed => "baseline, listed loader",
            Setup::Unlisted => "baseline, unlisted loader",
        }
    }

    /// The kernel. The engine has its own form of the patched one.
    pub fn variant(self) -> Variant {
        match self {
            Setup::Baseline | Setup::Mainline | Setup::Listed | Setup::Unlisted => Variant::Baseline,
            Setup::Unsigned | Setup::Signed | Setup::Required | Setup::Granted => Variant::Patched,
        }
    }

    /// Whether the kernel has the patches.
    pub fn is_patched(self) -> bool {
        self.variant() == Variant::Patched
    }

    /// Whether the loader there is on an approve-list.
    pub fn loader(self) -> Loader {
        match self {
            Setup::Listed => Loader::Listed,
            Setup::Unlisted => Loader::Unlisted,
            _ => Loader::Any,
        }
    }

    /// The addition to the kernel's command line.
    pub fn kernel_args(self) -> &'static str {
        match self {
            Setup::Required | Setup::Granted => "bpf_signature=required",
            _ => "",
        }
    }
}
