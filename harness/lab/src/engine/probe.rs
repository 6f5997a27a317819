//! Whether KVM boots a kernel here.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Machine;
use super::qemu::Accelerator;
use super::vm::Vm;
use crate::interrupt::Interrupted;

/// For running `true`.
const LIMIT: Duration = Duration::from_secs(10);

/// Boots `kernel` with KVM and runs nothing in it.
///
/// Only a boot proves anything: `/dev/kvm` exists on hosts whose processor can't virtualise, and there a kernel hangs
/// or dies.
///
/// # Errors
/// Says why KVM can't be used.
pub(super) fn kvm(kernel: &Path) -> Result<()> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .context("KVM can't be used: /dev/kvm can't be opened")?;
    match Vm::new(Accelerator::Kvm, kernel, "", 1)?.run("true", Some(LIMIT), &mut |_| ()) {
        Ok(0) => Ok(()),
        Ok(code) => bail!("KVM can't be used: `true` exited with {code} in the VM"),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => Err(error.context(format!("KVM does not boot {}", kernel.display()))),
    }
}
