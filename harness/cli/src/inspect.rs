//! `bpfsig inspect`.

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bpfsig_signing::Digest;
use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::attestation::{self, Attestations, AttestedProgram, KernelAttestation};
use bpfsig_signing::authenticode::{self, AuthenticodeError};
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::Message;
use bpfsig_signing::description::Description;
use bpfsig_signing::embed;
use bpfsig_signing::facts::{BuildId, Facts};
use bpfsig_signing::pe::Image;
use bpfsig_signing::signature;
use bpfsig_signing::statement::Statement;
use clap::Args;
use serde::Serialize;

use super::files;
use super::sign::{ChoiceOptions, PlatformOption};

/// Show what a signature covers, or what a signature of a file would cover
///
/// Nothing is verified.
#[derive(Args)]
pub struct Options {
    /// A signature (.p7s), attestations (.attest), or a file that can be signed
    file: PathBuf,

    /// Show this certificate too, if it is the signer's
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    #[command(flatten)]
    platform: PlatformOption,

    #[command(flatten)]
    choices: ChoiceOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(options: Options) -> Result<()> {
    let bytes = files::read(&options.file)?;
    let certificate = options.cert.as_deref().map(files::certificate).transpose()?;
    let is_attestations =
        options.file.as_os_str().as_encoded_bytes().ends_with(attestation::SUFFIX.as_bytes());
    let view = match signature::read(&bytes) {
        Ok(messages) => View::of_signature(&messages, certificate.as_ref()),
        Err(_) if is_attestations => View::of_attestations(&bytes, certificate.as_ref()),
        Err(_) => {
            let artifact = files::artifact(&bytes, options.platform.platform, &options.choices.choices());
            artifact.and_then(|artifact| View::of_file(&artifact, &bytes, certificate.as_ref()))
        }
    };
    let view = view.with_context(|| options.file.display().to_string())?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&view)?);
    } else {
        print!("{view}");
    }
    Ok(())
}

/// Everything that is shown.
#[derive(Serialize)]
struct View {
    /// What the file is.
    kind: String,
    /// Remarks for whoever signs it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    /// What a signature of the file would cover.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    binds: Vec<Bound>,
    /// The signature that the file is, or that is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<SignatureView>,
    /// What is attested, for each kernel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kernels: Vec<KernelView>,
}

#[derive(Serialize)]
struct KernelView {
    build_id: BuildId,
    release: String,
    signature: SignatureView,
    programs: Vec<AttestedView>,
}

#[derive(Serialize)]
struct AttestedView {
    name: String,
    manifest: Digest,
    /// Whether the statement lists these facts about this program.
    attested: bool,
    facts: Facts,
}

#[derive(Serialize)]
struct Bound {
    kind: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<Description>,
}

#[derive(Serialize)]
struct SignatureView {
    format: String,
    /// Subject key identifier.
    signer: String,
    algorithm: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<StatementView>,
}

#[derive(Serialize)]
struct CertificateView {
    subject: String,
    issuer: String,
    key: String,
    not_before: String,
    not_after: String,
}

#[derive(Serialize)]
struct StatementView {
    /// `None`: never.
    expires: Option<String>,
    entries: Vec<Bound>,
}

impl View {
    fn of_kind(kind: &impl ToString) -> Self {
        let kind = kind.to_string();
        Self { kind, remarks: Vec::new(), binds: Vec::new(), signature: None, kernels: Vec::new() }
    }

    fn of_signature(messages: &[Message], certificate: Option<&Certificate>) -> Result<Self> {
        let signature = Some(SignatureView::of(messages, certificate)?);
        Ok(Self { signature, ..Self::of_kind(&"signature") })
    }

    fn of_attestations(json: &[u8], certificate: Option<&Certificate>) -> Result<Self> {
        let kernels = Attestations::from_json(json)?.kernels.into_iter();
        let view = |kernel: KernelAttestation| {
            let build_id = kernel.build_id;
            KernelView::of(kernel, certificate).with_context(|| format!("kernel {build_id}"))
        };
        let kernels = kernels.map(view).collect::<Result<_>>()?;
        Ok(Self { kernels, ..Self::of_kind(&"attestations") })
    }

    fn of_file(artifact: &Artifact, bytes: &[u8], certificate: Option<&Certificate>) -> Result<Self> {
        let mut programs = artifact.programs().iter().cloned();
        let entries = artifact.entries().into_iter();
        let binds = entries.map(|entry| Bound {
            kind: entry.kind.to_string(),
            digest: entry.digest.to_string(),
            program: programs.next(),
        });
        let signature = match artifact {
            Artifact::PeImage(_) => SignatureView::of_image(bytes)?,
            Artifact::LinuxObject { .. } | Artifact::MapsOnly(_) | Artifact::WindowsObject(_) => {
                match embed::signature(bytes) {
                    Some(signature) => Some(SignatureView::of(&signature::read(signature)?, certificate)?),
                    None => None,
                }
            }
            Artifact::File(_) => None,
        };
        let remarks = artifact.remarks().iter().map(ToString::to_string).collect();
        Ok(Self { remarks, binds: binds.collect(), signature, ..Self::of_kind(artifact) })
    }
}

impl KernelView {
    fn of(kernel: KernelAttestation, certificate: Option<&Certificate>) -> Result<Self> {
        let message = Message::parse(&kernel.message)?;
        let content = message.content().context("the message has no statement")?;
        let statement = Statement::decode(content)?;
        let view = |program: AttestedProgram| {
            Ok(AttestedView {
                attested: statement.lists(&program.attestation().entry()),
                facts: Facts::decode(&program.facts).with_context(|| program.name.clone())?,
                name: program.name,
                manifest: program.manifest,
            })
        };
        Ok(Self {
            build_id: kernel.build_id,
            release: kernel.release,
            signature: SignatureView::of(&[message], certificate)?,
            programs: kernel.programs.into_iter().map(view).collect::<Result<_>>()?,
        })
    }
}

impl SignatureView {
    /// Of messages, of which there is at least one.
    fn of(messages: &[Message], certificate: Option<&Certificate>) -> Result<Self> {
        let message = &messages[0];
        let signers = certificate.filter(|certificate| certificate.subject_key_id() == message.signer());
        let statement = signature::content(messages)?.as_ref().map(StatementView::of);
        Ok(Self {
            format: match (&statement, messages) {
                (None, _) => "CMS, detached".to_owned(),
                (Some(_), [_]) => "CMS, attached statement".to_owned(),
                (Some(_), _) => format!("{} CMS messages, attached statements", messages.len()),
            },
            signer: message.signer().to_string(),
            algorithm: message.algorithm(),
            certificate: signers.map(CertificateView::of),
            statement,
        })
    }

    fn of_image(file: &[u8]) -> Result<Option<Self>> {
        let signature = match authenticode::Signature::read(&Image::parse(file)?) {
            Err(AuthenticodeError::Unsigned) => return Ok(None),
            signature => signature?,
        };
        let signer = signature.signer();
        Ok(Some(Self {
            format: "Authenticode".to_owned(),
            signer: signer.subject_key_id().to_string(),
            algorithm: format!("{} with SHA-256", signer.public_key()),
            certificate: Some(CertificateView::of(signer)),
            statement: None,
        }))
    }
}

impl CertificateView {
    fn of(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            key: certificate.public_key().to_string(),
            not_before: date(certificate.not_before()),
            not_after: date(certificate.not_after()),
        }
    }
}

impl StatementView {
    fn of(statement: &Statement) -> Self {
        let expires = UNIX_EPOCH.checked_add(Duration::from_secs(statement.expiry));
        Self {
            expires: expires.filter(|_| statement.expiry != 0).map(date),
            entries: statement
                .entries
                .iter()
                .map(|entry| Bound {
                    kind: entry.kind.to_string(),
                    digest: entry.digest.to_string(),
                    program: None,
                })
                .collect(),
        }
    }
}

/// RFC 3339; beyond the year 9999, seconds since the epoch.
fn date(time: SystemTime) -> String {
    let mut text = String::new();
    match write!(text, "{}", humantime::format_rfc3339_seconds(time)) {
        Ok(()) => text,
        Err(_) => time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string(),
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<11}{}", "kind", self.kind)?;
        for remark in &self.remarks {
            writeln!(f, "{:<11}{remark}", "note")?;
        }
        for bound in &self.binds {
            write!(f, "{bound}")?;
        }
        if let Some(signature) = &self.signature {
            write!(f, "{signature}")?;
        }
        self.kernels.iter().try_for_each(|kernel| write!(f, "{kernel}"))
    }
}

impl fmt::Display for KernelView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<11}{}", "kernel", self.release)?;
        writeln!(f, "{:<11}{}", "build id", self.build_id)?;
        write!(f, "{}", self.signature)?;
        for AttestedView { name, manifest, attested, facts } in &self.programs {
            let note = if *attested { "" } else { ": NOT ATTESTED" };
            writeln!(f, "{manifest}  program {name}{note}")?;
            writeln!(f, "{facts}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SignatureView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut field = |name: &str, value: &str| writeln!(f, "{name:<11}{value}");
        field("signature", &self.format)?;
        field("signer", &self.signer)?;
        field("algorithm", &self.algorithm)?;
        if let Some(certificate) = &self.certificate {
            field("subject", &certificate.subject)?;
            field("issuer", &certificate.issuer)?;
            field("key", &certificate.key)?;
            field("valid from", &certificate.not_before)?;
            field("valid to", &certificate.not_after)?;
        }
        let Some(statement) = &self.statement else { return Ok(()) };
        field("expires", statement.expires.as_deref().unwrap_or("never"))?;
        statement.entries.iter().try_for_each(|bound| write!(f, "{bound}"))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Some(program) => {
                writeln!(f, "{}  {} {}", self.digest, self.kind, program.whole_name())?;
                writeln!(f, "{}", program.manifest())
            }
            None => writeln!(f, "{}  {}", self.digest, self.kind),
        }
    }
}
