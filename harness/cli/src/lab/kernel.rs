//! `bpfsig kernel build` and `bpfsig kernel path`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use bpfsig_lab::kernel::{self, Variant};
use bpfsig_lab::progress::Progress;
use clap::{Args, Subcommand};

/// Build the kernel, or find the one that was built
#[derive(Subcommand)]
pub enum Command {
    /// Build the kernel, unless the cache has it, and print the path of its image
    Build(Options),
    /// Print the path of the image in the cache
    Path(Options),
}

#[derive(Args)]
pub struct Options {
    /// Which kernel: with the patches of this project, the same source and configuration without, or another one
    #[arg(long, value_enum, default_value_t = Variant::Patched)]
    variant: Variant,

    /// Kernel source: a directory or a tarball [default: Debian's linux-source-7.3]
    #[arg(long, value_name = "DIR|TARBALL")]
    source: Option<PathBuf>,
}

pub fn run(command: Command) -> Result<()> {
    let progress = Progress::on_stderr();
    let kernel = match command {
        Command::Build(Options { variant, source }) => kernel::obtain(variant, source.as_deref(), &progress)?,
        Command::Path(Options { variant, source }) => {
            match kernel::cached(variant, source.as_deref(), &progress)? {
                Some(kernel) => kernel,
                None => bail!(
                    "the {variant} kernel has not been built: run `bpfsig kernel build --variant {variant}`"
                ),
            }
        }
    };
    println!("{}", kernel.image.display());
    Ok(())
}
