//! `bpfsig policy require`.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context, Result, bail, ensure};
use bpfsig_loading::Origin;
use bpfsig_loading::sysctl::SIGNATURE;
use clap::Args;

#[cfg(feature = "policy")]
use super::grants;
use crate::linux::ps;

/// Require that every program is signed, or granted by a policy, until the next boot: there is no way back
///
/// Says first what that means for this machine, and asks.
#[derive(Args)]
pub struct Options {
    #[cfg(feature = "policy")]
    #[command(flatten)]
    grants: grants::GrantOptions,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// `is_required`: signatures are required already, and only the policy is new. `is_silent`: does not say what that means.
pub fn run(options: &Options, is_required: bool, is_silent: bool) -> Result<()> {
    if !is_silent {
        ps::print_loaded(
            "Unsigned programs now loaded. They stay, but can be loaded again only if a policy grants them:",
            |program| program.origin == Some(Origin::Unsigned),
        )?;
        #[cfg(feature = "policy")]
        options.grants.say_what_breaks()?;
    }
    if !options.yes && !is_required {
        confirm()?;
    }
    // The policy first, so that there is no moment in which nothing is granted.
    #[cfg(feature = "policy")]
    options.grants.take_effect()?;
    if !is_required {
        fs::write(SIGNATURE, "1").context("requiring signatures, which takes root")?;
    }
    Ok(())
}

fn confirm() -> Result<()> {
    ensure!(io::stdin().is_terminal(), "this can't be undone without a reboot; --yes says that it is wanted");
    eprint!("From now until the next boot, everything else is refused. Require signatures? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing has changed"),
    }
}
