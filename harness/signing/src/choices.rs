//! What a signer says about an object because the object itself does not.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What the sections of an object leave open: what kind of program they hold, what their programs attach to, and where that is.
///
/// It is kept with the descriptions of what was signed, so that a loader reads the object as the signer did. Nobody has to
/// trust it: with other choices, the programs are not the ones that were signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// By the name of a section: the name that libbpf would know it by, such as `xdp` or `kprobe/do_exit`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// By the name of a program: the function (hook, tracepoint) that it attaches to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, String>,
    /// Modules of the kernel in which a program may find what it attaches to, if the object names no module.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub modules: BTreeSet<String>,
    /// By the name of a program: sections that applications load it as if it were in, too, since they change its type or
    /// attach target before. A function of another program is `freplace/FUNCTION`, `fentry/bpf:FUNCTION` or
    /// `fexit/bpf:FUNCTION`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<String, BTreeSet<String>>,
    /// Whether the numbers of `.kconfig` are parameters, and so constants to the verifier. libbpf loads such an object
    /// unsigned only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub constant_kconfig: bool,
}

impl Choices {
    /// Whether everything is left to the object.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The section name that would say all that is known about a program. A leading question mark (not to be
    /// loaded unless asked for) stays.
    pub(crate) fn section<'s>(&'s self, section: &'s str, program: &str) -> Cow<'s, str> {
        let (mark, name) = section.strip_prefix('?').map_or(("", section), |name| ("?", name));
        let chosen = self.types.get(name).map(String::as_str);
        match (chosen, self.targets.get(program)) {
            (None, None) => Cow::Borrowed(section),
            (chosen, None) => Cow::Owned(format!("{mark}{}", chosen.unwrap_or(name))),
            (chosen, Some(target)) => {
                let name = chosen.unwrap_or(name);
                let base = name.split_once('/').map_or(name, |(base, _)| base);
                Cow::Owned(format!("{mark}{base}/{target}"))
            }
        }
    }
}
