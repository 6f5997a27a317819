//! `bpfsig vm`: runs a command in a virtual machine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use bpfsig_lab::engine::{self, Choice, Event};
use bpfsig_lab::kernel::{self, Variant};
use bpfsig_lab::progress::{Progress, Total};
use clap::Args;

/// Run a command in a virtual machine with this machine's root file system
///
/// Its output is shown as it comes, standard output and standard error alike on standard output. The exit code is the
/// command's: 128 + n if signal n killed it.
#[derive(Args)]
pub struct Options {
    /// Kernel to boot [default: the one that the engine measures: patched, or uml]
    #[arg(long, value_enum)]
    variant: Option<Variant>,

    /// Boot this image (a bzImage, or user-mode Linux) instead
    #[arg(long, value_name = "IMAGE", conflicts_with = "variant")]
    kernel: Option<PathBuf>,

    /// Add this to the kernel's command line
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    append: Option<String>,

    /// Boot with this many CPUs
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    cpus: u8,

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
    let progress = Progress::on_stderr();
    ensure!(options.engine != Choice::Host, "the engine host is not a virtual machine: just run the command");
    let image = match (options.kernel, options.variant) {
        (Some(image), _) => image,
        (None, Some(variant)) => kernel::obtain(variant, None, &progress)?.image,
        (None, None) => options.engine.kernel(&progress)?.image,
    };
    let engine = options.engine.engine(&image, &progress)?;
    let words: Vec<String> = options.command.iter().map(|word| engine::quote(word)).collect::<Result<_>>()?;

    let mut boot = Some(progress.task("Boot", Total::Unknown));
    let machine = engine.machine(&image, options.append.as_deref().unwrap_or_default(), options.cpus)?;
    let code = machine.run(&words.join(" "), None, &mut |event| match event {
        Event::Console(line) if options.console => progress.line(line),
        Event::Console(_) => (),
        Event::Booted => drop(boot.take()),
        Event::Output(line) => println!("{line}"),
    })?;
    // Codes that don't fit are none that a Linux process can end with.
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
