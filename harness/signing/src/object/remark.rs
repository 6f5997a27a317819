//! Remarks about an object, for whoever signs it.

use std::fmt;

use crate::parameter::{Parameter, Place};

/// Something about an object that its programs do not show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// libbpf does not know a section by its name; the type of its programs is told by how the name begins.
    Prefix {
        /// The section's name.
        section: String,
        /// The known name that it begins with.
        prefix: &'static str,
    },
    /// The object reads variables whose values the host decides (`.kconfig`).
    HostVariables {
        /// Their names.
        names: Vec<String>,
    },
    /// Whoever loads the object may choose it.
    Parameter {
        /// What, and within which range.
        parameter: Parameter,
        /// What it is in the object.
        value: i128,
    },
    /// A program that is not loaded unless asked for, and not signed.
    LeftOut {
        /// Its name.
        program: String,
        /// Why it can't be signed.
        reason: String,
    },
    /// Maps that are defined in a way that libbpf does not read any more.
    OldMaps,
    /// An object without type information.
    NoBtf,
    /// A file for another machine than eBPF's, which is signed as a whole.
    OtherMachine {
        /// The machine's name.
        machine: String,
        /// It is an object (`.o`), as an eBPF object would be.
        is_object: bool,
    },
    /// LLVM bitcode instead of an object: a file that is signed as a whole.
    Bitcode,
    /// A file with nothing in it.
    Empty,
    /// A map that no kernel creates as it is defined: it has no size.
    NoEntries {
        /// The map's name.
        map: String,
    },
}

impl Remark {
    /// Whether something of an object with it can't be loaded as it is, or the file can hardly be the one that was meant.
    pub fn is_warning(&self) -> bool {
        match self {
            Self::NoEntries { .. } | Self::LeftOut { .. } | Self::Bitcode | Self::Empty => true,
            Self::OtherMachine { is_object, .. } => *is_object,
            _ => false,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix { section, prefix } => {
                write!(f, "section `{section}` is taken for `{prefix}`, with which its name begins")
            }
            Self::HostVariables { names } => write!(
                f,
                "`.kconfig` is not signed but filled by the host that loads it: {}",
                names.join(", ")
            ),
            Self::Parameter { parameter: Parameter { name, range, place }, value } => {
                let what = match place {
                    Place::Contents(_) => "parameter",
                    Place::Size => "size of map",
                };
                write!(f, "{what} `{name}`: {range}, for whoever loads it to choose; {value} in the object")?;
                if range.contains(*value) { Ok(()) } else { f.write_str(", so that it has to be chosen") }
            }
            Self::LeftOut { program, reason } => {
                write!(
                    f,
                    "program `{program}`, which is not loaded unless asked for, is not signed: {reason}"
                )
            }
            Self::OldMaps => f.write_str(
                "maps are defined in the old way (section `maps`), which libbpf has not taken since 1.0: it can't load the \
                 object, `bpfsig load` can",
            ),
            Self::NoBtf => f.write_str(
                "no type information (BTF) in it, as it was compiled without -g: it is signed all the same, but what the \
                 kernel says about it can't name functions and lines, and no part of it adapts to the kernel (CO-RE)",
            ),
            Self::OtherMachine { machine, .. } => {
                write!(f, "not an eBPF object: its machine is {machine}; it is signed as a plain file")
            }
            Self::Bitcode => f.write_str(
                "not an eBPF object but LLVM bitcode, as -emit-llvm and -flto make it; it is signed as a plain file",
            ),
            Self::Empty => f.write_str("the file is empty; it is signed as a plain file"),
            Self::NoEntries { map } => write!(
                f,
                "map `{map}` has no size (`max_entries` is 0), which no kernel creates: set `max_entries` in its definition, \
                 since what is signed can't be resized when it is loaded"
            ),
        }
    }
}
