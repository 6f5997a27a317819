//! `bpfsig sign`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use bpfsig_signing::artifact::{Artifact, Platform};
use bpfsig_signing::attestation;
use bpfsig_signing::authenticode::{self, AuthenticodeError};
use bpfsig_signing::certificate::{Certificate, Purpose, Signer};
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::{Description, to_json};
use bpfsig_signing::object::{self, Object};
use bpfsig_signing::parameter::Range;
use bpfsig_signing::pe::Image;
use bpfsig_signing::program::{Attach, VMLINUX};
use bpfsig_signing::statement::Statement;
use bpfsig_signing::trust::{self, ExpectedUsage};
use bpfsig_signing::{cms, embed, signature};
use clap::Args;

use super::files;
use super::keygen::PenOptions;
use super::pair::pair;
use super::signer::SignerOptions;

/// Sign eBPF objects, PE images and any other files: one signature for all of them
///
/// Of an eBPF object for Linux, each program is signed; of a PE image (.sys, .exe), what Authenticode signs; of an eBPF
/// object for Windows and of any other file, the whole file. The file's content decides which.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    signer: SignerOptions,

    /// Days that the signature is valid for [default: for ever]
    #[arg(long)]
    days: Option<u32>,

    /// Put the signature into the files: a section of eBPF objects, an Authenticode signature of PE images
    #[arg(long, conflicts_with = "output")]
    embed: bool,

    /// Where to write the signature; descriptions of Linux programs go to OUTPUT.json [default: FILE.p7s, if there is one
    /// file]
    #[arg(long, value_name = "OUTPUT")]
    output: Option<PathBuf>,

    /// Sign although `verify` will not accept the signer's certificate: it has expired, is not valid yet, is for something
    /// else, or is itself signed with an algorithm such as SHA-1
    #[arg(long)]
    any_cert: bool,

    /// With --embed, replace the Authenticode signature that somebody else has put into a PE image
    #[arg(long, requires = "embed")]
    replace: bool,

    #[command(flatten)]
    pen: PenOptions,

    #[command(flatten)]
    platform: PlatformOption,

    #[command(flatten)]
    choices: ChoiceOptions,

    /// With --embed, let whoever loads the object choose a constant of `.rodata`, or the size of a map, from MIN to MAX. A tag
    /// `bpf_param:MIN:MAX` in its source does the same. Of an array or a struct, the name stands for all numbers in it, and can
    /// go on: conf.ports.0. Can be given several times
    #[arg(long = "parameter", value_name = "NAME=MIN..MAX", value_parser = parameter, requires = "embed")]
    parameters: Vec<(String, Range)>,

    /// Files to sign
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What `sign`, `verify` and `inspect` must agree on.
#[derive(Args, Clone, Copy)]
pub struct PlatformOption {
    /// The system that eBPF objects are for: linux or windows [default: told by their sections and types]
    #[arg(long)]
    pub platform: Option<Platform>,
}

/// What `sign` and `inspect` are told about an object. `verify` and `load` find it beside the signature.
#[derive(Args, Clone)]
pub struct ChoiceOptions {
    /// Program type of a section whose name does not give one: a section name that libbpf knows (xdp, tc,
    /// kprobe/FUNCTION, …). Can be given several times
    #[arg(long = "type", value_name = "SECTION=TYPE", value_parser = section_type)]
    types: Vec<(String, String)>,

    /// The attach target of a program whose section is just called fentry, fexit, lsm, freplace and the like. Can be given
    /// several times
    #[arg(long = "target-function", value_name = "PROGRAM=FUNCTION", value_parser = pair)]
    targets: Vec<(String, String)>,

    /// A module of the kernel that programs may attach to a part of without naming it, as libbpf looks through all modules:
    /// they are signed for the kernel and for this module. Can be given several times
    #[arg(long = "module", value_name = "MODULE")]
    modules: Vec<String>,

    /// Sign a program also as if it were in another section, for applications that change its type or attach target before
    /// they load it: freplace/FUNCTION, fentry/FUNCTION, or fentry/bpf:FUNCTION for a function of another program. Can be
    /// given several times
    #[arg(long = "also", value_name = "PROGRAM=SECTION", value_parser = pair)]
    also: Vec<(String, String)>,

    /// Make the numbers of `.kconfig` constants to the verifier, so that it leaves out what is for kernels of another version
    /// or configuration. `bpfsig load` loads such an object, libbpf only without its signature
    #[arg(long)]
    constant_kconfig: bool,
}

impl ChoiceOptions {
    pub fn choices(&self) -> Choices {
        let mut choices = Choices {
            types: self.types.iter().cloned().collect(),
            targets: self.targets.iter().cloned().collect(),
            modules: self.modules.iter().cloned().collect(),
            constant_kconfig: self.constant_kconfig,
            ..Choices::default()
        };
        for (program, section) in &self.also {
            choices.also.entry(program.clone()).or_default().insert(section.clone());
        }
        choices
    }

    /// Refuses what concerns none of some files, given with their bytes, and warns of a module that no program is signed
    /// for: they are mistyped.
    pub fn check(&self, files: &[(&[u8], &Artifact)]) -> Result<()> {
        let choices = self.choices();
        if choices.is_empty() {
            return Ok(());
        }
        let is_object =
            |artifact: &Artifact| matches!(artifact, Artifact::LinuxObject { .. } | Artifact::MapsOnly(_));
        let objects = files.iter().filter(|(_, artifact)| is_object(artifact));
        let objects = objects.map(|(bytes, _)| Object::parse_with(bytes, &choices));
        object::check_choices(&choices, &objects.collect::<Result<Vec<_>, _>>()?)?;
        for module in &choices.modules {
            let is_in = |program: &Description| matches!(&program.attach, Attach::KernelType { btf, .. } if btf == module);
            if !files.iter().flat_map(|(_, artifact)| artifact.programs()).any(is_in) {
                eprintln!(
                    "bpfsig: warning: --module {module} changes nothing: no program attaches to what a module may have \
                     without naming one"
                );
            }
        }
        Ok(())
    }
}

/// A section may be given with the `?` of programs that are not loaded by default.
fn section_type(text: &str) -> Result<(String, String), &'static str> {
    pair(text.trim_start_matches('?'))
}

fn parameter(text: &str) -> Result<(String, Range), &'static str> {
    let (name, range) = pair(text)?;
    Ok((name, range.parse()?))
}

/// A file that is to be signed.
struct Input<'p> {
    path: &'p Path,
    bytes: Vec<u8>,
    artifact: Artifact,
}

pub fn run(options: Options) -> Result<()> {
    let output = match (&options.output, &options.files[..]) {
        _ if options.embed => None,
        (Some(output), _) => Some(output.clone()),
        (None, [file]) => Some(signature_path(file)),
        (None, _) => bail!("several files have one signature together: say with --output where to write it"),
    };

    let expiry = expiry(options.days)?;
    let signer = options.signer.signer()?;
    let choices = options.choices.choices();
    let mut inputs = Vec::new();
    let mut entries = Vec::new();
    // What is said once it is true: when everything is signed and written.
    let (mut remarks, mut done) = (Vec::new(), Vec::new());
    for path in &options.files {
        let bytes = options.annotated(files::read(path)?).with_context(|| path.display().to_string())?;
        let artifact = files::artifact(&bytes, options.platform.platform, &choices)
            .with_context(|| path.display().to_string())?;
        done.extend(lines(&artifact).iter().map(|line| format!("{line}  {}", path.display())));
        for remark in artifact.remarks() {
            let kind = if remark.is_warning() { "warning: " } else { "" };
            remarks.push(format!("bpfsig: {kind}{}: {remark}", path.display()));
        }
        for entry in artifact.entries() {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        inputs.push(Input { path, bytes, artifact });
    }
    let files: Vec<_> = inputs.iter().map(|input| (&*input.bytes, &input.artifact)).collect();
    options.choices.check(&files)?;
    if output.is_some() || inputs.iter().any(|input| !matches!(input.artifact, Artifact::PeImage(_))) {
        options.check(signer.certificate(), Purpose::Program)?;
    }
    let statement = Statement { expiry, entries };
    let signature = signature::sign(&statement, &signer)?;
    let messages = signature::split(&signature).len();
    if messages > 1 {
        done.push(format!(
            "{} entries in {messages} CMS messages: the kernel takes at most {} bytes in one",
            statement.entries.len(),
            cms::MAX_SIZE
        ));
    }

    done.extend(match output {
        Some(output) => write(&output, &signature, &inputs, &choices)?,
        None => options.put_inside(&inputs, &signature, &signer, &choices)?,
    });
    remarks.iter().for_each(|line| eprintln!("{line}"));
    done.iter().for_each(|line| println!("{line}"));
    println!("signed by {}", signer.certificate().subject_key_id());
    Ok(())
}

/// One line for each thing that is signed: its digest, what it is, and which program.
pub fn lines(artifact: &Artifact) -> Vec<String> {
    let entries = artifact.entries().into_iter();
    match artifact.programs() {
        [] => entries.map(|entry| format!("{}  {artifact}", entry.digest)).collect(),
        programs => {
            let programs = entries.zip(programs);
            programs
                .map(|(entry, program)| {
                    format!("{}  program {}{}", entry.digest, program.whole_name(), module(program))
                })
                .collect()
        }
    }
}

/// In which module a program attaches to something, for the list.
fn module(program: &Description) -> String {
    match &program.attach {
        Attach::KernelType { btf, .. } if btf != VMLINUX => format!(" (module {btf})"),
        _ => String::new(),
    }
}

/// Writes the signature, and beside it descriptions of what it covers. Returns what to say of it.
fn write(output: &Path, signature: &[u8], inputs: &[Input<'_>], choices: &Choices) -> Result<Vec<String>> {
    let prepared = files::prepare(output, signature)?;
    let programs: Vec<Description> =
        inputs.iter().flat_map(|input| input.artifact.programs()).cloned().collect();
    if !programs.is_empty() {
        files::replace(&descriptions_path(output), to_json(&programs, choices).as_bytes())?;
    }
    prepared.put_in_place()?;
    Ok(vec![format!("{}: {} bytes", output.display(), signature.len())])
}

impl Options {
    /// An object with the parameters that are asked for.
    fn annotated(&self, file: Vec<u8>) -> Result<Vec<u8>> {
        if self.parameters.is_empty() {
            return Ok(file);
        }
        Ok(object::annotate(&embed::strip(&file)?, &self.parameters)?)
    }

    /// Refuses a certificate that `verify` would refuse, or warns of it if that is wanted.
    fn check(&self, certificate: &Certificate, purpose: Purpose) -> Result<()> {
        let usage = ExpectedUsage::new(purpose, self.pen.pen);
        let result = trust::check(certificate, &usage, SystemTime::now())
            .and_then(|()| trust::check_algorithm(certificate));
        match result {
            Err(error) if self.any_cert => {
                eprintln!("bpfsig: warning: {error}: `verify` will refuse the signature");
                Ok(())
            }
            result => result.context("`verify` would refuse the signature (--any-cert signs all the same)"),
        }
    }

    /// Puts the signature into all files, or, if there is one that has no room for it, into none. Returns what to say of
    /// it.
    fn put_inside(
        &self,
        inputs: &[Input<'_>],
        signature: &[u8],
        signer: &Signer,
        choices: &Choices,
    ) -> Result<Vec<String>> {
        let mut signed = Vec::new();
        for Input { path, bytes, artifact } in inputs {
            let file = match artifact {
                Artifact::LinuxObject { programs, .. } => {
                    let json = to_json(programs, choices);
                    embed::write(bytes, signature, json.as_bytes()).map_err(anyhow::Error::from)
                }
                Artifact::WindowsObject(_) | Artifact::MapsOnly(_) => {
                    embed::write(bytes, signature, &[]).map_err(anyhow::Error::from)
                }
                Artifact::PeImage(_) => self.sign_image(bytes, signer),
                Artifact::File { .. } => Err(anyhow::anyhow!(
                    "only eBPF objects and PE images have room for a signature; leave out --embed to have it in a \
                     file of its own"
                )),
            };
            signed.push((path, file.with_context(|| path.display().to_string())?));
            let beside = signature_path(path);
            if beside.exists() {
                eprintln!(
                    "bpfsig: warning: {} exists, too, and takes precedence: remove it",
                    beside.display()
                );
            }
        }
        let prepared = signed.iter().map(|(path, file)| files::prepare(path, file));
        for prepared in prepared.collect::<Result<Vec<_>>>()? {
            prepared.put_in_place()?;
        }
        Ok(signed.iter().map(|(path, file)| format!("{}: {} bytes", path.display(), file.len())).collect())
    }

    /// Signs an image, but not over somebody else's signature unless that is wanted.
    fn sign_image(&self, image: &[u8], signer: &Signer) -> Result<Vec<u8>> {
        self.check(signer.certificate(), Purpose::Code)
            .context("Authenticode (see `keygen signer --purpose code`)")?;
        let earlier = match authenticode::Signature::read(&Image::parse(image)?) {
            Err(AuthenticodeError::Unsigned) => None,
            Ok(earlier) if earlier.signer().subject_key_id() == signer.certificate().subject_key_id() => None,
            Ok(earlier) => Some(format!("it is signed by `{}`", earlier.signer().subject())),
            Err(error) => Some(format!("there is a signature in it already ({error})")),
        };
        if let Some(earlier) = earlier.filter(|_| !self.replace) {
            bail!("{earlier}: --replace puts the new signature in its place");
        }
        Ok(authenticode::sign(image, signer)?)
    }
}

/// The default place of a file's signature: beside it.
pub fn signature_path(file: &Path) -> PathBuf {
    with_suffix(file, ".p7s")
}

/// The file with descriptions of what a signature covers.
pub fn descriptions_path(signature: &Path) -> PathBuf {
    with_suffix(signature, ".json")
}

/// The file with the attestations of an object's programs.
pub fn attestations_path(object: &Path) -> PathBuf {
    with_suffix(object, attestation::SUFFIX)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

/// When a signature that is valid for some days expires: seconds since the epoch, 0 for never.
pub fn expiry(days: Option<u32>) -> Result<u64> {
    // The end of the year 9999, which is the last that dates are written of.
    const LAST: u64 = 253_402_300_799;
    let Some(days) = days else { return Ok(0) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let expiry = now + u64::from(days) * 24 * 60 * 60;
    ensure!(
        days > 0 && expiry <= LAST,
        "a signature can't be valid for {days} days: give from 1 to {}, or leave out --days for one that never expires",
        LAST.saturating_sub(now) / (24 * 60 * 60)
    );
    Ok(expiry)
}
