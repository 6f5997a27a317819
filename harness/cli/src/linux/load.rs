//! `bpfsig load`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_loading::{
    self as bpf, Attested, Hooks, Link, LoadedObject, OpenObject, Origin, Pins, ProgramInfo,
};
use bpfsig_signing::attestation::{Attestations, KernelAttestation};
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::{Description, from_json};
use bpfsig_signing::object::Object;
use bpfsig_signing::signature;
use bpfsig_signing::uapi::{map_type, prog_type};
use clap::Args;
use serde::Serialize;

use super::listing;
use crate::interrupt;
use crate::signature::FoundSignature;
use crate::{files, sign, verify};

/// Load a signed eBPF object into the kernel
///
/// Creates the maps, loads all programs with the signature, and pins and attaches them if asked to. What is attached
/// stays so for as long as it is pinned, or else until Ctrl-C. If there is an OBJ.attest that has something about the
/// running kernel, the kernel may take what is attested instead of verifying the programs. If it refuses the attestation
/// itself, it verifies them.
#[derive(Args)]
pub struct Options {
    /// The object
    #[arg(value_name = "OBJ")]
    object: PathBuf,

    /// The signature [default: OBJ.p7s, or else the one inside of OBJ]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,

    /// Where the kernel looks for the signer: builtin, secondary, platform, bpf, or the serial number of a keyring or a key
    #[arg(long, value_name = "NAME|SERIAL", default_value = "secondary", allow_hyphen_values = true)]
    keyring: Keyring,

    /// Pin programs and maps in this directory, each under its name, and the links of what is attached as NAME_link
    #[arg(long, value_name = "DIR")]
    pin: Option<PathBuf>,

    /// Where maps that are to be pinned by name are pinned, and found if another object has pinned them
    #[arg(long, value_name = "DIR", default_value = bpf::DEFAULT_PIN_ROOT)]
    pin_path: PathBuf,

    /// Attach each program whose section says where: functions, tracepoints, LSM hooks, iterators, struct_ops
    #[arg(long)]
    attach: bool,

    /// Attach a program to what its section does not say, written as a section would have it: a function of the kernel
    /// (FUNCTION+OFFSET or a pattern), of a binary (BINARY:FUNCTION), a usdt (BINARY:PROVIDER:NAME), a tracepoint
    /// (CATEGORY/NAME), a counter (cpu-clock:HERTZ), a hook of netfilter (ip|ip6/input/PRIORITY), or what to iterate over
    /// (map=NAME|PATH, cgroup=PATH, pid=NUMBER)
    #[arg(long, value_name = "PROGRAM=PLACE", value_parser = place)]
    at: Vec<(String, String)>,

    /// Attach XDP and tc programs to this network device; tc programs that name no direction to what comes in
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
    let (signature, choices) = Signature::find(&options, &bytes)?;
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
    let loaded = object.load().map_err(|error| signature.explain(error)).with_context(context)?;
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

/// The signature of an object, and what is known about what was signed.
struct Signature {
    /// A CMS message, or several.
    bytes: Vec<u8>,
    /// The signer's key.
    signer: String,
    /// Descriptions of programs, as far as the statement lists them.
    signed: Vec<Description>,
}

impl Signature {
    /// The signature of an object, and what its signer has said about the object.
    fn find(options: &Options, object: &[u8]) -> Result<(Self, Choices)> {
        let found = FoundSignature::of(&options.object, object, options.signature.as_deref())?;
        let Some(FoundSignature { signature: bytes, descriptions, place }) = found else {
            // Signing does not make an object of what is none.
            Object::parse(object).with_context(|| options.object.display().to_string())?;
            bail!(
                "{}: no signature in it and no {}: `bpfsig sign` makes one",
                options.object.display(),
                sign::signature_path(&options.object).display()
            )
        };
        let messages =
            signature::read(&bytes).context(place).with_context(|| options.object.display().to_string())?;
        let descriptions = from_json(&descriptions).unwrap_or_default();
        let signed = match signature::content(&messages) {
            Ok(Some(statement)) => verify::signed_programs(&statement, descriptions.programs),
            // The kernel says what is wrong with it.
            _ => Vec::new(),
        };
        let signer = messages[0].signer().to_string();
        Ok((Self { signer, signed, bytes }, descriptions.choices))
    }

    /// Adds to an error what else the verifier has to say, and how the program differs from the one that was signed.
    fn explain(&self, error: bpf::Error) -> anyhow::Error {
        let Some(refused) = error.refused() else { return error.into() };
        let mut text = error.to_string();
        if refused.reason().is_some_and(|reason| reason != refused.log.trim_end()) {
            write!(text, "\n{}", refused.log.trim_end()).expect("there is room in memory");
        }
        let differences = Description::of(&refused.as_loaded).ok().and_then(|program| {
            program.counterpart(&self.signed).map(|counterpart| program.differences(counterpart))
        });
        let differences = differences.unwrap_or_default();
        if !differences.is_empty() {
            write!(text, "\nIt is not what was signed:").expect("there is room in memory");
        }
        for difference in differences {
            write!(text, "\n  {difference}").expect("there is room in memory");
        }
        anyhow::Error::msg(text)
    }
}

/// What is attested of an object for the running kernel.
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

/// `PROGRAM=PLACE`.
fn place(text: &str) -> Result<(String, String)> {
    let parts = text.split_once('=').filter(|(program, place)| !program.is_empty() && !place.is_empty());
    let (program, place) = parts.context("say PROGRAM=PLACE")?;
    Ok((program.to_owned(), place.to_owned()))
}

/// `NAME=VALUE`.
fn setting(text: &str) -> Result<(String, i128)> {
    let (name, value) = text.split_once('=').context("say NAME=VALUE")?;
    let value = value.parse().with_context(|| format!("`{value}` is no number"))?;
    Ok((name.to_owned(), value))
}

/// Sets the target of every program that can attach to another program.
fn set_target(object: &mut OpenObject, target: BorrowedFd<'_>) -> Result<()> {
    let can_attach = |program: &mut bpf::OpenProgram| program.set_attach_target(target, None).is_ok();
    let count =
        object.programs_mut().iter_mut().filter_map(|program| can_attach(program).then_some(())).count();
    ensure!(count > 0, "the object has no program that attaches to a program");
    Ok(())
}

/// What a link is pinned as; the second one of a program and those after it have a number.
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

/// What has been loaded.
#[derive(Serialize)]
struct Report {
    object: PathBuf,
    /// Subject key identifier.
    signer: String,
    /// Whose certificate it is, if it can be found in the keyring.
    subject: Option<String>,
    programs: Vec<Program>,
    maps: Vec<Map>,
}

#[derive(Serialize)]
struct Program {
    name: String,
    #[serde(rename = "type")]
    prog_type: String,
    id: u32,
    tag: String,
    #[serde(flatten)]
    facts: Option<Attested>,
    attached: Option<String>,
    pinned: Option<PathBuf>,
}

#[derive(Serialize)]
struct Map {
    name: String,
    #[serde(rename = "type")]
    map_type: String,
    id: u32,
    attached: Option<String>,
    pinned: Option<PathBuf>,
}

impl Report {
    fn of(object: &Path, signature: &Signature, keyring: Keyring, loaded: &LoadedObject) -> Result<Self> {
        let program = |program: &bpf::LoadedProgram| {
            let ProgramInfo { id, tag, origin, .. } = ProgramInfo::of(program.as_fd())?;
            Ok(Program {
                name: program.name.clone(),
                prog_type: prog_type::name(program.prog_type).into_owned(),
                id,
                tag,
                facts: match origin {
                    Some(Origin::Verified(signature)) => Some(signature.attested),
                    // This kernel does not tell.
                    _ => None,
                },
                attached: None,
                pinned: None,
            })
        };
        let map = |map: &bpf::LoadedMap| {
            Ok(Map {
                name: map.name.clone(),
                map_type: map_type::name(map.map_type).into_owned(),
                id: map.id()?,
                attached: None,
                pinned: None,
            })
        };
        Ok(Self {
            object: object.to_owned(),
            signer: signature.signer.clone(),
            subject: subject(keyring, &signature.signer),
            programs: loaded.programs.iter().map(program).collect::<Result<_>>()?,
            maps: loaded.maps.iter().map(map).collect::<Result<_>>()?,
        })
    }

    fn add(&mut self, links: &[Link]) {
        for link in links {
            let programs = self.programs.iter_mut().map(|program| (&program.name, &mut program.attached));
            let maps = self.maps.iter_mut().map(|map| (&map.name, &mut map.attached));
            for (_, attached) in programs.chain(maps).filter(|(name, _)| **name == link.name) {
                *attached = Some(link.place.clone());
            }
        }
    }

    fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let signer = match &self.subject {
            Some(subject) => format!("`{subject}`, key {}", self.signer),
            None => format!("key {}", self.signer),
        };
        println!("{}: signed by {signer}", self.object.display());
        const PROGRAM: [&str; 7] = ["program", "type", "id", "tag", "facts", "attached", "pinned"];
        listing::print(false, &self.programs, PROGRAM, |program| {
            let Program { name, prog_type, id, tag, facts, attached, pinned } = program;
            [
                name.clone(),
                prog_type.clone(),
                id.to_string(),
                tag.clone(),
                facts.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                attached_to(attached),
                pinned_at(pinned),
            ]
        })?;
        if self.maps.is_empty() {
            return Ok(());
        }
        const MAP: [&str; 5] = ["map", "type", "id", "attached", "pinned"];
        listing::print(false, &self.maps, MAP, |map| {
            let Map { name, map_type, id, attached, pinned } = map;
            [name.clone(), map_type.clone(), id.to_string(), attached_to(attached), pinned_at(pinned)]
        })
    }
}

/// The subject of a key in a keyring that the caller may read.
fn subject(keyring: Keyring, id: &str) -> Option<String> {
    let serial = match keyring.system_name() {
        Some(name) => keyring::find(name).ok()??,
        None => keyring.0,
    };
    keyring::keys(serial).ok()?.into_iter().find(|key| key.id == id).map(|key| key.subject)
}

fn attached_to(place: &Option<String>) -> String {
    place.clone().unwrap_or_else(|| "-".to_owned())
}

fn pinned_at(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string())
}
