//! The table of scenarios: each way to hand a program to a kernel that is measured.
//!
//! To add one, add a row. The command line, the bench, the check of the kernel's answers and the reports go by the
//! table; for a column of its own in the terminal's table, add a row in `report/table.rs`, too.

mod name;
mod setup;

use clap::ValueEnum;
use clap::builder::PossibleValue;

pub use name::ScenarioName;
pub use setup::{Loader, Setup};

/// What the table says of a scenario.
#[derive(Debug)]
pub struct Row {
    /// Its name on the command line, in files and in tables.
    pub name: &'static str,
    /// What it is, for reports.
    pub words: &'static str,
    /// The kernel and the state that it is in.
    pub setup: Setup,
    /// What is handed to the kernel.
    pub form: Form,
    /// How it is signed.
    pub signature: Signature,
    /// Whether attested facts are handed to the kernel, too.
    pub attested: bool,
    /// Whether an instruction is changed after signing.
    pub altered: bool,
    /// Whether it is measured for objects with several programs as well.
    pub objects: bool,
    /// How the kernel must answer: an errno, or 0 if it must accept.
    pub errno: i32,
    /// Baseline for comparison: the same kernel, without any proof of trust.
    pub compared_with: Option<Scenario>,
    /// The scenario whose refusal of a program means that this one can't carry that program, which is not a wrong answer.
    /// None: each program must be carried.
    pub carried_if: Option<Scenario>,
}

/// What is handed to the kernel, and what its signature, if it has one, covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The programs; a statement of their manifests.
    Manifests,
    /// The programs; their instructions.
    Instructions,
    /// A loader program; its instructions and what it loads.
    Loader,
}

/// How something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Not at all.
    None,
    /// By a known signer, with a message that the kernel has not seen, each time.
    First,
    /// By a known signer, with the same message each time.
    Repeated,
    /// The same, but the signature is broken.
    Forged,
    /// By a signer that the kernel does not know.
    UnknownSigner,
}

impl Row {
    /// An unsigned load that must be accepted. A row takes from here what it does not say.
    const DEFAULT: Row = Row {
        name: "",
        words: "",
        setup: Setup::Baseline,
        form: Form::Manifests,
        signature: Signature::None,
        attested: false,
        altered: false,
        objects: false,
        errno: 0,
        compared_with: None,
        carried_if: None,
    };
}

macro_rules! scenarios {
    ($($scenario:ident { name: $name:literal, words: $words:literal, $($field:ident: $value:expr),* $(,)? })*) => {
        /// A row of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scenario {
            $(#[doc = $words] $scenario,)*
        }

        impl Scenario {
            /// All of them, in the order in which they are measured and reported: a repeated load comes after the first.
            pub const ALL: &[Scenario] = &[$(Scenario::$scenario),*];

            /// What the table says of it.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Scenario::$scenario => const { &Row { name: $name, words: $words, $($field: $value,)* ..Row::DEFAULT } },)*
                }
            }
        }
    };
}

scenarios! {
    Baseline {
        name: "baseline",
        words: "unsigned, on the kernel without the patches",
        setup: Setup::Baseline, objects: true,
    }
    Unsigned {
        name: "unsigned",
        words: "unsigned, on the patched kernel",
        setup: Setup::Unsigned, objects: true, compared_with: Some(Scenario::Baseline),
    }
    Signed {
        name: "signed",
        words: "signed, a statement that the kernel has not seen",
        setup: Setup::Signed, signature: Signature::First, objects: true, compared_with: Some(Scenario::Unsigned),
    }
    Repeated {
        name: "repeated",
        words: "signed, a statement that the kernel knows",
        setup: Setup::Signed, signature: Signature::Repeated, objects: true, compared_with: Some(Scenario::Unsigned),
    }
    Forged {
        name: "forged",
        words: "a broken signature by a known signer",
        setup: Setup::Signed, signature: Signature::Forged, errno: libc::EKEYREJECTED,
    }
    UnknownSigner {
        name: "unknown-signer",
        words: "a valid signature by a signer that the kernel does not know",
        setup: Setup::Signed, signature: Signature::UnknownSigner, errno: libc::ENOKEY,
    }
    Altered {
        name: "altered",
        words: "signed, a statement that the kernel knows, but an instruction was changed since",
        setup: Setup::Signed, signature: Signature::Repeated, altered: true, errno: libc::EKEYREJECTED,
    }
    RequiredUnsigned {
        name: "required-unsigned",
        words: "unsigned, where signatures are required",
        setup: Setup::Required, errno: libc::EKEYREJECTED,
    }
    Granted {
        name: "granted",
        words: "unsigned, where signatures are required, and a policy grants the program by its digest",
        setup: Setup::Granted, compared_with: Some(Scenario::Unsigned),
    }
    AttestedFirst {
        name: "attested-first",
        words: "signed, with attested facts, statements that the kernel has not seen",
        setup: Setup::Signed, signature: Signature::First, attested: true, objects: true,
        compared_with: Some(Scenario::Unsigned), carried_if: Some(Scenario::Attested),
    }
    Attested {
        name: "attested",
        words: "signed, with attested facts, statements that the kernel knows",
        setup: Setup::Signed, signature: Signature::Repeated, attested: true, objects: true,
        compared_with: Some(Scenario::Unsigned), carried_if: Some(Scenario::Attested),
    }
    Detached {
        name: "detached",
        words: "a signature over the instructions, on the patched kernel",
        setup: Setup::Signed, form: Form::Instructions, signature: Signature::Repeated,
        compared_with: Some(Scenario::Unsigned), carried_if: Some(Scenario::Detached),
    }
    Mainline {
        name: "mainline",
        words: "a signed loader program, on mainline",
        setup: Setup::Mainline, form: Form::Loader, signature: Signature::Repeated, objects: true,
        compared_with: Some(Scenario::Baseline), carried_if: Some(Scenario::Mainline),
    }
    MainlineForged {
        name: "mainline-forged",
        words: "a loader program with a broken signature, on mainline",
        setup: Setup::Mainline, form: Form::Loader, signature: Signature::Forged, errno: libc::EKEYREJECTED,
        carried_if: Some(Scenario::Mainline),
    }
    MainlineUnknownSigner {
        name: "mainline-unknown-signer",
        words: "a loader program by a signer that the kernel does not know, on mainline",
        setup: Setup::Mainline, form: Form::Loader, signature: Signature::UnknownSigner, errno: libc::ENOKEY,
        carried_if: Some(Scenario::Mainline),
    }
    MainlineDetached {
        name: "mainline-detached",
        words: "a signature over the instructions, on mainline",
        setup: Setup::Mainline, form: Form::Instructions, signature: Signature::Repeated,
        compared_with: Some(Scenario::Baseline), carried_if: Some(Scenario::MainlineDetached),
    }
    ApproveList {
        name: "approve-list",
        words: "unsigned, by a listed loader, on the kernel without the patches",
        setup: Setup::Listed, compared_with: Some(Scenario::Baseline),
    }
    ApproveListRefused {
        name: "approve-list-refused",
        words: "unsigned, by a loader that is not listed, on the kernel without the patches",
        setup: Setup::Unlisted, errno: libc::EPERM,
    }
}

impl Scenario {
    /// Its name on the command line, in files and in tables.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether anything is signed.
    pub fn is_signed(self) -> bool {
        self.row().signature != Signature::None
    }

    /// Whether programs with kfuncs or ksyms are measured in it: without the patches, a kernel does
    /// not load them as the compiler wrote them.
    pub fn takes_externs(self) -> bool {
        self.is_signed() || self.row().setup.is_patched()
    }
}

impl ValueEnum for Scenario {
    fn value_variants<'a>() -> &'a [Scenario] {
        Scenario::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.row().words))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = Scenario::ALL.iter().map(|scenario| scenario.name()).collect();
        assert_eq!(names.len(), Scenario::ALL.len());
    }

    #[test]
    fn loads_are_compared_with_accepted_loads() {
        for scenario in Scenario::ALL {
            let row = scenario.row();
            assert!(row.compared_with.is_none_or(|other| other.row().errno == 0), "{scenario:?}");
            assert!(row.compared_with.is_none() || row.errno == 0, "{scenario:?}");
            // The one that decides has to be tried on the same machine.
            assert!(row.carried_if.is_none_or(|other| other.row().setup == row.setup), "{scenario:?}");
            assert!(row.carried_if.is_none_or(|other| other.row().carried_if == Some(other)), "{scenario:?}");
        }
    }
}
