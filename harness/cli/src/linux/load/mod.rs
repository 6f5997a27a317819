//! `bpfsig load`.

mod report;
mod signature;

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{self as bpf, Hooks, Link, OpenObject, Pins};
use bpfsig_signing::attestation::{Attestations, KernelAttestation};
use bpfsig_signing::object::Object;
use clap::Args;

use self::report::Report;
use self::signature::Signature;
use crate::pair::pair;
use crate::{files, interrupt, sign};

/// Load a signed eBPF object into the kernel
///
/// Creates the maps, loads all programs with the signature, and pins and attaches them if asked to. Programs stay
/// attached for as long as they are pinned, or else until Ctrl-C. If OBJ.attest has an attestation for the running
/// kernel, the kernel may take it instead of verifying the programs; if it refuses the attestation, it verifies them.
#[derive(Args)]
pub struct Options {
    /// The object
    #[arg(value_name = "OBJ")]
    object: PathBuf,

    /// The signature [default: OBJ.p7s, or else the one inside of OBJ]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,

    /// Where the kernel looks for the signer: builtin (its own keys), secondary (these, and those that they vouch for),
    /// platform (the firmware's), bpf (those of `trust add`), or the serial number of a keyring or a key
    #[arg(long, value_name = "NAME|SERIAL", default_value = "secondary", allow_hyphen_values = true)]
    keyring: Keyring,

    /// Pin programs and maps in this directory, each under its name, and links as NAME_link
    #[arg(long, value_name = "DIR")]
    pin: Option<PathBuf>,

    /// Directory where maps with LIBBPF_PIN_BY_NAME are pinned, or found if another object has pinned them
    #[arg(long, value_name = "DIR", default_value = bpf::DEFAULT_PIN_ROOT)]
    pin_path: PathBuf,

    /// Attach each program whose section says where: functions, tracepoints, LSM hooks, iterators, struct_ops
    #[arg(long)]
    attach: bool,

    /// Attach a program to something that its section does not name, written as in a section's name: a function of the
    /// kernel (FUNCTION+OFFSET or a pattern), of a binary (BINARY:FUNCTION), a usdt (BINARY:PROVIDER:NAME), a
    /// tracepoint (CATEGORY/NAME), a counter (cpu-clock:HERTZ), a hook of netfilter (ip|ip6/input/PRIORITY), or what to
    /// iterate over (map=NAME|PATH, cgroup=PATH, pid=NUMBER)
    #[arg(long, value_name = "PROGRAM=PLACE", value_parser = pair)]
    at: Vec<(String, String)>,

    /// Attach XDP and tc programs to this network device; tc programs whose section names no direction, to ingress
    #[arg(long, value_name = "IFACE")]
    dev: Option<String>,

    /// Attach cgroup and sockops programs to this control group
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,

    /// Attach sk_lookup programs and flow dissectors to this process's network namespace
    #[arg(long)]
    netns: bool,

    /// The program, by its id or where it is pinned, that freplace, fentry and fexit programs attach to
    #[arg(long, value_name = "ID|PATH")]
    target: Option<OsString>,

    /// Set a parameter: a constant, or the size of a map, that the signer leaves to whoever loads the object (`bpfsig inspect`
    /// shows them, with what they may be). Can be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, i128)>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(options: Options) -> Result<()> {
    let context = || options.object.display().to_string();
    let bytes = files::read(&options.object)?;
    let (signature, choices) = Signature::find(&options.object, &bytes, options.signature.as_deref())?;
    let mut object = OpenObject::from(&Object::parse_with(&bytes, &choices).with_context(context)?);
    let hooks = hooks(&options)?;
    let target = options.target.as_deref().map(|target| program(Path::new(target))).transpose()?;
    let mut pins = options.pin.as_deref().map(Pins::new).transpose()?;

    object.set_signature(Some(signature.bytes.clone()));
    object.set_keyring(options.keyring);
    object.set_attestation(attestation(&options.object)?);
    object.set_pin_root(&options.pin_path);
    for (name, value) in &options.set {
        object.set_parameter(name, *value).with_context(context)?;
    }
    if let Some(target) = &target {
        set_target(&mut object, target.as_fd())?;
    }
    let loaded =
        object.load().map_err(|error| signature.explain(error, options.keyring)).with_context(context)?;
    if let Some(why) = &loaded.attestation_refused {
        eprintln!(
            "bpfsig: the kernel does not take {}: {why}",
            sign::attestations_path(&options.object).display()
        );
    }
    let mut report = Report::of(&options.object, &signature, options.keyring, &loaded)?;

    if let Some(pins) = &mut pins {
        for (row, program) in report.programs.iter_mut().zip(&loaded.programs) {
            row.pinned = Some(pins.pin(&program.name, program.fd.as_fd())?);
        }
        for (row, map) in report.maps.iter_mut().zip(&loaded.maps) {
            row.pinned = Some(pins.pin(&map.name, map.fd.as_fd())?);
        }
    }
    let links = loaded.attach(&hooks)?;
    if let Some(pins) = &mut pins {
        let mut names = HashSet::new();
        for link in &links {
            pins.pin(&link_name(&link.name, &mut names), link.as_fd())?;
        }
    }
    report.add(&links);

    interrupt::check()?;
    let is_pinned = pins.is_some();
    if let Some(pins) = pins {
        pins.keep();
    }
    report.print(options.json)?;
    match (is_pinned, links.is_empty()) {
        (true, _) => {
            links.into_iter().for_each(Link::disconnect);
            Ok(())
        }
        (false, true) => {
            eprintln!(
                "bpfsig: nothing is pinned or attached: everything is unloaded when this command exits"
            );
            Ok(())
        }
        (false, false) => {
            eprintln!("bpfsig: attached until Ctrl-C");
            while interrupt::check().is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
    }
}

/// The attestation of an object for the running kernel.
fn attestation(object: &Path) -> Result<Option<KernelAttestation>> {
    let path = sign::attestations_path(object);
    if !path.exists() {
        return Ok(None);
    }
    let attestations =
        Attestations::from_json(&files::read(&path)?).with_context(|| path.display().to_string())?;
    let build_id = bpf::build_id()?;
    let attestation = attestations.kernel(&build_id).cloned();
    if attestation.is_none() {
        eprintln!("bpfsig: {} has nothing about the running kernel, {build_id}", path.display());
    }
    Ok(attestation)
}

fn hooks(options: &Options) -> Result<Hooks> {
    let mut hooks = Hooks::new();
    if options.attach {
        hooks = hooks.by_section();
    }
    if let Some(name) = &options.dev {
        hooks = hooks.device(name)?;
    }
    if let Some(path) = &options.cgroup {
        hooks = hooks.cgroup(path)?;
    }
    if options.netns {
        hooks = hooks.netns()?;
    }
    for (program, place) in &options.at {
        hooks = hooks.at(program, place);
    }
    Ok(hooks)
}

/// The name of a parameter and its value.
fn setting(text: &str) -> Result<(String, i128)> {
    let (name, value) = pair(text).map_err(Error::msg)?;
    let value = value.parse().with_context(|| format!("`{value}` is not a number"))?;
    Ok((name, value))
}

/// Sets the target of every program that can attach to another program.
fn set_target(object: &mut OpenObject, target: BorrowedFd<'_>) -> Result<()> {
    let can_attach = |program: &mut bpf::OpenProgram| program.set_attach_target(target, None).is_ok();
    let count =
        object.programs_mut().iter_mut().filter_map(|program| can_attach(program).then_some(())).count();
    ensure!(count > 0, "the object has no program that attaches to a program");
    Ok(())
}

/// The name to pin a link by. If a program has several, the second and later ones get a number.
fn link_name(name: &str, taken: &mut HashSet<String>) -> String {
    let plain = format!("{name}_link");
    let numbered = (2..).map(|number| format!("{plain}{number}"));
    let name = std::iter::once(plain.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
    name.expect("there are as many numbers as links")
}

/// A program in the kernel.
fn program(name: &Path) -> Result<OwnedFd> {
    let program = match name.to_str().and_then(|name| name.parse().ok()) {
        Some(id) => bpf::program_by_id(id),
        None => bpf::pinned(name),
    };
    program.with_context(|| format!("program {}", name.display()))
}
