//! What a machine that requires signatures grants without one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bpfsig_signing::Digest;
use bpfsig_signing::uapi::{helper, map_type, prog_type};
use serde::{Deserialize, Serialize};

use crate::attach_type::attach_type_number;
use crate::error::{Error, Result};
use crate::report::{Entry, Report};

/// Of a program that differs each time, at most so many are granted by their digests in a draft.
const DRAFTED_DIGESTS: usize = 16;

/// What a machine that requires signatures grants without one, as its file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// A machine that has taken a policy takes none with a lower version until it boots again.
    pub version: u64,
    /// Programs that are granted by their digest.
    #[serde(default, rename = "program")]
    pub programs: Vec<Program>,
    /// Programs that are granted by their capabilities.
    #[serde(default, rename = "class")]
    pub classes: Vec<Class>,
}

/// A program that is granted by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Program {
    /// For people.
    pub name: String,
    /// Of its manifest, as `bpfsig sign` and `bpfsig policy report` show it.
    pub digest: Digest,
}

/// Programs that are granted by their capabilities. None of them may use kernel functions or variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Class {
    /// For people.
    pub name: String,
    /// `enum bpf_prog_type`, by name.
    #[serde(rename = "type")]
    pub prog_type: String,
    /// `enum bpf_attach_type`, by name; any if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_type: Option<String>,
    /// The one type or function that they attach to; none if none is given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub attach_to: String,
    /// The helpers that they may call.
    #[serde(default)]
    pub helpers: BTreeSet<String>,
    /// The types of maps that they may use.
    #[serde(default)]
    pub maps: BTreeSet<String>,
    /// How many instructions they may have.
    pub max_instructions: u32,
    /// The only executable that may load them, by its fs-verity digest (SHA-256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<Digest>,
}

impl Policy {
    /// Reads a policy's file.
    ///
    /// # Errors
    /// It is not TOML, says something that a policy can't say, or names something that does not exist.
    pub fn parse(toml: &str) -> Result<Self> {
        let policy: Policy = toml::from_str(toml)?;
        for class in &policy.classes {
            class.check().map_err(|problem| Error::Invalid(format!("class `{}`: {problem}", class.name)))?;
        }
        Ok(policy)
    }

    /// A policy's file that grants all that a report has, for a person to edit: by digest what was seen, and by class what
    /// is not the same each time.
    pub fn draft(report: &Report) -> Result<String, std::fmt::Error> {
        let mut file = String::from(
            "# A machine takes no policy with a lower version, until it boots again.\nversion = 1\n",
        );
        for entry in report.loads.iter().filter(|entry| !entry.signed) {
            entry.draft(&mut file)?;
        }
        Ok(file)
    }

    /// What grants all loads of an entry in a report, in words; none if nothing does.
    pub fn grants(&self, entry: &Entry) -> Option<String> {
        let named = |digest: &Digest| self.programs.iter().find(|program| program.digest == *digest);
        if !entry.digests.is_empty() && entry.digests.iter().all(|digest| named(digest).is_some()) {
            return entry.digests.first().and_then(named).map(|program| format!("program {}", program.name));
        }
        self.classes.iter().find(|class| class.has(entry)).map(|class| format!("class {}", class.name))
    }
}

impl Class {
    /// The smallest class that has all programs of an entry in a report.
    fn around(entry: &Entry) -> Self {
        let able = &entry.capabilities;
        Self {
            name: format!("{} of {}", entry.name, entry.loader.executable),
            prog_type: able.prog_type.clone(),
            attach_type: Some(able.attach_type.clone()),
            attach_to: able.attach_to.clone(),
            helpers: able.helpers.clone(),
            maps: able.maps.clone(),
            max_instructions: entry.instructions,
            executable: None,
        }
    }

    /// Whether it has all programs of an entry. An entry does not record the executable's digest.
    fn has(&self, entry: &Entry) -> bool {
        let able = &entry.capabilities;
        self.prog_type == able.prog_type
            && self.attach_type.as_ref().is_none_or(|attach_type| *attach_type == able.attach_type)
            && self.attach_to == able.attach_to
            && able.helpers.is_subset(&self.helpers)
            && able.maps.is_subset(&self.maps)
            && able.are_all()
            && entry.instructions <= self.max_instructions
    }

    /// Fails if it names something that does not exist.
    fn check(&self) -> Result<(), String> {
        let known = |kind: &str, name: &str, number: Option<u32>, limit: u32| match number {
            Some(number) if number < limit => Ok(()),
            _ => Err(format!("there is no {kind} `{name}`")),
        };
        known("program type", &self.prog_type, prog_type::number(&self.prog_type), u32::MAX)?;
        if let Some(name) = &self.attach_type {
            known("attach type", name, attach_type_number(name), u32::MAX)?;
        }
        for name in &self.helpers {
            known("helper", name, helper::number(name).filter(|number| *number != 0), 256)?;
        }
        for name in &self.maps {
            known("map type", name, map_type::number(name), 64)?;
        }
        // The kernel cuts longer names, and nobody can tell which of them was meant.
        if self.attach_to.len() > 62 {
            return Err(format!(
                "`{}` is longer than 62 bytes, and the kernel tells no more",
                self.attach_to
            ));
        }
        Ok(())
    }
}

impl Entry {
    /// Adds what grants it to a policy's file.
    fn draft(&self, file: &mut String) -> std::fmt::Result {
        writeln!(file, "\n# {}", self.summary())?;
        let seen = self.digests.len();
        if self.probes {
            return writeln!(
                file,
                "# Not granted: {seen} programs that differ in what they call, as probes do of what a kernel is able to do."
            );
        }
        if self.core {
            writeln!(file, "# CO-RE: on another kernel it may be another program.")?;
        }
        if seen <= DRAFTED_DIGESTS {
            let name = toml::Value::from(self.name.as_str());
            for digest in &self.digests {
                writeln!(file, "[[program]]\nname = {name}\ndigest = \"{digest}\"")?;
            }
        }
        match seen {
            1 => Ok(()),
            0 if !self.capabilities.are_all() => writeln!(
                file,
                "# Not granted: it has no digest, and no class has programs that use kernel functions or variables."
            ),
            _ if !self.capabilities.are_all() => writeln!(
                file,
                "# It differs each time, and others like it are not granted: no class has programs that use kernel functions or variables."
            ),
            _ => {
                let class = toml::to_string(&Class::around(self)).map_err(|_| std::fmt::Error)?;
                write!(
                    file,
                    "# {}: a class grants all that can do no more, but they must verify without CAP_PERFMON.\n[[class]]\n{class}",
                    if seen == 0 { "It has no digest" } else { "It differs each time" }
                )
            }
        }
    }

    /// In a line: what, how often, and by whom.
    pub fn summary(&self) -> String {
        let Self { name, capabilities, count, loader, .. } = self;
        let times = if *count == 1 { "once".into() } else { format!("{count} times") };
        format!("{name} ({}), {times} by {} in {}", capabilities.prog_type, loader.executable, loader.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        version = 3

        [[program]]
        name = "acl"
        digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

        [[class]]
        name = "device rules"
        type = "cgroup_device"
        max-instructions = 512
    "#;

    fn entry(json: &str) -> Entry {
        let mut entry = serde_json::json!({
            "executable": "/usr/bin/runc", "unit": "podman.service", "uid": 0, "name": "", "type": "cgroup_device",
            "attach-type": "cgroup_device", "attach-to": "", "helpers": [], "maps": [], "kernel-symbols": 0,
            "instructions": 20, "core": false, "digests": [], "count": 2, "signed": false,
        });
        let changes: serde_json::Map<_, _> = serde_json::from_str(json).unwrap();
        entry.as_object_mut().unwrap().extend(changes);
        serde_json::from_value(entry).unwrap()
    }

    #[test]
    fn a_class_has_what_can_do_no_more() {
        let policy = Policy::parse(POLICY).unwrap();
        let granted = |json: &str| policy.grants(&entry(json));
        assert_eq!(granted("{}").unwrap(), "class device rules");
        for more in [
            r#"{"type": "cgroup_skb"}"#,
            r#"{"helpers": ["map_lookup_elem"]}"#,
            r#"{"maps": ["hash"]}"#,
            r#"{"kernel-symbols": 1}"#,
            r#"{"instructions": 513}"#,
            r#"{"attach-to": "main"}"#,
        ] {
            assert_eq!(granted(more), None, "{more}");
        }
    }

    #[test]
    fn a_program_is_granted_by_all_its_digests() {
        let policy = Policy::parse(POLICY).unwrap();
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let granted =
            |digests: &str| policy.grants(&entry(&format!(r#"{{"type": "xdp", "digests": [{digests}]}}"#)));
        assert_eq!(granted(&format!("{a:?}")).unwrap(), "program acl");
        assert_eq!(granted(&format!("{a:?}, {b:?}")), None);
        assert_eq!(granted(""), None);
    }

    #[test]
    fn a_draft_grants_what_the_report_has() {
        let digest = format!(r#"{{"name": "one", "digests": [{:?}]}}"#, "c".repeat(64));
        let loads = vec![entry(r#"{"name": "many \" of", "helpers": ["ktime_get_ns"]}"#), entry(&digest)];
        let report = Report { loads, before: Vec::new() };
        let policy = Policy::parse(&Policy::draft(&report).unwrap()).unwrap();
        assert!(report.loads.iter().all(|entry| policy.grants(entry).is_some()), "{policy:?}");
        assert_eq!((policy.programs.len(), policy.classes.len()), (1, 1));
    }

    #[test]
    fn a_draft_does_not_grant_probes() {
        let report = Report {
            loads: vec![entry(r#"{"probes": true, "helpers": ["map_lookup_elem", "redirect"]}"#)],
            before: Vec::new(),
        };
        let draft = Policy::draft(&report).unwrap();
        assert_eq!(Policy::parse(&draft).unwrap().classes, []);
        assert!(draft.contains("# Not granted"), "{draft}");
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let error = |change: (&str, &str)| {
            Policy::parse(&POLICY.replace(change.0, change.1)).unwrap_err().to_string()
        };
        assert_eq!(
            error(("cgroup_device", "cgroup_devise")),
            "class `device rules`: there is no program type `cgroup_devise`"
        );
        assert_eq!(
            error(("max-instructions", "helpers = [\"fork\"]\nmax-instructions")),
            "class `device rules`: there is no helper `fork`"
        );
        assert!(error(("max-instructions", "max-insns")).contains("not a policy"));
    }
}
