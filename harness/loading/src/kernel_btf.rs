//! BTF of the running kernel, of its modules, and of programs.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use bpfsig_signing::btf::{Btf, kind};
use bpfsig_signing::program::VMLINUX;

use crate::error::{Error, Result};
use crate::info;
use crate::libbpf::{btf_by_id, next_btf_id};

/// The kernel's own BTF, read once.
///
/// # Errors
/// The kernel has none.
pub(super) fn vmlinux() -> Result<Arc<Btf>> {
    static VMLINUX: Mutex<Option<Arc<Btf>>> = Mutex::new(None);
    let mut vmlinux = VMLINUX.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(btf) = &*vmlinux {
        return Ok(btf.clone());
    }
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    let btf = Btf::parse(fs::read(PATH).map_err(Error::system(PATH))?).map_err(Error::btf(PATH))?;
    Ok(vmlinux.insert(Arc::new(btf)).clone())
}

/// A module.
#[derive(Debug)]
pub(super) struct Module {
    pub name: String,
    /// The kernel's object for its BTF.
    pub fd: OwnedFd,
}

impl Module {
    /// A module by its name.
    ///
    /// # Errors
    /// There is no such module, or it has no BTF.
    pub fn named(name: &str) -> Result<Self> {
        let module = Self::all()?.into_iter().find(|module| module.name == name);
        module.ok_or_else(|| {
            Error::Missing(format!("the kernel has no BTF of module {name}: is module {name} loaded?"))
        })
    }

    /// The modules that have BTF, in the order in which they were loaded.
    fn all() -> Result<Vec<Self>> {
        let mut modules = Vec::new();
        let mut id = 0;
        while let Some(next) = next_btf_id(id).map_err(Error::system("listing BTF"))? {
            id = next;
            // It may be gone by now.
            let Ok(fd) = btf_by_id(id) else { continue };
            let name = info::kernel_btf_name(fd.as_fd()).map_err(Error::system("the name of BTF"))?;
            modules.extend(name.filter(|name| name != VMLINUX).map(|name| Self { name, fd }));
        }
        Ok(modules)
    }

    /// Its BTF.
    ///
    /// # Errors
    /// It can't be read, or makes no sense.
    pub fn btf(&self) -> Result<Btf> {
        let what = || format!("the BTF of module {}", self.name);
        let bytes = info::btf_bytes(self.fd.as_fd()).map_err(Error::system(what()))?;
        Btf::parse_split(bytes, vmlinux()?).map_err(Error::btf(what()))
    }
}

/// A type of the kernel or of a module.
#[derive(Debug)]
pub(super) struct KernelType {
    /// The BTF that it is in.
    pub btf: Arc<Btf>,
    /// Its id there.
    pub type_id: u32,
    /// The module that it is of; none: the kernel's own.
    pub module: Option<Module>,
}

/// Looks for a type as libbpf does: in the kernel, and then in its modules.
///
/// # Errors
/// The kernel has no BTF, or that of a module can't be read.
pub(super) fn find(kind: u32, name: &str) -> Result<Option<KernelType>> {
    let btf = vmlinux()?;
    if let Some(type_id) = btf.find(kind, name) {
        return Ok(Some(KernelType { btf, type_id, module: None }));
    }
    for module in Module::all()? {
        let btf = module.btf()?;
        if let Some(type_id) = btf.find(kind, name) {
            return Ok(Some(KernelType { btf: Arc::new(btf), type_id, module: Some(module) }));
        }
    }
    Ok(None)
}

/// Looks for what the kernel puts around the table of a struct_ops type: a state, a count of references, and then `data`.
///
/// # Errors
/// As for [`find`].
pub(super) fn find_struct_ops(type_name: &str) -> Result<Option<KernelType>> {
    find(kind::STRUCT, &format!("bpf_struct_ops_{type_name}"))
}

/// The BTF of a program.
///
/// # Errors
/// It has none.
pub(super) fn of_program(program: BorrowedFd<'_>) -> Result<Btf> {
    let what = "the BTF of the program to attach to";
    let id = info::btf_id(program).map_err(Error::system(what))?.ok_or_else(|| {
        Error::Missing("the program to attach to has no BTF, in which its functions are named".to_owned())
    })?;
    let btf = btf_by_id(id).and_then(|btf| info::btf_bytes(btf.as_fd()));
    Btf::parse(btf.map_err(Error::system(what))?).map_err(Error::btf(what))
}
