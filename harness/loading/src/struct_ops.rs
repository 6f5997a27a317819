//! Tables of functions for the kernel (struct_ops), in the layout that this kernel has.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use bpfsig_signing::btf::{Btf, kind};
use bpfsig_signing::object::{StructOps, StructOpsMember};
use libbpf_rs::libbpf_sys as sys;

use super::libbpf::map_update;
use super::object::LoadedProgram;
use super::syscall::{self, MapCreate};

/// What the kernel puts around a type of that name: a state, a count of references, and then `data`.
const VALUE_PREFIX: &str = "bpf_struct_ops_";

/// A table in the kernel's layout, without its functions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The type of the map's value.
    value_type_id: u32,
    /// The map's value.
    value: Vec<u8>,
    /// Where functions go: offset in `value` in bytes, and index of the program in the object.
    functions: Vec<(usize, usize)>,
}

impl Table {
    /// Lays out a table for a kernel with these types.
    ///
    /// # Errors
    /// The kernel does not have the type, or lacks a member that the object sets.
    pub fn of(table: &StructOps, kernel: &Btf) -> Result<Self> {
        let type_name = &table.type_name;
        let missing = || format!("`{}`: the kernel has no struct_ops of type {type_name}", table.name);
        let type_id = kernel.find(kind::STRUCT, type_name).with_context(missing)?;
        let value_type_id =
            kernel.find(kind::STRUCT, &format!("{VALUE_PREFIX}{type_name}")).with_context(missing)?;
        let (_, wrapping) = kernel.structure(value_type_id)?;
        let start = wrapping.iter().find(|member| member.type_id == type_id).with_context(missing)?.offset;
        let size = kernel.size(value_type_id).with_context(missing)?;

        let (_, members) = kernel.structure(type_id)?;
        let mut value = vec![0; size as usize];
        let mut functions = Vec::new();
        for member in &table.members {
            let data = data(table, member);
            let Some(place) = members.iter().find(|place| place.name == member.name) else {
                ensure!(
                    member.program.is_none() && data.iter().all(|byte| *byte == 0),
                    "`{}`: the kernel's {type_name} has no member {}",
                    table.name,
                    member.name
                );
                continue;
            };
            ensure!(
                !place.is_bit_field && kernel.size(place.type_id) == Some(member.size),
                "`{}`: the kernel's {type_name} has a member {} of another size",
                table.name,
                member.name
            );
            let offset = (start + place.offset) as usize;
            let room = value.get_mut(offset..offset + data.len());
            let room = room.with_context(|| format!("the kernel's {type_name} is damaged"))?;
            match member.program {
                Some(program) => functions.push((offset, program)),
                None => room.copy_from_slice(data),
            }
        }
        Ok(Self { value_type_id, value, functions })
    }

    /// Creates the map that holds the table. `btf` is the object's: the kernel wants one, whatever is in it.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn create_map(&self, name: &str, is_link: bool, btf: Option<BorrowedFd<'_>>) -> Result<OwnedFd> {
        let fd = syscall::map_create(&MapCreate {
            map_type: sys::BPF_MAP_TYPE_STRUCT_OPS,
            key_size: size_of::<u32>() as u32,
            value_size: self.value.len() as u32,
            max_entries: 1,
            map_flags: if is_link { sys::BPF_F_LINK } else { 0 },
            map_name: syscall::object_name(name),
            btf_fd: btf.as_ref().map_or(0, syscall::number),
            btf_vmlinux_value_type_id: self.value_type_id,
            ..MapCreate::default()
        });
        fd.with_context(|| format!("creating map {name}"))
    }

    /// Fills the map: a link can attach it then. `programs` are the object's; one that is not loaded is left out.
    ///
    /// # Errors
    /// The kernel refuses the table.
    pub fn fill(mut self, map: &OwnedFd, programs: &[Option<LoadedProgram>]) -> Result<()> {
        for (offset, program) in self.functions {
            if let Some(program) = &programs[program] {
                let fd = program.fd.as_raw_fd() as u64;
                self.value[offset..offset + size_of::<u64>()].copy_from_slice(&fd.to_ne_bytes());
            }
        }
        // SAFETY: the map has been created with keys and values of these sizes.
        unsafe { map_update(map.as_fd(), &0u32.to_ne_bytes(), &self.value) }?;
        Ok(())
    }
}

/// What the object has a member set to; of no use for a function.
fn data<'t>(table: &'t StructOps, member: &StructOpsMember) -> &'t [u8] {
    &table.data[member.offset as usize..(member.offset + member.size) as usize]
}
