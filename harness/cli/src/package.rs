//! `bpfsig package`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use bpfsig_loading::keyring::Keyring;
use bpfsig_signing::certificate::{Certificate, Purpose};
use bpfsig_signing::package::{self, File, MAX_SIZE, METADATA, Package, SignedPackage};
use bpfsig_signing::trust::{self, ExpectedUsage};
use clap::{Args, Subcommand};
use walkdir::WalkDir;

use super::keygen::PenOptions;
use super::signer::SignerOptions;
use super::timestamp::{Timestamps, TsaOptions};
use super::{files, sign};
#[cfg(target_os = "linux")]
use crate::install;

/// Make, check and install packages: programs for the kernel and for users together, with one signature
#[derive(Subcommand)]
pub enum Command {
    /// Sign the files in a directory or in a .tar.gz, and pack them into a .tar.gz
    ///
    /// Among them is a manifest.json, with the field names of L3AF's l3afd: name, version (2.1.0, 2.1, v2.1.0 or latest),
    /// artifact, and, if there is such a thing, object_file, entry_function_name, prog_type, map_name, cmd_start, cmd_stop,
    /// cmd_status, cmd_config, cmd_update. In the package, all are in a folder that is called like the artifact up to the
    /// first dot, which is where l3afd looks; in a .tar.gz, they have to be in it already.
    Create {
        #[command(flatten)]
        signer: SignerOptions,

        #[command(flatten)]
        pen: PenOptions,

        /// What the package is for, such as the code name of a distribution
        #[arg(long, value_name = "NAME")]
        platform: String,

        /// Days that the signature is valid for [default: for ever]
        #[arg(long)]
        days: Option<u32>,

        /// Where to write the package [default: the artifact in manifest.json]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,

        /// The manifest.json, if it is not among the files
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,

        /// The directory, or the archive
        #[arg(value_name = "DIRECTORY|ARCHIVE")]
        source: PathBuf,
    },
    /// Check a package, without a kernel
    Verify {
        #[command(flatten)]
        trust: TrustOptions,

        /// The package
        package: PathBuf,
    },
    /// Check a package and unpack it into NAME/VERSION/ARTIFACT/, all of it or nothing
    ///
    /// ARTIFACT is the artifact's name up to the first dot: this is where l3afd looks. An older version never follows a
    /// newer one, whatever their platforms: 2.1 and v2.1 are 2.1.0, and latest is newer than any number.
    #[cfg(target_os = "linux")]
    Install {
        #[command(flatten)]
        trust: TrustOptions,

        /// The directory to install it in
        #[arg(long, value_name = "DIRECTORY")]
        into: PathBuf,

        /// Load the eBPF programs too, signed as the package is, and pin programs and maps in this directory of a BPF
        /// file system. If the kernel refuses one, nothing is installed
        #[arg(long, value_name = "DIRECTORY")]
        load: Option<PathBuf>,

        /// Where the kernel looks for the signer: builtin (its own keys), secondary (these, and those that they vouch for),
        /// platform (the firmware's), bpf (those of `trust add`), or the serial number of a keyring or a key
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
    },
}

/// Whom to trust.
#[derive(Args)]
#[group(required = true, multiple = true, id = "trust", args = ["ca", "cert"])]
pub struct TrustOptions {
    /// Certificates of CAs that are trusted, PEM or DER
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,

    /// Certificate of the one signer that is trusted, PEM or DER
    #[arg(long, value_name = "FILE", conflicts_with = "ca")]
    cert: Option<PathBuf>,

    #[command(flatten)]
    tsa: TsaOptions,

    #[command(flatten)]
    pen: PenOptions,
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Create { signer, pen, platform, days, output, manifest, source } => {
            let expiry = sign::expiry(days)?;
            let package = read_source(&source, manifest.as_deref(), &platform)?;
            let (signer, intermediates) = signer.signer_and_intermediates()?;
            for purpose in purposes(&package) {
                let usage = ExpectedUsage::new(purpose, pen.pen);
                trust::check(signer.certificate(), &usage, SystemTime::now())?;
            }
            let archive = package.sign(&signer, &intermediates, expiry)?;
            let output = output.unwrap_or_else(|| PathBuf::from(&package.metadata().artifact));
            files::replace(&output, &archive)?;
            print(&package);
            println!(
                "{}: signed by {} ({} bytes)",
                output.display(),
                signer.certificate().subject_key_id(),
                archive.len()
            );
        }
        Command::Verify { trust, package: path } => {
            let verified = trust.verify(&path).with_context(|| path.display().to_string())?;
            print(&verified.package);
            println!("{}: signed by `{}`", path.display(), verified.signer.subject());
            for line in verified.timestamps.lines() {
                println!("  {line}");
            }
        }
        #[cfg(target_os = "linux")]
        Command::Install { trust, into, load: pin, keyring, package: path } => {
            let Verified { package, .. } = trust.verify(&path).with_context(|| path.display().to_string())?;
            let pins = pin.map(|directory| install::load(&package, keyring, &directory)).transpose()?;
            let folder = install::install(&package, &into)?;
            if let Some(pins) = pins {
                pins.keep();
            }
            println!("{}: installed", folder.display());
        }
    }
    Ok(())
}

/// A package that someone has signed who is trusted.
struct Verified {
    package: Package,
    signer: Certificate,
    timestamps: Timestamps,
}

impl TrustOptions {
    /// The package, if someone who is trusted has signed it.
    fn verify(&self, path: &Path) -> Result<Verified> {
        let now = SystemTime::now();
        let mut archive = Vec::new();
        fs::File::open(path)?.take(MAX_SIZE as u64 + 1).read_to_end(&mut archive)?;
        let signed = SignedPackage::read(&archive)?;
        let certificates = signed.certificates().to_vec();
        let (signer, intermediates) = certificates.split_first().context("no certificate in the package")?;
        let pinned = self.cert.as_deref().map(files::certificate).transpose()?;
        let signer = pinned.as_ref().unwrap_or(signer);
        let cas = files::all_certificates(&self.ca)?;
        let timestamps = Timestamps::of(signed.messages(), &self.tsa.certificates()?);
        let check = |purpose| {
            let usage = ExpectedUsage::new(purpose, self.pen.pen);
            timestamps.check(now, |time| match pinned {
                Some(_) => trust::check(signer, &usage, time),
                None => trust::check_path(signer, &cas, intermediates, &usage, time),
            })
        };
        // Before anything that a stranger may have made is looked into.
        check(Purpose::Package)?;
        let seconds = now.duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let package = signed.verify(signer, seconds)?;
        purposes(&package).into_iter().try_for_each(check)?;
        Ok(Verified { package, signer: signer.clone(), timestamps })
    }
}

/// A package of the files in a directory or an archive, and a manifest that may be elsewhere.
fn read_source(source: &Path, manifest: Option<&Path>, platform: &str) -> Result<Package> {
    let (folder, mut files) = if source.is_file() {
        let (folder, files) =
            package::unpack(&files::read(source)?).with_context(|| source.display().to_string())?;
        (Some(folder), files)
    } else {
        (None, read_directory(source)?)
    };
    if let Some(manifest) = manifest {
        files.retain(|file| file.path != METADATA);
        files.push(File { path: METADATA.to_owned(), content: files::read(manifest)? });
    }
    ensure!(
        files.iter().any(|file| file.path == METADATA),
        "{} has no {METADATA}: --manifest says where there is one",
        source.display()
    );
    let package = Package::new(platform, files).with_context(|| source.display().to_string())?;
    if let Some(folder) = folder {
        ensure!(
            folder == package.folder(),
            "{}: the files are in `{folder}`, but l3afd looks for `{}` in `{}`",
            source.display(),
            package.metadata().artifact,
            package.folder()
        );
    }
    Ok(package)
}

/// All files below a directory.
fn read_directory(directory: &Path) -> Result<Vec<File>> {
    ensure!(directory.is_dir(), "{} is neither a directory nor an archive", directory.display());
    let mut found = Vec::new();
    for entry in WalkDir::new(directory) {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type().is_dir() {
            continue;
        }
        if !entry.file_type().is_file() {
            bail!("{} is neither a file nor a directory", path.display());
        }
        let relative = path.strip_prefix(directory)?;
        let name = relative.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        let content = fs::read(path).with_context(|| path.display().to_string())?;
        found.push(File { path: name.to_owned(), content });
    }
    Ok(found)
}

/// What the signer's certificate must be for: programs, too, if there are any for the kernel.
fn purposes(package: &Package) -> Vec<Purpose> {
    let mut purposes = vec![Purpose::Package];
    if package.has_programs() {
        purposes.push(Purpose::Program);
    }
    purposes
}

/// Says what is in a package.
fn print(package: &Package) {
    println!("{}, in {}", package.title(), package.place());
    for (file, artifact) in package.artifacts() {
        println!("  {}: {artifact}", file.path);
        for line in sign::lines(artifact) {
            println!("    {line}");
        }
    }
}
