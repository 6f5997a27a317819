//! The manifest: everything about one program that a signature binds.
//!
//! The kernel builds the same bytes from what `BPF_PROG_LOAD` hands it and looks for their digest in the statement.

use std::fmt;

use crate::program::{Attach, INSN_SIZE, Program, Records};
use crate::{Digest, Error, Result};

/// Bytes in an encoded manifest.
pub const SIZE: usize = 264;

const MAGIC: [u8; 8] = *b"BPFSIGMF";
const VERSION: u32 = 1;

/// `BPF_PROG_TYPE_STRUCT_OPS`.
const PROG_TYPE_STRUCT_OPS: u32 = 27;
/// `BPF_F_TOKEN_FD`: says how a program is loaded, not what it does.
const F_TOKEN_FD: u32 = 1 << 16;
/// `BPF_OBJ_NAME_LEN`, with the terminating zero.
const OBJ_NAME_LEN: usize = 16;
/// Bytes of the license that `BPF_PROG_LOAD` reads, without the terminating zero.
const LICENSE_LEN: usize = 127;

/// A manifest, field by field as `kernel-patch/README.md` specifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`; 0 for struct_ops, where it is a member index that depends on the kernel.
    pub expected_attach_type: u32,
    /// `BPF_F_*` flags, without `BPF_F_TOKEN_FD`.
    pub prog_flags: u32,
    /// 0: attaches to nothing known at load, 1: to a type in a kernel BTF.
    pub attach_kind: u32,
    /// Instructions.
    pub insn_cnt: u32,
    /// Bytes of BTF.
    pub btf_size: u32,
    /// Bytes per `struct bpf_func_info`.
    pub func_info_rec_size: u32,
    /// `struct bpf_func_info` records.
    pub func_info_cnt: u32,
    /// Bytes per `struct bpf_core_relo`.
    pub core_relo_rec_size: u32,
    /// `struct bpf_core_relo` records.
    pub core_relo_cnt: u32,
    /// Entries of `fd_array` that the program may use.
    pub slot_cnt: u32,
    /// The name that the kernel keeps, padded with zeros.
    pub prog_name: [u8; OBJ_NAME_LEN],
    /// License and attach target.
    pub names_sha256: Digest,
    /// Instructions in load-invariant form.
    pub insns_sha256: Digest,
    /// The BTF as it is given to `BPF_BTF_LOAD`.
    pub btf_sha256: Digest,
    /// `struct bpf_func_info` records.
    pub func_info_sha256: Digest,
    /// `struct bpf_core_relo` records.
    pub core_relos_sha256: Digest,
    /// Definitions of the maps in `fd_array`.
    pub slots_sha256: Digest,
}

impl Manifest {
    /// The manifest of a program.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] if the program could not be loaded in this form: instructions or records that are cut off,
    /// a size beyond 32 bits, a zero byte in a name.
    pub fn of(program: &Program) -> Result<Self> {
        let refuse = |problem| Error::Program { name: program.name.clone(), problem };

        if program.insns.is_empty() {
            return Err(refuse("it has no instructions"));
        }
        if !program.insns.len().is_multiple_of(INSN_SIZE) {
            return Err(refuse("the last instruction is cut off"));
        }
        for records in [&program.func_info, &program.core_relos] {
            if !is_whole(records) {
                return Err(refuse("func_info or CO-RE records are cut off"));
            }
        }
        let btf = program.btf.as_deref().unwrap_or_default();
        if program.func_info.bytes.is_empty() && !(btf.is_empty() && program.core_relos.bytes.is_empty()) {
            return Err(refuse("it has BTF or CO-RE records but no func_info"));
        }
        for part in [&program.insns, btf, &program.func_info.bytes, &program.core_relos.bytes] {
            if u32::try_from(part.len()).is_err() {
                return Err(refuse("a part has 4 GiB or more"));
            }
        }

        let (attach_kind, object, name, member) = match &program.attach {
            Attach::None => (0, "", "", ""),
            Attach::KernelType { object, name, member } => (1, &**object, &**name, &**member),
            Attach::Program { .. } => {
                return Err(refuse("a signature can't cover that it attaches to another program"));
            }
        };
        let names: [&str; 5] = [&program.name, &program.license, object, name, member];
        let maps = program.slots.iter().map(|map| map.name.as_str());
        if names.into_iter().chain(maps).any(|name| name.contains('\0')) {
            return Err(refuse("a name has a zero byte"));
        }

        let mut prog_name = [0; OBJ_NAME_LEN];
        let kept = truncated(&program.name, OBJ_NAME_LEN - 1);
        prog_name[..kept.len()].copy_from_slice(kept);

        Ok(Manifest {
            prog_type: program.prog_type,
            expected_attach_type: match program.prog_type {
                PROG_TYPE_STRUCT_OPS => 0,
                _ => program.expected_attach_type,
            },
            prog_flags: program.flags & !F_TOKEN_FD,
            attach_kind,
            insn_cnt: program.insn_count(),
            btf_size: btf.len() as u32,
            func_info_rec_size: record_size(&program.func_info),
            func_info_cnt: program.func_info.count(),
            core_relo_rec_size: record_size(&program.core_relos),
            core_relo_cnt: program.core_relos.count(),
            slot_cnt: program.slots.len() as u32,
            prog_name,
            names_sha256: names_digest([
                truncated(&program.license, LICENSE_LEN),
                object.as_bytes(),
                name.as_bytes(),
                member.as_bytes(),
            ]),
            insns_sha256: Digest::of(&program.insns),
            btf_sha256: digest_or_zero(btf),
            func_info_sha256: digest_or_zero(&program.func_info.bytes),
            core_relos_sha256: digest_or_zero(&program.core_relos.bytes),
            slots_sha256: digest_or_zero(
                &program.slots.iter().flat_map(|map| map.to_slot()).collect::<Vec<_>>(),
            ),
        })
    }

    /// The manifest as the kernel lays it out.
    pub fn to_bytes(&self) -> [u8; SIZE] {
        let numbers = [
            VERSION,
            self.prog_type,
            self.expected_attach_type,
            self.prog_flags,
            self.attach_kind,
            self.insn_cnt,
            self.btf_size,
            self.func_info_rec_size,
            self.func_info_cnt,
            self.core_relo_rec_size,
            self.core_relo_cnt,
            self.slot_cnt,
        ];
        let digests = [
            &self.names_sha256,
            &self.insns_sha256,
            &self.btf_sha256,
            &self.func_info_sha256,
            &self.core_relos_sha256,
            &self.slots_sha256,
        ];

        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend(MAGIC);
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(self.prog_name);
        bytes.extend(digests.iter().flat_map(|digest| digest.0));
        bytes.try_into().expect("the fields add up to SIZE")
    }

    /// What a statement lists for the program.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_bytes())
    }
}

/// One field a line, named as in the specification.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.prog_name);
        let mut field = |name: &str, value: &dyn fmt::Display| writeln!(f, "  {name:<20} {value}");
        field("prog_type", &self.prog_type)?;
        field("expected_attach_type", &self.expected_attach_type)?;
        field("prog_flags", &format_args!("{:#x}", self.prog_flags))?;
        field("attach_kind", &self.attach_kind)?;
        field("prog_name", &name.trim_end_matches('\0'))?;
        field("names_sha256", &self.names_sha256)?;
        field("insn_cnt", &self.insn_cnt)?;
        field("insns_sha256", &self.insns_sha256)?;
        field("btf_size", &self.btf_size)?;
        field("btf_sha256", &self.btf_sha256)?;
        field("func_info_rec_size", &self.func_info_rec_size)?;
        field("func_info_cnt", &self.func_info_cnt)?;
        field("func_info_sha256", &self.func_info_sha256)?;
        field("core_relo_rec_size", &self.core_relo_rec_size)?;
        field("core_relo_cnt", &self.core_relo_cnt)?;
        field("core_relos_sha256", &self.core_relos_sha256)?;
        field("slot_cnt", &self.slot_cnt)?;
        field("slots_sha256", &self.slots_sha256)
    }
}

fn is_whole(records: &Records) -> bool {
    match records.record_size {
        0 => records.bytes.is_empty(),
        size => records.bytes.len().is_multiple_of(size as usize),
    }
}

/// A record size without records does not count: the kernel does not look at it.
fn record_size(records: &Records) -> u32 {
    if records.bytes.is_empty() { 0 } else { records.record_size }
}

fn truncated(name: &str, max: usize) -> &[u8] {
    &name.as_bytes()[..name.len().min(max)]
}

fn digest_or_zero(bytes: &[u8]) -> Digest {
    if bytes.is_empty() { Digest::ZERO } else { Digest::of(bytes) }
}

fn names_digest(names: [&[u8]; 4]) -> Digest {
    let mut strings = Vec::new();
    for name in names {
        strings.extend(name);
        strings.push(0);
    }
    Digest::of(strings)
}
