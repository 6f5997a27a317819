//! BTF of the running kernel, of its modules, and of programs.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use bpfsig_signing::btf::Btf;

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

/// A module's BTF, and the kernel's object for it.
///
/// # Errors
/// There is no such module, or it has no BTF.
pub(super) fn module(name: &str) -> Result<(Btf, OwnedFd)> {
    let path = format!("/sys/kernel/btf/{name}");
    let bytes = fs::read(&path).map_err(Error::system(format!("{path}: is module {name} loaded?")))?;
    let btf = Btf::parse_split(bytes, vmlinux()?).map_err(Error::btf(&path))?;
    let mut id = 0;
    while let Some(next) = next_btf_id(id).map_err(Error::system("listing BTF"))? {
        id = next;
        // It may be gone by now.
        let Ok(fd) = btf_by_id(id) else { continue };
        let its_name = info::kernel_btf_name(fd.as_fd()).map_err(Error::system(&path))?;
        if its_name.as_deref() == Some(name) {
            return Ok((btf, fd));
        }
    }
    Err(Error::Missing(format!("{path}: the kernel has no such BTF")))
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
