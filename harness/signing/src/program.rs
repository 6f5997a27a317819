//! A program in load-invariant form: what is signed, and what is handed to `BPF_PROG_LOAD`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::insn::INSN_SIZE;
use crate::map::MapDefinition;
use crate::uapi::{attach_type, prog_type};
use crate::{Error, Result};

/// Fixed-size records that accompany the instructions, as the kernel takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Bytes per record; 0 if there are none.
    pub record_size: u32,
    /// The records, one after the other.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

impl Records {
    /// How many records there are.
    pub fn count(&self) -> u32 {
        (self.bytes.len() as u32).checked_div(self.record_size).unwrap_or(0)
    }
}

/// What a program attaches to, by name, since type ids differ from kernel to kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Attach {
    /// Nothing that is known when the program is loaded.
    #[default]
    None,
    /// A type in the BTF of the kernel or of a module.
    KernelType {
        /// Whose BTF the type is in: `vmlinux`, or the name of a module.
        #[serde(rename = "object")]
        btf: String,
        /// The type's BTF name, with the prefix that the kernel gives it (`bpf_lsm_`, `btf_trace_`, `bpf_iter_`).
        name: String,
        /// The member of a struct_ops type that the program implements; empty for all other programs.
        member: String,
    },
    /// A function of another program (`freplace`, or `fentry` on a program): whichever program the loader names.
    Program {
        /// The function's name in that program's BTF.
        name: String,
    },
}

impl Attach {
    /// The same in a module, for what the kernel itself need not have: an object that names no module leaves open where it
    /// is.
    pub fn in_module(&self, module: &str) -> Option<Self> {
        match self {
            Self::KernelType { btf, name, member } if btf == VMLINUX && name != MULTI_TARGET => {
                Some(Self::KernelType { btf: module.to_owned(), name: name.clone(), member: member.clone() })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::KernelType { btf, name, member } if member.is_empty() => write!(f, "{btf}:{name}"),
            Self::KernelType { btf, name, member } => write!(f, "{btf}:{name}.{member}"),
            Self::Program { name } => write!(f, "{name} of a program"),
        }
    }
}

/// One program in load-invariant form (see `kernel-patch/README.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The name as the compiler wrote it; the kernel keeps the first 15 bytes.
    pub name: String,
    /// The section of the object that it is in, which also says where to attach it once it is loaded. Not signed.
    pub section: String,
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`.
    pub expected_attach_type: u32,
    /// `BPF_F_*` flags of `BPF_PROG_LOAD`.
    pub flags: u32,
    /// The license string, without a terminating zero.
    pub license: String,
    /// The attach target.
    pub attach: Attach,
    /// Instructions, 8 bytes each, subprograms appended.
    #[serde(with = "serde_bytes")]
    pub insns: Vec<u8>,
    /// The BTF as it is given to `BPF_BTF_LOAD`, shared by all programs of an object.
    pub btf: Option<Arc<[u8]>>,
    /// `struct bpf_func_info` records.
    pub func_info: Records,
    /// `struct bpf_line_info` records. Not signed: they only decorate the verifier's log.
    pub line_info: Records,
    /// `struct bpf_core_relo` records.
    pub core_relos: Records,
    /// The maps that the instructions refer to by their index here; `fd_array` of `BPF_PROG_LOAD`.
    pub slots: Vec<Arc<MapDefinition>>,
}

/// The kernel's own BTF among those that an [`Attach::KernelType`] may name.
pub const VMLINUX: &str = "vmlinux";

/// The function that the kernel takes for the target of a program that is made for several (`fentry.multi`): which ones is
/// said when it is attached.
pub const MULTI_TARGET: &str = "bpf_multi_func";

/// `BPF_CORE_EXTERN`, the first of the kinds of a `struct bpf_core_relo` that no compiler writes: the instruction refers
/// to the function or variable of the kernel with the name of the record's type.
pub(crate) const RELO_EXTERN: u32 = 256;

/// Bytes of the name of a program or a map that a kernel keeps (`BPF_OBJ_NAME_LEN`, without the terminating zero).
pub const NAME_LEN: usize = 15;

impl Program {
    /// Makes an fentry or fexit program attach to a function in another program instead of in the kernel: nothing in an
    /// object says so. A program that replaces a function (`freplace`) does it already. Without a name, the function
    /// is the one that the object names.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] if this can't be done with such a program.
    #[doc(alias = "bpf_program__set_attach_target")]
    pub fn attach_to_program(&mut self, function: Option<&str>) -> Result<()> {
        let is_tracing = self.prog_type == prog_type::TRACING
            && [attach_type::TRACE_FENTRY, attach_type::TRACE_FEXIT].contains(&self.expected_attach_type);
        let name = match &self.attach {
            Attach::Program { name } => name,
            Attach::KernelType { btf, name, .. } if is_tracing && btf == VMLINUX => name,
            _ => {
                return Err(Error::Program {
                    name: self.name.clone(),
                    problem: "only fentry, fexit and freplace programs can attach to a program",
                });
            }
        };
        self.attach = Attach::Program { name: function.unwrap_or(name).to_owned() };
        Ok(())
    }

    /// Whether the kernel has to find functions or variables by name, which only a patched one does.
    pub fn has_externs(&self) -> bool {
        let kind = |record: &[u8]| Some(u32::from_le_bytes(*record.get(12..)?.first_chunk()?));
        let size = (self.core_relos.record_size as usize).max(1);
        self.core_relos.bytes.chunks(size).filter_map(kind).any(|kind| kind >= RELO_EXTERN)
    }

    /// How many instructions the program has (a 64-bit immediate load counts as two).
    pub fn insn_count(&self) -> u32 {
        (self.insns.len() / INSN_SIZE) as u32
    }
}
