//! Installs packages into a directory, `NAME/VERSION/ARTIFACT/`, and into the kernel.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{self as bpf, OpenObject, Pins};
use bpfsig_signing::attestation::{self, Attestations, KernelAttestation};
use bpfsig_signing::package::{self, Package, Version};
use bpfsig_signing::signature;
use nix::fcntl::{Flock, FlockArg};

use crate::linux::keyrings;

/// Loads the objects of a package and pins their programs and maps, for as long as the result is kept.
///
/// # Errors
/// The kernel refuses a program, or something can't be pinned.
pub fn load(package: &Package, keyring: Keyring, directory: &Path) -> Result<Pins> {
    let mut pins = Pins::new(directory)?;
    for (file, artifact) in package.artifacts() {
        if artifact.programs().is_empty() {
            continue;
        }
        let attestation = attestation(package, file)?;
        let mut object = OpenObject::open_memory(&file.content).with_context(|| file.path.clone())?;
        object.set_signature(package.signature().map(<[u8]>::to_vec));
        object.set_keyring(keyring).set_attestation(attestation);
        let loaded = object.load().map_err(|error| explain(error, keyring, package));
        let loaded = loaded.with_context(|| file.path.clone())?;
        if let Some(why) = &loaded.attestation_refused {
            eprintln!("bpfsig: the kernel does not take {}{}: {why}", file.path, attestation::SUFFIX);
        }
        let programs = loaded.programs.iter().map(|program| (&program.name, &program.fd));
        let maps = loaded.maps.iter().map(|map| (&map.name, &map.fd));
        for (name, fd) in programs.chain(maps) {
            println!("{}: {name}", pins.pin(name, fd.as_fd())?.display());
        }
    }
    Ok(pins)
}

/// Adds to an error what to do if the kernel does not know the signer.
fn explain(error: bpf::Error, keyring: Keyring, package: &Package) -> anyhow::Error {
    let signer = package.signature().and_then(|signature| signature::read(signature).ok());
    let advice = signer.and_then(|messages| {
        keyrings::unknown_signer(&error, keyring, &messages.first()?.signer().to_string())
    });
    match advice {
        Some(advice) => anyhow::anyhow!("{error:#}\n{advice}"),
        None => error.into(),
    }
}

/// The attestation of an object in a package for the running kernel.
fn attestation(package: &Package, object: &package::File) -> Result<Option<KernelAttestation>> {
    let path = format!("{}{}", object.path, attestation::SUFFIX);
    let Some(file) = package.files().iter().find(|file| file.path == path) else { return Ok(None) };
    let attestations = Attestations::from_json(&file.content).context(path)?;
    Ok(attestations.kernel(&bpf::build_id()?).cloned())
}

/// Writes a package that is verified, and the files of its signature, into a directory that exists. Returns the
/// package's folder there.
///
/// The folder appears with all its files or not at all, and what is installed already is never touched.
///
/// # Errors
/// A newer version of the package is installed, whatever its platform, or this one; something can't be written.
pub fn install(package: &Package, into: &Path) -> Result<PathBuf> {
    let lock = File::open(into).with_context(|| into.display().to_string())?;
    ensure!(lock.metadata()?.is_dir(), "{} is not a directory", into.display());
    // Two installations at once could each miss the version that the other one brings.
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("cannot lock {}", into.display()))?;

    let name = &package.metadata().name;
    let version = &package.metadata().version;
    let versions = into.join(name);
    for installed in installed_versions(&versions)? {
        if installed.cmp_precedence(version).is_gt() {
            bail!("{name} {installed} is installed in {}; {version} is older", into.display());
        }
    }
    let target = into.join(package.place());
    ensure!(!target.exists(), "{} is installed", target.display());

    let staging = tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(into)
        .with_context(|| format!("cannot write to {}", into.display()))?;
    for file in package.files().iter().chain(package.own_files()) {
        let path = staging.path().join(package.place()).join(&file.path);
        write(&path, file).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // The uppermost folder that is missing is moved there, and the rest in it.
    let missing = target.ancestors().take_while(|folder| !folder.exists()).last().unwrap_or(&target);
    let prepared = staging.path().join(missing.strip_prefix(into)?);
    fs::rename(&prepared, missing).with_context(|| format!("cannot make {}", missing.display()))?;
    let parent = missing.parent().unwrap_or(into);
    File::open(parent).and_then(|folder| folder.sync_all()).with_context(|| parent.display().to_string())?;
    Ok(target)
}

/// The versions of a package that are installed.
fn installed_versions(folder: &Path) -> Result<Vec<Version>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| folder.display().to_string())?,
    };
    let mut versions = Vec::new();
    for entry in entries {
        let name = entry.with_context(|| folder.display().to_string())?.file_name();
        versions.extend(name.to_str().and_then(|name| name.parse::<Version>().ok()));
    }
    Ok(versions)
}

fn write(path: &Path, file: &package::File) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mode = if file.is_executable() { 0o755 } else { 0o644 };
    let mut written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    written.write_all(&file.content)?;
    written.sync_all()
}
