//! `bpfsig completions` and `bpfsig man`: the command line, described for shells and `man`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;

/// Print a script that lets a shell complete the arguments of bpfsig
///
/// For bash, for example: bpfsig completions bash >~/.local/share/bash-completion/completions/bpfsig
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Write manual pages, one for each command
#[derive(Args)]
pub struct Man {
    /// The directory to write them to
    directory: PathBuf,
}

pub fn completions(options: Completions, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "bpfsig", &mut script);
    print!("{}", String::from_utf8(script).context("the script is not text")?);
    Ok(())
}

pub fn man(options: Man, command: Command) -> Result<()> {
    let context = || format!("cannot write manual pages to {}", options.directory.display());
    fs::create_dir_all(&options.directory).with_context(context)?;
    clap_mangen::generate_to(command, &options.directory).with_context(context)
}
