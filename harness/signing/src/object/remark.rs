//! What is worth knowing of an object before it is signed.

use std::fmt;

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
    /// A map that no kernel creates as it is defined: it has no size.
    NoEntries {
        /// The map's name.
        map: String,
    },
}

impl Remark {
    /// Whether an object with it can't be loaded as it is.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::NoEntries { .. })
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
            Self::NoEntries { map } => write!(
                f,
                "map `{map}` has no size (`max_entries` is 0), which no kernel creates: set `max_entries` in its definition, \
                 since what is signed can't be resized when it is loaded"
            ),
        }
    }
}
