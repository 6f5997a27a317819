//! The ways to load a program that a report compares.

use super::run::Run;

/// A way to load a program that ends with the program in the kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode<'a> {
    /// As files name it.
    pub name: &'a str,
    /// In words; empty if nothing is known.
    pub what: &'a str,
    /// What it is compared with: the same kernel, without any proof of trust.
    pub without: Option<&'a str>,
}

/// In the order in which they are shown.
const KNOWN: [Mode<'static>; 11] = [
    mode("baseline", "unsigned, on the kernel without the patches", None),
    mode("unsigned", "unsigned, on the patched kernel", Some("baseline")),
    mode("signed", "signed, a statement that the kernel has not seen", Some("unsigned")),
    mode("repeated", "signed, a statement that the kernel knows", Some("unsigned")),
    mode(
        "attested-first",
        "signed, with attested facts, statements that the kernel has not seen",
        Some("unsigned"),
    ),
    mode("attested", "signed, with attested facts, statements that the kernel knows", Some("unsigned")),
    mode("detached", "a signature over the instructions, on the patched kernel", Some("unsigned")),
    mode("mainline-unsigned", "unsigned, on mainline", None),
    mode("mainline", "a signed loader program, on mainline", Some("mainline-unsigned")),
    mode("mainline-detached", "a signature over the instructions, on mainline", Some("mainline-unsigned")),
    mode("approve-list", "unsigned, by a listed loader, on the kernel without the patches", Some("baseline")),
];

const fn mode(name: &'static str, what: &'static str, without: Option<&'static str>) -> Mode<'static> {
    Mode { name, what, without }
}

/// Those in which anything was loaded or was to be, and at the end those that nothing is known of.
pub fn measured(run: &Run) -> Vec<Mode<'_>> {
    let loaded = run.cost.iter().filter(|cost| cost.errno == 0).map(|cost| &*cost.mode);
    let mut names: Vec<&str> = Vec::new();
    for name in loaded.chain(run.unsupported.iter().map(|row| &*row.mode)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut modes: Vec<Mode<'_>> = KNOWN.into_iter().filter(|mode| names.contains(&mode.name)).collect();
    let is_unknown = |name: &&&str| !KNOWN.iter().any(|mode| mode.name == **name);
    modes.extend(names.iter().filter(is_unknown).map(|name| Mode { name, what: "", without: None }));
    modes
}

/// The names of those that were not measured.
pub fn missing(run: &Run) -> Vec<&'static str> {
    let measured = measured(run);
    KNOWN.into_iter().filter(|mode| !measured.contains(mode)).map(|mode| mode.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run::fixture;

    #[test]
    fn modes_are_those_in_which_something_was_loaded() {
        let mut refused = fixture::cost("one", "forged", 5);
        refused["errno"] = libc::EKEYREJECTED.into();
        let costs = vec![
            fixture::cost("one", "brand-new", 5),
            fixture::cost("one", "signed", 5),
            fixture::cost("one", "unsigned", 5),
            refused,
        ];
        let run = Run::parse(fixture::run("tcg", costs).to_string().as_bytes()).unwrap();
        let names: Vec<_> = measured(&run).iter().map(|mode| mode.name).collect();
        assert_eq!(names, ["unsigned", "signed", "brand-new"]);
        assert!(missing(&run).contains(&"mainline") && !missing(&run).contains(&"signed"));
    }
}
