//! What loads programs on a machine.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use bpfsig_loading::ProgramInfo;
use bpfsig_signing::Digest;
use serde::{Deserialize, Serialize};

use crate::load::{Capabilities, Load};

/// What loads programs on a machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// What has been loaded while this was made, most often loaded first.
    pub loads: Vec<Entry>,
    /// The names of unsigned programs that had been loaded before, with their types.
    pub before: Vec<(String, String)>,
}

/// A loader's programs of one name and type that differ in what they call are probes, if there are more than this: bpftool
/// asks what a kernel is able to do by loading a program for each helper and type, 5,600 in all.
const MANY: usize = 16;

/// Loads that differ in nothing but in what was loaded exactly.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Who loads.
    #[serde(flatten)]
    pub loader: Loader,
    /// The program's name.
    pub name: String,
    /// What the program is able to do.
    #[serde(flatten)]
    pub capabilities: Capabilities,
    /// Number of instructions of the largest.
    pub instructions: u32,
    /// Whether CO-RE makes other instructions of it on another kernel.
    pub core: bool,
    /// The digests of all programs that were loaded; a single one if it was the same each time.
    pub digests: BTreeSet<Digest>,
    /// How often.
    pub count: u32,
    /// It comes with a signature that is good.
    pub signed: bool,
    /// They differ in what they are able to do, too, as probes do, and no one of them is able to do all of it.
    #[serde(default)]
    pub probes: bool,
}

/// Who loads programs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loader {
    /// The executable.
    pub executable: String,
    /// The unit of systemd, or else the control group.
    pub unit: String,
    /// The container that it is in, by the start of its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<String>,
    /// The user.
    pub uid: u32,
}

impl Loader {
    fn of(load: &Load) -> Self {
        let names: Vec<_> = load.cgroup.split('/').filter(|name| !name.is_empty()).collect();
        let is_unit = |name: &&&str| [".service", ".scope"].iter().any(|kind| name.ends_with(kind));
        let unit = names.iter().rev().find(is_unit).map_or(load.cgroup.clone(), |unit| (*unit).to_owned());
        let container = names.iter().rev().find_map(|name| container(name));
        Self { executable: load.executable.clone(), unit, container, uid: load.uid }
    }
}

/// The start of a container's id, which runtimes give the control group: 64 hexadecimal digits.
fn container(cgroup: &str) -> Option<String> {
    let id = cgroup.strip_suffix(".scope").unwrap_or(cgroup);
    let id = id.rsplit('-').next().unwrap_or(id);
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id[..12].to_owned())
}

impl Report {
    /// Sums up loads.
    pub fn new(loads: &[Load], before: &[ProgramInfo]) -> Self {
        let mut entries = BTreeMap::<_, Entry>::new();
        for entry in loads.iter().map(Entry::of) {
            let key = (entry.loader.clone(), entry.name.clone(), entry.capabilities.clone(), entry.signed);
            match entries.entry(key) {
                Slot::Vacant(slot) => _ = slot.insert(entry),
                Slot::Occupied(mut slot) => slot.get_mut().add(entry),
            }
        }
        let mut loads = with_probes_together(entries.into_values());
        loads.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        let before = before.iter().map(|program| (program.name.clone(), program.prog_type.clone())).collect();
        Self { loads, before }
    }
}

/// Makes one entry of many that differ in what they call.
fn with_probes_together(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut alike = BTreeMap::<_, Vec<Entry>>::new();
    for entry in entries {
        let able = &entry.capabilities;
        let calls = !able.helpers.is_empty();
        let kind = (able.prog_type.clone(), able.attach_type.clone(), able.attach_to.clone());
        let key = (entry.loader.clone(), entry.name.clone(), kind, calls, entry.signed);
        alike.entry(key).or_default().push(entry);
    }
    let together = |entries: Vec<Entry>| {
        if entries.len() <= MANY {
            return entries;
        }
        let probes = entries.into_iter().reduce(|mut all, entry| {
            all.add(entry);
            all
        });
        probes.map(|probes| Entry { probes: true, ..probes }).into_iter().collect()
    };
    alike.into_values().flat_map(together).collect()
}

impl Entry {
    /// The entry of a single load.
    fn of(load: &Load) -> Self {
        Self {
            loader: Loader::of(load),
            name: load.name.clone(),
            capabilities: load.capabilities.clone(),
            instructions: load.instructions,
            core: load.core_relocations != 0,
            digests: load.digest.into_iter().collect(),
            count: 1,
            signed: load.is_signed,
            probes: false,
        }
    }

    /// Lets it stand for the loads of another one, too.
    fn add(&mut self, other: Self) {
        let (able, others) = (&mut self.capabilities, other.capabilities);
        able.helpers.extend(others.helpers);
        able.maps.extend(others.maps);
        able.kernel_symbols = able.kernel_symbols.max(others.kernel_symbols);
        self.instructions = self.instructions.max(other.instructions);
        self.core |= other.core;
        self.digests.extend(other.digests);
        self.count += other.count;
    }

    /// The digest, if it was the same each time.
    pub fn only_digest(&self) -> Option<Digest> {
        self.digests.first().copied().filter(|_| self.digests.len() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(cgroup: &str, digest: u8) -> Load {
        Load {
            name: "sd_devices".into(),
            capabilities: Capabilities {
                prog_type: "cgroup_device".into(),
                attach_type: "cgroup_inet_ingress".into(),
                attach_to: String::new(),
                helpers: BTreeSet::new(),
                maps: BTreeSet::new(),
                kernel_symbols: 0,
            },
            instructions: u32::from(digest),
            core_relocations: 0,
            digest: Some(Digest([digest; 32])),
            is_signed: false,
            pid: 1,
            uid: 0,
            command: "systemd".into(),
            executable: "/usr/lib/systemd/systemd".into(),
            cgroup: cgroup.into(),
        }
    }

    #[test]
    fn loads_of_a_kind_are_one_entry() {
        let loads = [load("/init.scope", 1), load("/init.scope", 2), load("/init.scope", 2)];
        let report = Report::new(&loads, &[]);
        let [entry] = &report.loads[..] else { panic!("{report:?}") };
        assert_eq!((entry.count, entry.instructions, entry.digests.len()), (3, 2, 2));
        assert_eq!(entry.only_digest(), None);
        assert_eq!(entry.loader.unit, "init.scope");
    }

    #[test]
    fn probes_are_one_entry() {
        let probe = |number: usize| {
            let mut load = load("/init.scope", number as u8);
            load.capabilities.helpers.insert(format!("helper_{number}"));
            load
        };
        let report = |count| Report::new(&(0..count).map(probe).collect::<Vec<_>>(), &[]).loads;
        let few = report(MANY);
        assert!(few.len() == MANY && few.iter().all(|entry| !entry.probes));
        let [probes] = &report(MANY + 1)[..] else { panic!("not together") };
        let helpers = probes.capabilities.helpers.len();
        assert!(probes.probes);
        assert_eq!((probes.count as usize, probes.digests.len(), helpers), (MANY + 1, MANY + 1, MANY + 1));
    }

    #[test]
    fn containers_are_told_by_their_control_group() {
        let id = "0123456789abcdef".repeat(4);
        let loader = |cgroup: &str| Loader::of(&load(cgroup, 1));
        assert_eq!(loader(&format!("/machine.slice/libpod-{id}.scope")).container.unwrap(), "0123456789ab");
        assert_eq!(loader("/system.slice/ssh.service").container, None);
        assert_eq!(loader("/system.slice/ssh.service").unit, "ssh.service");
        assert_eq!(loader("/mine").unit, "/mine");
    }

    #[test]
    fn a_report_survives_json() {
        let report = Report::new(&[load("/init.scope", 1)], &[]);
        let json = serde_json::to_string(&report).unwrap();
        let again: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
    }
}
