//! The type information that the running kernel has: its own, its modules' and that of programs.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use bpfsig_signing::btf::Btf;

use super::info;
use super::libbpf::{btf_by_id, next_btf_id};

/// The kernel's own, read once.
///
/// # Errors
/// The kernel has none.
pub(super) fn vmlinux() -> Result<Arc<Btf>> {
    static VMLINUX: Mutex<Option<Arc<Btf>>> = Mutex::new(None);
    let mut vmlinux = VMLINUX.lock().expect("no panic under this lock");
    if let Some(btf) = &*vmlinux {
        return Ok(btf.clone());
    }
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    let btf = Btf::parse(fs::read(PATH).context(PATH)?).context(PATH)?;
    Ok(vmlinux.insert(Arc::new(btf)).clone())
}

/// A module's, and the kernel's object for it.
///
/// # Errors
/// There is no such module, or it has no BTF.
pub(super) fn module(name: &str) -> Result<(Btf, OwnedFd)> {
    let path = format!("/sys/kernel/btf/{name}");
    let bytes = fs::read(&path).with_context(|| format!("{path}: is module {name} loaded?"))?;
    let btf = Btf::parse_split(bytes, vmlinux()?).with_context(|| path.clone())?;
    let mut id = 0;
    while let Some(next) = next_btf_id(id)? {
        id = next;
        // It may be gone by now.
        let Ok(fd) = btf_by_id(id) else { continue };
        if info::kernel_btf_name(fd.as_fd())?.as_deref() == Some(name) {
            return Ok((btf, fd));
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound)).context(path)
}

/// That of a program.
///
/// # Errors
/// It has none.
pub(super) fn of_program(program: BorrowedFd<'_>) -> Result<Btf> {
    let id = info::btf_id(program).context("the program to attach to")?;
    let id = id.context("the program to attach to has no BTF, in which its functions are named")?;
    let btf = btf_by_id(id).and_then(|btf| info::btf_bytes(btf.as_fd()));
    Ok(Btf::parse(btf.context("the BTF of the program to attach to")?)?)
}
