//! A load of a program, as the kernel describes it.

use std::collections::BTreeSet;

use bpfsig_signing::Digest;
use bpfsig_signing::uapi::{helper, map_type, prog_type};
use serde::{Deserialize, Serialize};

use crate::attach_type::attach_type_name;

/// A program's capabilities, by which classes of programs are defined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Capabilities {
    /// `enum bpf_prog_type`, by name.
    #[serde(rename = "type")]
    pub prog_type: String,
    /// `enum bpf_attach_type`, by name; `default` if the program does not say.
    pub attach_type: String,
    /// The kernel's type, or the function of another program, that it attaches to; empty if it attaches to none.
    pub attach_to: String,
    /// The helpers that it calls, by name.
    pub helpers: BTreeSet<String>,
    /// The types of its maps.
    pub maps: BTreeSet<String>,
    /// Calls of kernel functions, and references to kernel variables.
    pub kernel_symbols: u32,
}

/// Stands for helpers that have no bit in the kernel's description.
const OTHERS: &str = "others";

impl Capabilities {
    /// Whether the type, the helpers and the maps say all that a program is able to do.
    pub fn are_all(&self) -> bool {
        self.kernel_symbols == 0 && !self.helpers.contains(OTHERS)
    }
}

/// A load, and who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// The program's name, as much as the kernel keeps of it.
    pub name: String,
    /// What the program is able to do.
    pub capabilities: Capabilities,
    /// Number of instructions.
    pub instructions: u32,
    /// Number of CO-RE records, with which the instructions differ between kernels.
    pub core_relocations: u32,
    /// The manifest's digest; none if the program has no manifest.
    pub digest: Option<Digest>,
    /// It comes with a signature that is good.
    pub is_signed: bool,
    /// The process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its name.
    pub command: String,
    /// Its executable; empty if it has none.
    pub executable: String,
    /// Its control group.
    pub cgroup: String,
}

/// `struct load_description` of `bpf/load.h`, in front of `struct load` of `bpf/report.bpf.c`.
mod layout {
    pub const DIGEST: usize = 0;
    pub const HELPERS: usize = 32;
    pub const MAP_TYPES: usize = 64;
    pub const NUMBERS: usize = 72;
    pub const NAME: usize = 112;
    pub const ATTACH_TO: usize = 128;
    pub const DESCRIBED: usize = 192;
    pub const PID: usize = 196;
    pub const UID: usize = 200;
    pub const COMMAND: usize = 204;
    pub const CGROUPS: usize = 220;
    pub const CGROUP_COUNT: usize = 6;
    pub const CGROUP_SIZE: usize = 64;
    pub const EXECUTABLE: usize = CGROUPS + CGROUP_COUNT * CGROUP_SIZE;
    pub const EXECUTABLE_SIZE: usize = 256;
    pub const SIZE: usize = EXECUTABLE + EXECUTABLE_SIZE;
}

impl Load {
    /// Reads what the report program has written; none if it is cut short.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Load> {
        use layout::*;
        let bytes: &[u8; SIZE] = bytes.first_chunk()?;
        let u32_at = |offset: usize| u32::from_ne_bytes(std::array::from_fn(|i| bytes[offset + i]));
        let u64_at = |offset: usize| u64::from_ne_bytes(std::array::from_fn(|i| bytes[offset + i]));
        let text = |offset: usize, size: usize| text(&bytes[offset..offset + size]);
        let [prog_type, attach_type, instructions, _, kfuncs, ksyms, core_relocations, verdict] =
            std::array::from_fn(|i| u32_at(NUMBERS + 4 * i));

        let helpers = (0..256)
            .filter(|number| u64_at(HELPERS + 8 * (number / 64)) >> (number % 64) & 1 != 0)
            .map(|number| if number == 0 { OTHERS.into() } else { helper::name(number as u32) });
        let maps = (0..64).filter(|number| u64_at(MAP_TYPES) >> number & 1 != 0).map(map_type::name);
        let cgroups = (0..CGROUP_COUNT).map(|i| text(CGROUPS + i * CGROUP_SIZE, CGROUP_SIZE));
        let cgroups: Vec<_> = cgroups.filter(|name| !name.is_empty() && name != "/").collect();
        let digest = Digest(std::array::from_fn(|i| bytes[DIGEST + i]));
        Some(Load {
            name: text(NAME, 16),
            capabilities: Capabilities {
                prog_type: prog_type::name(prog_type).into_owned(),
                attach_type: attach_type_name(prog_type, attach_type).into_owned(),
                attach_to: text(ATTACH_TO, 64),
                helpers: helpers.map(Into::into).collect(),
                maps: maps.map(Into::into).collect(),
                kernel_symbols: kfuncs.saturating_add(ksyms),
            },
            instructions,
            core_relocations,
            digest: Some(digest).filter(|digest| u32_at(DESCRIBED) == 0 && *digest != Digest::ZERO),
            is_signed: verdict == 1,
            pid: u32_at(PID),
            uid: u32_at(UID),
            command: text(COMMAND, 16),
            executable: text(EXECUTABLE, EXECUTABLE_SIZE),
            cgroup: cgroups.iter().rev().map(|name| format!("/{name}")).collect(),
        })
    }
}

/// What is before the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
