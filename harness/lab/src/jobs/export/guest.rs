//! Verifies programs in the guest.

use std::os::fd::AsFd;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_loading::raw::{self, Attest, LoadContext, LoadTarget, PreparedLoad};
use bpfsig_signing::program::{Attach, Program};

use super::super::announce;
use super::super::guest::{self, SharedObjects, kernel_version};
use super::{Export, Exported, Learned, Modules};

/// `KEY_SPEC_PROCESS_KEYRING`
const PROCESS_KEYRING: i32 = -2;

pub(super) fn export(job: &Export) -> Result<Exported> {
    let key = keyring::add_key(c"asymmetric", &job.certificate, PROCESS_KEYRING)
        .context("adding the signer's certificate to a keyring")?;
    load_modules(&job.modules)?;
    let learn = |program: &Program| {
        let learned = learn(program, job, Keyring(key)).with_context(|| program.name.clone());
        announce(&program.name);
        learned
    };
    Ok(Exported {
        kernel: kernel_version()?,
        build_id: bpfsig_loading::build_id()?,
        programs: job.programs.iter().map(learn).collect::<Result<_>>()?,
    })
}

fn learn(program: &Program, job: &Export, keyring: Keyring) -> Result<Learned> {
    if let Attach::Program { .. } = program.attach {
        return Ok(Learned::Nothing("it attaches to another program".to_owned()));
    }
    let target = LoadTarget::of(program, None)?;
    if let Some(module) = target.module.as_ref().filter(|module| !job.modules.names.contains(module)) {
        bail!("what it attaches to is in module {module}: give `--module {module}`");
    }
    let shared = SharedObjects::new(&[program])?;
    let context = LoadContext {
        signature: Some(&job.signature),
        keyring,
        attest: Attest::Export,
        ..shared.context(program, &target)
    };
    let mut load = PreparedLoad::new(program, context)?;
    let loaded = match load.load().0 {
        Ok(loaded) => loaded,
        Err(error) if matches!(error.raw_os_error(), Some(libc::E2BIG | libc::EOPNOTSUPP)) => {
            bail!("this kernel does not export what it learns (CONFIG_BPF_ATTESTATION)")
        }
        Err(error) => return Err(error).context(reason(&load.log())),
    };
    let facts = raw::facts(loaded.as_fd())?;
    if facts.is_empty() {
        return Ok(Learned::Nothing(reason(&load.log())));
    }
    Ok(Learned::Facts { module: target.module.clone(), facts })
}

/// Loads modules, and the modules that they need.
fn load_modules(modules: &Modules) -> Result<()> {
    for name in &modules.names {
        let modprobe =
            Command::new("modprobe").arg("--dirname").arg(&modules.root).arg("--").arg(name).output();
        let output = modprobe.context("modprobe")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "module {name}: {}", said.trim_end());
    }
    Ok(())
}

fn reason(log: &str) -> String {
    guest::reason(log).unwrap_or("the kernel does not say why").to_owned()
}
