//! The programs to measure: real and generated ones.

mod elf;
mod ladder;
mod objects;

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use bpfsig_signing::program::{Attach, Program};
use glob::Pattern;

/// A program to measure.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Unique in the corpus.
    pub name: String,
    /// In load-invariant form.
    pub program: Program,
    /// Where it comes from.
    pub source: Source,
}

/// Programs that call functions of a module, and the module.
const IN_MODULES: &[(&str, &str)] = &[("xdp_ct_gate", "nf_conntrack")];

impl Entry {
    /// What the program needs in the kernel before it can be loaded; nothing if it can be loaded by itself.
    pub fn needs(&self) -> Option<String> {
        if let Attach::Program { name } = &self.program.attach {
            return Some(format!("a program with a function `{name}` to attach to"));
        }
        let (_, module) = IN_MODULES.iter().find(|(name, _)| *name == self.name)?;
        Some(format!("the module {module}"))
    }
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A C file in `progs/`, by its path in the repository.
    File(&'static str),
    /// Generated.
    Ladder,
}

impl Source {
    /// The object as clang wrote it; none for a generated program.
    pub fn object(self) -> Option<&'static [u8]> {
        match self {
            Self::File(path) => objects::object(path),
            Self::Ladder => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Ladder => f.write_str("generated"),
        }
    }
}

/// The object that libbpf makes loaders from: the one that clang wrote, or one with a generated program in it.
pub fn object(source: Source, program: &Program) -> Result<Cow<'static, [u8]>> {
    match source.object() {
        Some(object) => Ok(Cow::Borrowed(object)),
        None => Ok(Cow::Owned(elf::write(program)?)),
    }
}

/// The objects in `progs/` as clang wrote them, by name, ordered by it.
pub fn objects() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    objects::objects()
}

/// The programs in `progs/`, ordered by file and section.
pub fn programs() -> Result<Vec<Entry>> {
    objects::programs()
}

/// Generated programs that cost the verifier a known effort.
pub fn ladders() -> Vec<Entry> {
    ladder::ladders()
}

/// All programs of the corpus, or the programs whose name matches a glob pattern.
pub fn select(only: Option<&str>) -> Result<Vec<Entry>> {
    let entries = entries()?;
    let Some(pattern) = only else { return Ok(entries.to_vec()) };
    let glob = Pattern::new(pattern).with_context(|| format!("`{pattern}` is not a glob pattern"))?;
    let selected: Vec<Entry> = entries.iter().filter(|entry| glob.matches(&entry.name)).cloned().collect();
    if selected.is_empty() {
        let names: Vec<_> = entries.iter().map(|entry| &*entry.name).collect();
        bail!("no program matches `{pattern}`; there are: {}", names.join(", "));
    }
    Ok(selected)
}

/// The whole corpus, which is read and generated once.
fn entries() -> Result<&'static [Entry]> {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    if let Some(entries) = ENTRIES.get() {
        return Ok(entries);
    }
    let mut entries = programs()?;
    entries.extend(ladders());
    Ok(ENTRIES.get_or_init(|| entries))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The kernel keeps 15 bytes of a name, and a result is found by name.
    #[test]
    fn names_are_unique_in_the_kernel_too() {
        let mut seen = HashSet::new();
        for entry in select(None).unwrap() {
            assert!(seen.insert(entry.name.chars().take(15).collect::<String>()), "{}", entry.name);
        }
    }

    #[test]
    fn nearly_all_programs_can_be_loaded_by_themselves() {
        let needs = |entry: Entry| entry.needs().map(|needs| (entry.name, needs));
        let needs: Vec<_> = select(None).unwrap().into_iter().filter_map(needs).collect();
        let expected = [
            ("gateway_no_ssdp", "a program with a function `gateway_policy` to attach to"),
            ("xdp_ct_gate", "the module nf_conntrack"),
        ];
        assert_eq!(needs, expected.map(|(name, needs)| (name.to_owned(), needs.to_owned())));
    }

    #[test]
    fn selects_by_glob() {
        let names = |pattern| -> Vec<_> {
            select(Some(pattern)).unwrap().into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names("tc_vlan_*"), ["tc_vlan_ingress", "tc_vlan_egress"]);
        assert_eq!(names("straight-64"), ["straight-64"]);
    }

    #[test]
    fn a_pattern_that_matches_nothing_lists_what_there_is() {
        let error = select(Some("nothing*")).unwrap_err().to_string();
        assert!(
            error.contains("nothing*") && error.contains("xdp_acl") && error.contains("loop-1024"),
            "{error}"
        );
        assert!(select(Some("[")).unwrap_err().to_string().contains("not a glob pattern"));
    }
}
