//! The machine that this program runs on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bpfsig_loading::keyring::{self, ATTESTERS, Keyring};
use bpfsig_loading::sysctl;
use bpfsig_signing::certificate::Certificate;
use nix::unistd::geteuid;
use tempfile::TempDir;

use super::machine::{self, Event, Machine};
use super::process::{bound, follow};
use super::sysctls::Settings;
use super::watch::Watch;
use crate::kernel::{self, Kernel, Variant};
use crate::progress::Progress;

/// Faults of the kernel since it booted.
const TAINTED: &str = "/proc/sys/kernel/tainted";

/// The bits of it for an oops and for a warning: `TAINT_DIE` and `TAINT_WARN` in include/linux/panic.h.
const FAULTS: u64 = 1 << 7 | 1 << 9;

/// The running kernel, if it is the patched one in the cache: only its authority's key can be found there.
///
/// # Errors
/// Says what is missing, and what to do about it.
pub(super) fn kernel(progress: &Progress) -> Result<Kernel> {
    ensure!(geteuid().is_root(), "the engine host loads programs into the running kernel, which takes root");
    if !fs::exists(sysctl::SIGNATURE)? {
        bail!(
            "the running kernel does not check signatures: {} is missing; \
             build the patched kernel with `bpfsig kernel build` and boot this machine with it, \
             or measure in a virtual machine, with another --engine",
            sysctl::SIGNATURE
        );
    }
    let Some(kernel) = kernel::cached(Variant::Patched, None, progress)? else {
        bail!(
            "no signer would be trusted: the cache has no patched kernel with these patches, \
             and so not the key of the authority that the running kernel trusts; \
             build one with `bpfsig kernel build` and boot this machine with it"
        );
    };
    let path = &kernel.ca_certificate;
    let certificate = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let authority = Certificate::read(&certificate).with_context(|| path.display().to_string())?;
    if !is_builtin(&authority)? {
        bail!(
            "no signer would be trusted: the authority {} is not among the builtin keys of the running kernel; \
             boot this machine with {}, which was built with it",
            path.display(),
            kernel.image.display()
        );
    }
    Ok(kernel)
}

fn is_builtin(certificate: &Certificate) -> Result<bool> {
    let id = certificate.subject_key_id().to_string();
    let Some(builtin) = system_keyring(Keyring::BUILTIN)? else { return Ok(false) };
    Ok(keyring::keys(builtin)?.iter().any(|key| key.is(&id)))
}

fn system_keyring(keyring: Keyring) -> Result<Option<i32>> {
    Ok(keyring.system_name().map_or(Ok(None), keyring::find)?)
}

/// This machine.
pub struct Host {
    share: PathBuf,
    /// Holds the share; removed with this value.
    _directory: TempDir,
}

impl Host {
    /// # Errors
    /// There is no room for temporary files.
    pub(super) fn new() -> Result<Host> {
        let (directory, share) = machine::directory()?;
        Ok(Host { share, _directory: directory })
    }
}

impl Machine for Host {
    fn share(&self) -> &Path {
        &self.share
    }

    fn guest_share(&self) -> &Path {
        &self.share
    }

    fn run(
        &self,
        command: &str,
        limit: Option<Duration>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<i32> {
        let mut shell = bound("sh");
        // In one order, as from a terminal.
        shell.args(["-c", &format!("exec 2>&1\n{}", machine::script(command, &self.share, &self.share)?)]);
        let faults = faults()?;
        let _before = Before::now()?;
        let mut watch = Watch::new(Duration::MAX, limit, on_event);
        watch.booted();
        follow(&mut shell, &mut watch, |watch, _, line| watch.output(line))?;
        let code = watch.end(&self.share)?;
        if self::faults()? & !faults != 0 {
            bail!("the kernel reported a fault: see dmesg");
        }
        Ok(code)
    }
}

fn faults() -> Result<u64> {
    let text = fs::read_to_string(TAINTED).context(TAINTED)?;
    let bits: u64 = text.trim().parse().with_context(|| format!("{TAINTED}: {text:?}"))?;
    Ok(bits & FAULTS)
}

/// Changes that a measurement makes to the machine. They are undone when this value goes away.
struct Before {
    settings: Settings,
    /// The keyrings of signers and attesters, and the keys in them.
    keys: Vec<(i32, Vec<i32>)>,
}

impl Before {
    fn now() -> Result<Before> {
        let keyrings = [system_keyring(Keyring::SECONDARY)?, keyring::find(ATTESTERS)?];
        let keys = keyrings.into_iter().flatten().map(|keyring| Ok((keyring, serials(keyring)?)));
        let keys = keys.collect::<Result<_>>()?;
        Ok(Before { settings: Settings::read()?, keys })
    }

    fn restore(&self) -> Result<()> {
        self.settings.write()?;
        for (keyring, before) in &self.keys {
            for key in serials(*keyring)?.into_iter().filter(|key| !before.contains(key)) {
                keyring::unlink(key, *keyring).context("removing a signer from a keyring")?;
            }
        }
        Ok(())
    }
}

fn serials(keyring: i32) -> Result<Vec<i32>> {
    Ok(keyring::keys(keyring)?.into_iter().map(|key| key.serial).collect())
}

impl Drop for Before {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            eprintln!("bpfsig: warning: this machine is not as it was before: {error:#}");
        }
    }
}
