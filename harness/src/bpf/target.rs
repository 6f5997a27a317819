//! What programs attach to, in the running kernel.

use std::fs;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use bpfsig_signing::program::{Attach, Program};

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// `BTF_KIND_*`.
const KIND_STRUCT: u32 = 4;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNC: u32 = 12;

/// `BPF_PROG_TYPE_STRUCT_OPS` and `BPF_TRACE_RAW_TP`, whose targets are no functions.
const PROG_TYPE_STRUCT_OPS: u32 = 27;
const ATTACH_TYPE_RAW_TP: u32 = 23;

/// What a program attaches to, as `BPF_PROG_LOAD` has it: numbers that only this kernel knows.
#[derive(Debug, Default)]
pub struct LoadTarget {
    /// The type's id in the kernel's BTF.
    pub btf_id: u32,
    /// The program or the module's BTF that the type is in; none: the kernel's own.
    pub object: Option<OwnedFd>,
    /// The index of the member of a struct_ops type.
    pub member: Option<u32>,
}

impl LoadTarget {
    /// Looks up the target of a program.
    ///
    /// # Errors
    /// There is no such type.
    pub fn of(program: &Program) -> Result<Self> {
        let (object, name) = match &program.attach {
            Attach::None => return Ok(Self::default()),
            Attach::KernelType { object, name, .. } => (object, name),
            Attach::Program { .. } => {
                bail!("{}: attaching to a program is not supported", program.name)
            }
        };
        if object != "vmlinux" {
            bail!("{}: attaching to module {object} is not supported", program.name);
        }
        let kind = match (program.prog_type, program.expected_attach_type) {
            (PROG_TYPE_STRUCT_OPS, _) => KIND_STRUCT,
            (_, ATTACH_TYPE_RAW_TP) => KIND_TYPEDEF,
            _ => KIND_FUNC,
        };
        let btf = fs::read(VMLINUX).context(VMLINUX)?;
        let btf_id = find(&btf, kind, name)
            .with_context(|| format!("{VMLINUX} is malformed"))?
            .with_context(|| format!("{}: the kernel has no {name}", program.name))?;
        Ok(Self { btf_id, ..Self::default() })
    }
}

/// The id of the first type of this kind and name. `None` if the BTF is malformed.
fn find(btf: &[u8], kind: u32, name: &str) -> Option<Option<u32>> {
    let header_size = word(btf, 4)? as usize;
    let section = |at| -> Option<&[u8]> {
        let start = header_size.checked_add(word(btf, at)? as usize)?;
        btf.get(start..start.checked_add(word(btf, at + 4)? as usize)?)
    };
    let mut types = section(8)?;
    let strings = section(16)?;
    let mut id = 0;
    while !types.is_empty() {
        id += 1;
        let info = word(types, 4)?;
        let this_kind = info >> 24 & 0x1f;
        if this_kind == kind {
            let this_name = strings.get(word(types, 0)? as usize..)?;
            if this_name.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0)) {
                return Some(Some(id));
            }
        }
        types = types.get(12 + tail_size(this_kind, info as usize & 0xffff)?..)?;
    }
    Some(None)
}

/// How many bytes follow the twelve that all types have.
fn tail_size(kind: u32, entries: usize) -> Option<usize> {
    Some(match kind {
        // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        2 | 7..=12 | 16 | 18 => 0,
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => 12 * entries,
        // ENUM, FUNC_PROTO
        6 | 13 => 8 * entries,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BTF with a struct `pair` of two members, a typedef and a function that are both called `pair`.
    fn sample() -> Vec<u8> {
        let strings = b"\0pair\0other\0";
        let types: &[u32] = &[
            1,
            KIND_STRUCT << 24 | 2,
            8,
            0,
            0,
            0,
            0,
            0,
            32, // struct pair
            6,
            KIND_FUNC << 24,
            0, // function other
            1,
            KIND_TYPEDEF << 24,
            1, // typedef pair
            1,
            KIND_FUNC << 24,
            0, // function pair
        ];
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        for field in [24, 0, 4 * types.len() as u32, 4 * types.len() as u32, strings.len() as u32] {
            btf.extend(field.to_le_bytes());
        }
        btf.extend(types.iter().flat_map(|word| word.to_le_bytes()));
        btf.extend(strings);
        btf
    }

    #[test]
    fn finds_by_kind_and_whole_name() {
        let btf = sample();
        assert_eq!(find(&btf, KIND_STRUCT, "pair"), Some(Some(1)));
        assert_eq!(find(&btf, KIND_TYPEDEF, "pair"), Some(Some(3)));
        assert_eq!(find(&btf, KIND_FUNC, "pair"), Some(Some(4)));
        assert_eq!(find(&btf, KIND_FUNC, "pai"), Some(None));
        assert_eq!(find(&btf, KIND_FUNC, "pairs"), Some(None));
    }

    #[test]
    fn cut_off_btf_is_malformed() {
        let btf = sample();
        assert_eq!(find(&btf[..btf.len() - 1], KIND_FUNC, "pair"), None);
        assert_eq!(find(&btf[..20], KIND_FUNC, "pair"), None);
    }
}
