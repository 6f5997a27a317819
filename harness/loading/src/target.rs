//! What programs attach to, looked up in the running kernel.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use bpfsig_signing::btf::{Btf, kind};
use bpfsig_signing::program::{Attach, MULTI_TARGET, Program, VMLINUX};
use bpfsig_signing::uapi::{attach_type, prog_type};

use crate::error::{Error, Result};
use crate::kernel_btf::{self, KernelType, Module};

/// What a program attaches to, as `BPF_PROG_LOAD` has it: numbers that only this kernel knows.
#[derive(Debug, Default)]
pub struct LoadTarget {
    /// The type's id in the BTF of the kernel, the module or the other program.
    pub btf_id: u32,
    /// The module's BTF or the other program; none: the kernel's own BTF.
    pub object: Option<OwnedFd>,
    /// The index of the member of a struct_ops type.
    pub member: Option<u32>,
    /// The module that the type has been found in, although the program does not name it.
    pub module: Option<String>,
}

impl LoadTarget {
    /// Looks up the target of a program. `other` is the program to attach to, for a program that attaches to one.
    ///
    /// # Errors
    /// There is no such type.
    pub fn of(program: &Program, other: Option<BorrowedFd<'_>>) -> Result<Self> {
        Self::find(program, other).map_err(|error| error.in_program(&program.name))
    }

    fn find(program: &Program, other: Option<BorrowedFd<'_>>) -> Result<Self> {
        match &program.attach {
            Attach::None => Ok(Self::default()),
            // The kernel knows its id.
            Attach::KernelType { btf, name, .. } if name == MULTI_TARGET => {
                let module = (btf != VMLINUX).then(|| Module::named(btf)).transpose()?;
                Ok(Self { object: module.map(|module| module.fd), ..Self::default() })
            }
            Attach::KernelType { btf: object, name, member } => {
                let KernelType { btf, type_id: btf_id, module } = kernel_type(program, object, name)?;
                let member = match &**member {
                    "" => None,
                    member => Some(index_of_member(&btf, btf_id, member)?),
                };
                let (name, object) = module.map(|Module { name, fd }| (name, fd)).unzip();
                Ok(Self { btf_id, object, member, module: name })
            }
            Attach::Program { name } => {
                let other = other.ok_or_else(|| {
                    Error::Missing(format!(
                        "it attaches to function {name} of another program, and none is given"
                    ))
                })?;
                let btf_id = kernel_btf::of_program(other)?.find(kind::FUNC, name).ok_or_else(|| {
                    Error::Missing(format!("the program to attach to has no function {name}"))
                })?;
                let other = other.try_clone_to_owned().map_err(Error::system("the program to attach to"))?;
                Ok(Self { btf_id, object: Some(other), ..Self::default() })
            }
        }
    }
}

/// What a program attaches to: in the module that it names, or else wherever it is.
fn kernel_type(program: &Program, object: &str, name: &str) -> Result<KernelType> {
    let kind = kind_of_target(program);
    let found = if object != VMLINUX {
        let module = Module::named(object)?;
        let btf = Arc::new(module.btf()?);
        btf.find(kind, name).map(|type_id| KernelType { btf, type_id, module: Some(module) })
    } else if kind == kind::STRUCT {
        kernel_btf::find_struct_ops(name)?.and_then(|KernelType { btf, module, .. }| {
            btf.find(kind, name).map(|type_id| KernelType { btf, type_id, module })
        })
    } else {
        kernel_btf::find(kind, name)?
    };
    found.ok_or_else(|| {
        Error::Missing(match object {
            VMLINUX => format!("neither the kernel nor a module has {name}"),
            module => format!("module {module} has no {name}"),
        })
    })
}

fn kind_of_target(program: &Program) -> u32 {
    match (program.prog_type, program.expected_attach_type) {
        (prog_type::STRUCT_OPS, _) => kind::STRUCT,
        (_, attach_type::TRACE_RAW_TP) => kind::TYPEDEF,
        _ => kind::FUNC,
    }
}

fn index_of_member(btf: &Btf, type_id: u32, name: &str) -> Result<u32> {
    let (type_name, members) = btf.structure(type_id).map_err(Error::btf("the BTF of the kernel"))?;
    let index = members.iter().position(|member| member.name == name);
    match index {
        Some(index) => Ok(index as u32),
        None => Err(Error::Missing(format!("the kernel's {type_name} has no member {name}"))),
    }
}
