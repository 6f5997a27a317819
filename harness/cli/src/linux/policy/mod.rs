//! `bpfsig policy`.

#[cfg(feature = "policy")]
mod file;
#[cfg(feature = "policy")]
mod grants;
#[cfg(feature = "policy")]
mod report;
mod require;

use std::fs;

use anyhow::{Context, Result, ensure};
use bpfsig_loading as bpf;
use bpfsig_loading::sysctl::{ATTESTATION, FAILURES, SIGNATURE};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

/// Show or change what the kernel demands of programs
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Option<Command>,

    /// As JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Show the policy
    Show,
    #[cfg(feature = "policy")]
    Report(report::Options),
    #[cfg(feature = "policy")]
    Init(file::InitOptions),
    #[cfg(feature = "policy")]
    Sign(file::SignOptions),
    Require(require::Options),
    /// Allow attested facts to take the place of verification, or not
    Attest {
        /// Whether they may
        switch: Switch,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Serialize)]
struct Policy {
    mode: Mode,
    /// What refused signatures may cost a user, in microseconds of each second; 0: any time.
    failures_us: u32,
    /// Whether attested facts take the place of verification; `None`: this kernel takes none.
    attestation: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Optional,
    Required,
}

pub fn run(options: Options) -> Result<()> {
    #[cfg(feature = "policy")]
    if let Some(Command::Init(_) | Command::Sign(_)) = &options.command {
        ensure!(
            !options.json,
            "`policy init` and `policy sign` write a policy, which is no JSON: leave out --json"
        );
    }
    match &options.command {
        None | Some(Command::Show) => (),
        #[cfg(feature = "policy")]
        Some(Command::Report(report)) => return report::run(report, options.json),
        #[cfg(feature = "policy")]
        Some(Command::Init(init)) => return file::init(init),
        #[cfg(feature = "policy")]
        Some(Command::Sign(sign)) => return file::sign(sign),
        Some(Command::Require(require)) => {
            require::run(require, Policy::read()?.mode == Mode::Required, options.json)?;
        }
        Some(Command::Attest { switch }) => {
            bpf::demand_signatures()?;
            ensure!(
                fs::exists(ATTESTATION)?,
                "this kernel takes no attested facts: {ATTESTATION} is missing"
            );
            let value = match switch {
                Switch::On => "1",
                Switch::Off => "0",
            };
            fs::write(ATTESTATION, value).context("switching attestation, which takes root")?;
        }
    }
    let policy = Policy::read()?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&policy)?);
        return Ok(());
    }
    match policy.mode {
        Mode::Optional => println!("signatures  optional"),
        Mode::Required => println!("signatures  required, until the next boot"),
    }
    match policy.failures_us {
        0 => println!("failures    may cost any time"),
        limit => println!("failures    may cost a user {limit} µs of each second"),
    }
    match policy.attestation {
        None => (),
        Some(true) => println!("attestation on: attested facts take the place of verification"),
        Some(false) => println!("attestation off"),
    }
    Ok(())
}

impl Policy {
    fn read() -> Result<Policy> {
        bpf::demand_signatures()?;
        let mode = if number(SIGNATURE)? == 0 { Mode::Optional } else { Mode::Required };
        let attestation = fs::exists(ATTESTATION)?.then(|| number(ATTESTATION)).transpose()?;
        let attestation = attestation.map(|value| value != 0);
        Ok(Policy { mode, failures_us: number(FAILURES)?, attestation })
    }
}

fn number(path: &str) -> Result<u32> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    text.trim().parse().with_context(|| format!("{path} is `{}`", text.trim()))
}
