//! `bpfsig vm`: runs a command in a virtual machine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::engine::{self, Choice, Event, Vm};
use crate::kernel::{self, Variant};
use crate::progress::{Progress, Total};

/// Run a command in a virtual machine with this machine's root file system
///
/// Its output is shown as it comes, standard output and standard error alike on standard output. The exit code is the
/// command's: 128 + n if signal n killed it.
#[derive(Args)]
pub struct Options {
    /// Kernel to boot
    #[arg(long, value_enum, default_value_t = Variant::Patched)]
    variant: Variant,

    /// Boot this image (a bzImage) instead
    #[arg(long, value_name = "IMAGE", conflicts_with = "variant")]
    kernel: Option<PathBuf>,

    /// Add this to the kernel's command line
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    append: Option<String>,

    /// What executes the guest
    #[arg(long, value_enum, default_value_t)]
    engine: Choice,

    /// Show the kernel's console too, on standard error
    #[arg(long)]
    console: bool,

    /// The command and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

pub fn run(options: Options) -> Result<ExitCode> {
    let progress = Progress::new();
    let image = match options.kernel {
        Some(image) => image,
        None => kernel::obtain(options.variant, None, &progress)?.image,
    };
    let engine = options.engine.engine(&image, &progress)?;
    let words: Vec<String> = options.command.iter().map(|word| engine::quote(word)).collect::<Result<_>>()?;

    let mut boot = Some(progress.task("Boot", Total::Unknown));
    let mut vm = Vm::new(engine, &image)?;
    if let Some(args) = &options.append {
        vm.append(args);
    }
    let code = vm.run(&words.join(" "), None, |event| match event {
        Event::Console(line) if options.console => progress.line(line),
        Event::Console(_) => (),
        Event::Booted => drop(boot.take()),
        Event::Output(line) => println!("{line}"),
    })?;
    // Codes that don't fit are none that a Linux process can end with.
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
