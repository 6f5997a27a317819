//! Tables of functions for the kernel (struct_ops), in the layout that this kernel has.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use bpfsig_signing::btf::kind;
use bpfsig_signing::names;
use bpfsig_signing::object::{StructOps, StructOpsMember};
use bpfsig_signing::uapi::map_type;
use libbpf_rs::libbpf_sys as sys;

use crate::error::{Error, Result};
use crate::kernel_btf;
use crate::libbpf::map_update;
use crate::syscall::{self, MapCreate};

/// A table in the kernel's layout.
#[derive(Debug)]
pub(super) struct Table {
    /// The type of the map's value.
    value_type_id: u32,
    /// The module that it is in; none: it is the kernel's own.
    module: Option<OwnedFd>,
    /// The map's value.
    value: Vec<u8>,
    /// Where functions go: offset in `value` in bytes, and index of the program in the object.
    functions: Vec<(usize, usize)>,
    /// The functions that the kernel's type has and the object does not set.
    unset: Vec<String>,
}

impl Table {
    /// Lays out a table for this kernel, without its functions.
    ///
    /// # Errors
    /// Neither the kernel nor a module has the type, or it lacks a member that the object sets.
    pub fn of(table: &StructOps) -> Result<Self> {
        Self::lay_out(table).map_err(|error| error.in_map(&table.name))
    }

    fn lay_out(table: &StructOps) -> Result<Self> {
        let type_name = &table.type_name;
        let missing = || {
            Error::Missing(format!("neither the kernel nor a module has a struct_ops of type {type_name}"))
        };
        let found = kernel_btf::find_struct_ops(type_name)?.ok_or_else(missing)?;
        let (kernel, value_type_id) = (&*found.btf, found.type_id);
        let structure =
            |type_id| kernel.structure(type_id).map_err(Error::btf(format!("the kernel's {type_name}")));
        let type_id = kernel.find(kind::STRUCT, type_name).ok_or_else(missing)?;
        let (_, wrapping) = structure(value_type_id)?;
        let start = wrapping.iter().find(|member| member.type_id == type_id).ok_or_else(missing)?.offset;
        let size = kernel.size(value_type_id).ok_or_else(missing)?;

        let (_, members) = structure(type_id)?;
        let mut value = vec![0; size as usize];
        let mut functions = Vec::new();
        for member in &table.members {
            let data = data(table, member);
            let Some(place) = members.iter().find(|place| place.name == member.name) else {
                if member.program.is_some() || data.iter().any(|byte| *byte != 0) {
                    let name = &member.name;
                    return Err(Error::Missing(format!("the kernel's {type_name} has no member {name}")));
                }
                continue;
            };
            if place.is_bit_field || kernel.size(place.type_id) != Some(member.size) {
                let name = &member.name;
                let problem = format!("the kernel's {type_name} has a member {name} of another size");
                return Err(Error::Missing(problem));
            }
            let offset = (start + place.offset) as usize;
            let room = value.get_mut(offset..offset + data.len()).ok_or_else(missing)?;
            match member.program {
                Some(program) => functions.push((offset, program)),
                None => room.copy_from_slice(data),
            }
        }
        let is_set = |name: &str| table.members.iter().any(|it| it.name == name && it.program.is_some());
        let is_function = |type_id| kernel.pointee(type_id).is_some_and(|to| kernel.is_function(to));
        let unset = members.iter().filter(|member| is_function(member.type_id) && !is_set(member.name));
        let unset = unset.map(|member| member.name.to_owned()).collect();
        let module = found.module.map(|module| module.fd);
        Ok(Self { value_type_id, module, value, functions, unset })
    }

    /// Creates the map that holds the table. `btf` is the object's: the kernel wants one, whatever is in it.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn create_map(&self, name: &str, is_link: bool, btf: Option<BorrowedFd<'_>>) -> Result<OwnedFd> {
        let fd = syscall::map_create(&MapCreate {
            map_type: map_type::STRUCT_OPS,
            key_size: size_of::<u32>() as u32,
            value_size: self.value.len() as u32,
            max_entries: 1,
            map_flags: if is_link { sys::BPF_F_LINK } else { 0 }
                | if self.module.is_some() { sys::BPF_F_VTYPE_BTF_OBJ_FD } else { 0 },
            value_type_btf_obj_fd: self.module.as_ref().map_or(0, AsRawFd::as_raw_fd),
            map_name: names::padded(name),
            btf_fd: btf.as_ref().map_or(0, syscall::number),
            btf_vmlinux_value_type_id: self.value_type_id,
            ..MapCreate::default()
        });
        fd.map_err(Error::system("creating it as struct_ops"))
    }

    /// Puts the functions into the table. `program` gives one of the object's; one that is not loaded is left out.
    pub fn set_programs<'p>(&mut self, program: impl Fn(usize) -> Option<BorrowedFd<'p>>) {
        for (offset, index) in &self.functions {
            if let Some(program) = program(*index) {
                let fd = program.as_raw_fd() as u64;
                self.value[*offset..*offset + size_of::<u64>()].copy_from_slice(&fd.to_ne_bytes());
            }
        }
    }

    /// Fills the map. The kernel registers it then, or has it ready for a link.
    ///
    /// # Errors
    /// The kernel refuses the table.
    pub fn fill(&self, map: BorrowedFd<'_>) -> Result<()> {
        // SAFETY: the map has been created with keys and values of these sizes.
        unsafe { map_update(map, &0u32.to_ne_bytes(), &self.value) }.map_err(|error| {
            let what = match (error.raw_os_error(), &self.unset[..]) {
                (Some(libc::EINVAL), [_, ..]) => {
                    format!("registering it, which does not set {}", self.unset.join(", "))
                }
                _ => "registering it".to_owned(),
            };
            Error::System { what, source: error }
        })
    }
}

/// The object's value of a member; of no use for a function.
fn data<'t>(table: &'t StructOps, member: &StructOpsMember) -> &'t [u8] {
    &table.data[member.offset as usize..(member.offset + member.size) as usize]
}
