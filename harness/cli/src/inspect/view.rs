//! What `inspect` shows, also as JSON.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bpfsig_signing::Digest;
use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::attestation::{Attestations, AttestedProgram, KernelAttestation};
use bpfsig_signing::authenticode::{self, AuthenticodeError};
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::Message;
use bpfsig_signing::description::Description;
use bpfsig_signing::embed;
use bpfsig_signing::facts::{BuildId, Facts};
use bpfsig_signing::pe::Image;
use bpfsig_signing::signature;
use bpfsig_signing::statement::Statement;
use bpfsig_signing::timestamp::Timestamp;
use serde::Serialize;

use super::package::PackageView;

/// Everything that is shown.
#[derive(Serialize)]
pub struct View {
    /// What the file is.
    pub kind: String,
    /// Remarks for whoever signs it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What a signature of the file would cover.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<Bound>,
    /// The signature that the file is, or that is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureView>,
    /// What is attested, for each kernel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<KernelView>,
    /// What is in a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageView>,
}

#[derive(Serialize)]
pub struct KernelView {
    pub build_id: BuildId,
    pub release: String,
    pub signature: SignatureView,
    pub programs: Vec<AttestedView>,
}

#[derive(Serialize)]
pub struct AttestedView {
    pub name: String,
    pub manifest: Digest,
    /// Whether the statement lists these facts about this program.
    pub attested: bool,
    pub facts: Facts,
}

#[derive(Serialize)]
pub struct Bound {
    pub kind: String,
    pub digest: String,
    /// What a package calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Description>,
}

#[derive(Serialize)]
pub struct SignatureView {
    pub format: String,
    /// Subject key identifier.
    pub signer: String,
    pub algorithm: String,
    /// Those that are there, one for each message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timestamps: Vec<TimestampView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<StatementView>,
}

#[derive(Serialize)]
pub struct TimestampView {
    pub time: String,
    /// The subject of its certificate.
    pub authority: String,
}

#[derive(Serialize)]
pub struct CertificateView {
    pub subject: String,
    pub issuer: String,
    pub key: String,
    pub not_before: String,
    pub not_after: String,
}

#[derive(Serialize)]
pub struct StatementView {
    /// `None`: never.
    pub expires: Option<String>,
    pub entries: Vec<Bound>,
}

impl View {
    pub fn of_kind(kind: &impl ToString) -> Self {
        let kind = kind.to_string();
        let (remarks, binds, kernels) = Default::default();
        Self { kind, remarks, binds, signature: None, kernels, package: None }
    }

    pub fn of_signature(messages: &[Message], certificate: Option<&Certificate>) -> Result<Self> {
        let signature = Some(SignatureView::of(messages, certificate)?);
        Ok(Self { signature, ..Self::of_kind(&"signature") })
    }

    pub fn of_attestations(json: &[u8], certificate: Option<&Certificate>) -> Result<Self> {
        let kernels = Attestations::from_json(json)?.kernels.into_iter();
        let view = |kernel: KernelAttestation| {
            let build_id = kernel.build_id;
            KernelView::of(kernel, certificate).with_context(|| format!("kernel {build_id}"))
        };
        let kernels = kernels.map(view).collect::<Result<_>>()?;
        Ok(Self { kernels, ..Self::of_kind(&"attestations") })
    }

    pub fn of_file(artifact: &Artifact, bytes: &[u8], certificate: Option<&Certificate>) -> Result<Self> {
        let mut programs = artifact.programs().iter().cloned();
        let entries = artifact.entries().into_iter();
        let binds = entries.map(|entry| Bound {
            kind: entry.kind.to_string(),
            digest: entry.digest.to_string(),
            name: None,
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
            Artifact::File { .. } => None,
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
    /// Of at least one message.
    pub fn of(messages: &[Message], certificate: Option<&Certificate>) -> Result<Self> {
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
            timestamps: messages
                .iter()
                .filter_map(Message::timestamp)
                .map(TimestampView::of)
                .collect::<Result<_>>()?,
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
            timestamps: Vec::new(),
            certificate: Some(CertificateView::of(signer)),
            statement: None,
        }))
    }
}

impl TimestampView {
    fn of(token: &[u8]) -> Result<Self> {
        let timestamp = Timestamp::parse(token)?;
        Ok(Self { time: date(timestamp.time()), authority: timestamp.authority().subject() })
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
                    name: None,
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
