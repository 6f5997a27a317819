//! The manifest: everything about one program that a signature binds.
//!
//! The kernel builds the same bytes from what `BPF_PROG_LOAD` hands it and looks for their digest in the statement.

use std::fmt;

use crate::program::NAME_LEN;
use crate::{Digest, uapi};

/// Bytes in an encoded manifest.
pub const SIZE: usize = 264;

const MAGIC: [u8; 8] = *b"BPFSIGMF";
const VERSION: u32 = 1;

/// A manifest, field by field as `kernel-patch/README.md` specifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`; 0 for struct_ops, where it is a member index that depends on the kernel.
    pub expected_attach_type: u32,
    /// `BPF_F_*` flags, without `BPF_F_TOKEN_FD`.
    pub prog_flags: u32,
    /// 0: attaches to nothing known at load, 1: to a type in a kernel BTF, 2: to a function of a program.
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
    pub prog_name: [u8; NAME_LEN + 1],
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

    /// The entry of a statement for the program.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_bytes())
    }
}

/// One field a line, named as in the specification; numbers that have names with these.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.prog_name);
        let mut field = |name: &str, value: &dyn fmt::Display| writeln!(f, "  {name:<20} {value}");
        field("prog_type", &uapi::with_number(&uapi::prog_type::name(self.prog_type), self.prog_type))?;
        let attach_type = uapi::expected_attach_type(self.prog_type, self.expected_attach_type);
        field("expected_attach_type", &attach_type)?;
        field("prog_flags", &uapi::flags(self.prog_flags, uapi::PROG_FLAGS))?;
        let attach_kind = match self.attach_kind {
            0 => "none",
            1 => "type of the kernel",
            _ => "function of a program",
        };
        field("attach_kind", &uapi::with_number(attach_kind, self.attach_kind))?;
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
