//! `bpfsig attest`.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use bpfsig_lab::engine::Engine;
use bpfsig_lab::jobs::export::{Export, Exported, Learned};
use bpfsig_lab::jobs::hand_over;
use bpfsig_lab::kernel::{self, Variant};
use bpfsig_lab::progress::Progress;
use bpfsig_signing::attestation::{Attestations, AttestedProgram, KernelAttestation};
use bpfsig_signing::certificate::{Purpose, Signer};
use bpfsig_signing::cms;
use bpfsig_signing::description::{Description, from_json};
use bpfsig_signing::facts::Facts;
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::Statement;
use bpfsig_signing::trust::{self, ExpectedUsage};
use clap::{Args, ValueEnum};

use crate::keygen::PenOptions;
use crate::signature::FoundSignature;
use crate::signer::SignerOptions;
use crate::{files, sign};

/// Have kernels verify an eBPF object, and sign what they learn: they then need not verify it again
///
/// Boots each kernel in a virtual machine. What is signed goes to OBJ.attest, where `load` finds it; attestations for
/// other kernels that are there stay. Programs that facts can't describe are always verified.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    signer: SignerOptions,

    #[command(flatten)]
    pen: PenOptions,

    /// A kernel that exports what its verifier learns: an image (a bzImage), or a variant that `kernel build` makes
    #[arg(long = "kernel", value_name = "IMAGE|VARIANT", required = true)]
    kernels: Vec<KernelChoice>,

    /// Add this to the kernels' command lines
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    append: Option<String>,

    /// Boot the kernels with this many CPUs: facts about a program that asks which CPU it runs on are of use only on
    /// machines with as many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    cpus: u8,

    /// Load this module of the kernel first, and those that it needs: from lib/modules beside the image, or else from this
    /// machine's. Programs may call its functions, or attach to a part of it
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,

    /// Days that the attestations are valid for [default: for ever]
    #[arg(long)]
    days: Option<u32>,

    /// The object
    #[arg(value_name = "OBJ")]
    object: PathBuf,
}

/// A kernel as the user names it.
#[derive(Clone, Debug)]
enum KernelChoice {
    Variant(Variant),
    Image(PathBuf),
}

impl FromStr for KernelChoice {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let variant = Variant::from_str(name, false);
        Ok(variant.map_or_else(|_| KernelChoice::Image(name.into()), KernelChoice::Variant))
    }
}

impl KernelChoice {
    /// The image, and what boots it.
    fn obtain(&self, progress: &Progress) -> Result<(PathBuf, Engine)> {
        Ok(match self {
            KernelChoice::Variant(variant) if variant.is_uml() => {
                (kernel::obtain(*variant, None, progress)?.image, Engine::Uml)
            }
            KernelChoice::Variant(variant) => (kernel::obtain(*variant, None, progress)?.image, Engine::Tcg),
            KernelChoice::Image(image) => (image.clone(), Engine::Tcg),
        })
    }
}

pub fn run(options: Options) -> Result<()> {
    let progress = Progress::on_stderr();
    let signer = options.signer.signer()?;
    let usage = ExpectedUsage::new(Purpose::Attestation, options.pen.pen);
    trust::check(signer.certificate(), &usage, SystemTime::now())?;
    let expiry = sign::expiry(options.days)?;
    let context = || options.object.display().to_string();
    let object = files::read(&options.object)?;
    let programs = programs(&options.object, &object);
    let export = programs.and_then(|programs| Export::new(programs, options.modules.clone()));
    let mut export = export.with_context(context)?;

    let path = sign::attestations_path(&options.object);
    let mut attestations = match path.exists() {
        true => Attestations::from_json(&files::read(&path)?).with_context(|| path.display().to_string())?,
        false => Attestations::default(),
    };
    let append = options.append.as_deref().unwrap_or_default();
    for kernel in &options.kernels {
        let (image, engine) = kernel.obtain(&progress)?;
        let machine = engine.machine(&image, append, options.cpus)?;
        export.modules.root = modules_root(&image)?;
        let name = image.display().to_string();
        let exported = hand_over(&export, &*machine, &name, &progress).with_context(context)?;
        attestations
            .insert(attest(&export.programs, exported, options.cpus, expiry, &signer).with_context(context)?);
    }
    files::replace(&path, attestations.to_json().as_bytes())?;
    println!("{}: attested by {}", path.display(), signer.certificate().subject_key_id());
    Ok(())
}

/// The directory that has an image's `lib/modules`. The virtual machine has this machine's root file system.
fn modules_root(image: &Path) -> Result<PathBuf> {
    let beside = fs::canonicalize(image).with_context(|| image.display().to_string())?;
    let beside = beside.parent().context("an image is in a directory")?;
    Ok(if beside.join("lib/modules").exists() { beside } else { Path::new("/") }.to_owned())
}

/// The programs of an object that are loaded by default, as its signer has them.
fn programs(path: &Path, object: &[u8]) -> Result<Vec<Program>> {
    let signature = FoundSignature::of(path, object, None)?;
    let descriptions = signature.and_then(|signature| from_json(&signature.descriptions).ok());
    let object = Object::parse_with(object, &descriptions.unwrap_or_default().choices)?;
    let wanted = object.programs().iter().filter(|program| !program.section.starts_with('?'));
    Ok(wanted.cloned().collect())
}

/// Signs what a kernel has learned, and shows it.
fn attest(
    programs: &[Program],
    exported: Exported,
    cpus: u8,
    expiry: u64,
    signer: &Signer,
) -> Result<KernelAttestation> {
    let Exported { kernel: release, build_id, programs: learned } = exported;
    println!("{release}, build id {build_id}");
    let mut attested = Vec::new();
    for (program, learned) in programs.iter().zip(learned) {
        match learned {
            Learned::Facts { module, facts } => {
                let known = Facts::decode(&facts).with_context(|| program.name.clone())?;
                let verified_for = known.identity.cpus;
                ensure!(
                    [0, cpus.into()].contains(&verified_for),
                    "{}: verified for {verified_for} CPUs: this kernel can't have {cpus}",
                    program.name
                );
                println!(
                    "  {}: {} facts, {} bytes for {} instructions",
                    program.name,
                    known.facts.len(),
                    facts.len(),
                    known.insn_cnt
                );
                let description = Description::of(program)?;
                let elsewhere = module.and_then(|module| description.in_module(&module));
                let manifest = elsewhere.unwrap_or(description).digest();
                attested.push(AttestedProgram { name: program.name.clone(), manifest, facts });
            }
            Learned::Nothing(reason) => println!("  {}: always verified: {reason}", program.name),
        }
    }
    ensure!(!attested.is_empty(), "there is nothing to attest: the kernel verifies each program itself");
    let entries = attested.iter().map(|program| program.attestation().entry()).collect();
    let message = cms::sign_attached(&Statement { expiry, entries }.encode()?, signer)?;
    Ok(KernelAttestation { build_id, release, message, programs: attested })
}
