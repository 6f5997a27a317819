//! The policy that `bpfsig policy require` is given.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{Hooks, Link, OpenObject, Pins};
use bpfsig_policy::{Entry, decompile};
use clap::Args;

use super::file;
use crate::files;

/// Where policies are pinned, as [`PREFIX`] and their version. Without a link that is pinned, nothing is granted.
const PINS: &str = "/sys/fs/bpf";
const PREFIX: &str = "bpfsig-policy-";

#[derive(Args)]
pub struct GrantOptions {
    /// What `policy sign` has made; replaces one with a lower version [default: grant nothing]
    #[arg(value_name = "POLICY")]
    policy: Option<PathBuf>,

    /// What `policy report --json` has printed: show which of these loads will be refused, and ask
    #[arg(long, value_name = "REPORT")]
    report: Option<PathBuf>,

    /// Where the kernel looks for the policy's signer: builtin, secondary or bpf
    #[arg(long, value_name = "NAME", default_value = "bpf")]
    keyring: Keyring,
}

impl GrantOptions {
    /// Names the loads of the report that will be refused.
    pub fn say_what_breaks(&self) -> Result<()> {
        let Some(path) = &self.report else { return Ok(()) };
        let report = file::report(path)?;
        let policy = self.policy.as_deref().map(files::read).transpose()?;
        let policy = policy.map(|bytes| decompile(&bytes)).transpose()?;
        let is_granted = |entry: &Entry| policy.as_ref().is_some_and(|policy| policy.grants(entry).is_some());
        let refused: Vec<_> =
            report.loads.iter().filter(|entry| !entry.signed && !is_granted(entry)).collect();
        match refused.len() {
            0 => println!("Everything in the report can still be loaded."),
            count => println!("{count} of {} in the report will be refused:", report.loads.len()),
        }
        for entry in refused {
            println!("  {}", entry.summary());
        }
        Ok(())
    }

    /// Attaches the policy for as long as it is pinned.
    pub fn take_effect(&self) -> Result<()> {
        let Some(path) = &self.policy else { return Ok(()) };
        let context = || path.display().to_string();
        let bytes = files::read(path)?;
        let version = decompile(&bytes).with_context(context)?.version;
        let before = pinned()?;
        if let Some((there, _)) = before.iter().find(|(there, _)| *there >= version) {
            bail!(
                "{}: version {version} does not replace version {there}, which is in force",
                path.display()
            );
        }
        let mut object = OpenObject::open_memory(&bytes).with_context(context)?;
        if object.signature().is_none() {
            bail!("{}: not signed: `policy sign` makes and signs it", path.display());
        }
        object.set_keyring(self.keyring);
        let loaded = object.load().with_context(context)?;
        let links = loaded.attach(&Hooks::new().by_section()).with_context(context)?;
        let mut pins = Pins::new(Path::new(PINS))?;
        for link in &links {
            pins.pin(&format!("{PREFIX}{version}"), link.as_fd())?;
        }
        pins.keep();
        links.into_iter().for_each(Link::disconnect);
        // They grant nothing any more.
        before.iter().try_for_each(|(_, path)| fs::remove_file(path)).context("removing the policy before")
    }
}

/// The versions of the policies that are pinned, with where they are.
fn pinned() -> Result<Vec<(u64, PathBuf)>> {
    let mut pinned = Vec::new();
    for entry in fs::read_dir(PINS).context(PINS)? {
        let name = entry?.file_name();
        let version = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        pinned.extend(version.map(|version| (version, Path::new(PINS).join(name))));
    }
    Ok(pinned)
}
