//! What programs attach to, looked up in the running kernel.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use bpfsig_signing::btf::{Btf, kind};
use bpfsig_signing::program::{Attach, Program};
use libbpf_rs::libbpf_sys as sys;

use super::kernel_btf;

/// What a program attaches to, as `BPF_PROG_LOAD` has it: numbers that only this kernel knows.
#[derive(Debug, Default)]
pub struct LoadTarget {
    /// The type's id in the BTF of the kernel, the module or the other program.
    pub btf_id: u32,
    /// The module's BTF or the other program; none: the kernel's own BTF.
    pub object: Option<OwnedFd>,
    /// The index of the member of a struct_ops type.
    pub member: Option<u32>,
}

impl LoadTarget {
    /// Looks up the target of a program. `other` is the program to attach to, for a program that attaches to one.
    ///
    /// # Errors
    /// There is no such type.
    pub fn of(program: &Program, other: Option<BorrowedFd<'_>>) -> Result<Self> {
        Self::find(program, other).with_context(|| format!("program `{}`", program.name))
    }

    fn find(program: &Program, other: Option<BorrowedFd<'_>>) -> Result<Self> {
        match &program.attach {
            Attach::None => Ok(Self::default()),
            Attach::KernelType { object, name, member } => {
                let (btf, object) = kernel_types(object)?;
                let kind = kind_of_target(program);
                let btf_id = btf.find(kind, name).with_context(|| format!("the kernel has no {name}"))?;
                let member = match &**member {
                    "" => None,
                    member => Some(index_of_member(&btf, btf_id, member)?),
                };
                Ok(Self { btf_id, object, member })
            }
            Attach::Program { name } => {
                let other = other.with_context(|| {
                    format!("it attaches to function {name} of another program, and none is given")
                })?;
                let btf_id = kernel_btf::of_program(other)?
                    .find(kind::FUNC, name)
                    .with_context(|| format!("the program to attach to has no function {name}"))?;
                Ok(Self { btf_id, object: Some(other.try_clone_to_owned()?), member: None })
            }
        }
    }
}

/// The BTF of `vmlinux` or of a module, and the kernel's object for a module's.
fn kernel_types(object: &str) -> Result<(Arc<Btf>, Option<OwnedFd>)> {
    if object == "vmlinux" {
        return Ok((kernel_btf::vmlinux()?, None));
    }
    let (btf, fd) = kernel_btf::module(object)?;
    Ok((Arc::new(btf), Some(fd)))
}

fn kind_of_target(program: &Program) -> u32 {
    match (program.prog_type, program.expected_attach_type) {
        (sys::BPF_PROG_TYPE_STRUCT_OPS, _) => kind::STRUCT,
        (_, sys::BPF_TRACE_RAW_TP) => kind::TYPEDEF,
        _ => kind::FUNC,
    }
}

fn index_of_member(btf: &Btf, type_id: u32, name: &str) -> Result<u32> {
    let (type_name, members) = btf.structure(type_id)?;
    let index = members.iter().position(|member| member.name == name);
    Ok(index.with_context(|| format!("the kernel's {type_name} has no member {name}"))? as u32)
}
