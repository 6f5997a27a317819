//! `bpfsig package install`.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bpfsig_signing::object::Object;
use bpfsig_signing::package::Package;
use clap::Args;

use crate::bpf::keyring::Keyring;
use crate::bpf::{LoadOptions, LoadedObject, Pins};
use crate::cli::package::TrustOptions;
use crate::install;

/// Check a package and unpack it into NAME/VERSION/PLATFORM/, all of it or nothing
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    trust: TrustOptions,

    /// The directory to install it in
    #[arg(long, value_name = "DIRECTORY")]
    into: PathBuf,

    /// Load the eBPF programs too, signed as the package is, and pin programs and maps in this directory of a BPF
    /// file system. If the kernel refuses one, nothing is installed
    #[arg(long, value_name = "DIRECTORY")]
    load: Option<PathBuf>,

    /// Where the kernel looks for the signer: builtin, secondary, platform, or the serial number of a keyring or a key
    #[arg(
        long,
        value_name = "NAME|SERIAL",
        default_value = "secondary",
        allow_hyphen_values = true,
        requires = "load"
    )]
    keyring: Keyring,

    /// The package
    package: PathBuf,
}

pub fn run(options: Options) -> Result<()> {
    let Options { trust, into, load: pin, keyring, package: path } = options;
    let (package, _) = trust.verify(&path).with_context(|| path.display().to_string())?;
    let pins = pin.map(|directory| load(&package, keyring, &directory)).transpose()?;
    let folder = install::install(&package, &into)?;
    if let Some(pins) = pins {
        pins.keep();
    }
    println!("{}: installed", folder.display());
    Ok(())
}

/// Loads the objects of a package and pins their programs and maps, for now.
fn load(package: &Package, keyring: Keyring, directory: &Path) -> Result<Pins> {
    let mut pins = Pins::new(directory)?;
    let options = LoadOptions { signature: package.signature(), keyring, ..LoadOptions::default() };
    for (file, artifact) in package.artifacts() {
        if artifact.programs().is_empty() {
            continue;
        }
        let loaded = Object::parse(&file.content)
            .map_err(anyhow::Error::from)
            .and_then(|object| LoadedObject::load(&object, &options))
            .with_context(|| file.path.clone())?;
        let programs = loaded.programs.iter().map(|program| (&program.name, &program.fd));
        let maps = loaded.maps.iter().map(|map| (&map.name, &map.fd));
        for (name, fd) in programs.chain(maps) {
            println!("{}: {name}", pins.pin(name, fd.as_fd())?.display());
        }
    }
    Ok(pins)
}
