//! `bpfsig inspect`.

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::authenticode::{self, AuthenticodeError};
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::Message;
use bpfsig_signing::description::Description;
use bpfsig_signing::embed;
use bpfsig_signing::pe::Image;
use bpfsig_signing::statement::Statement;
use clap::Args;
use serde::Serialize;

use super::files;
use super::sign::PlatformOption;

/// Show what a signature vouches for, or what a signature of a file would bind
///
/// Nothing is verified.
#[derive(Args)]
pub struct Options {
    /// A signature (.p7s), or a file that can be signed
    file: PathBuf,

    /// Show this certificate too, if it is the signer's
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    #[command(flatten)]
    platform: PlatformOption,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(options: Options) -> Result<()> {
    let bytes = files::read(&options.file)?;
    let certificate = options.cert.as_deref().map(files::certificate).transpose()?;
    let view = match Message::parse(&bytes) {
        Ok(message) => View::of_message(&message, certificate.as_ref()),
        Err(_) => {
            let artifact = files::artifact(&options.file, &bytes, options.platform.platform)?;
            View::of_file(&artifact, &bytes, certificate.as_ref())
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

/// All that there is to say.
#[derive(Serialize)]
struct View {
    /// What the file is.
    kind: String,
    /// What a signature of the file would bind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    binds: Vec<Bound>,
    /// The signature that the file is, or that is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<SignatureView>,
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
    format: &'static str,
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
    fn of_message(message: &Message, certificate: Option<&Certificate>) -> Result<Self> {
        let signature = Some(SignatureView::of_message(message, certificate)?);
        Ok(Self { kind: "signature".to_owned(), binds: Vec::new(), signature })
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
            Artifact::LinuxObject(_) | Artifact::WindowsObject(_) => match embed::signature(bytes) {
                Some(message) => Some(SignatureView::of_message(&Message::parse(message)?, certificate)?),
                None => None,
            },
            Artifact::File(_) => None,
        };
        Ok(Self { kind: artifact.to_string(), binds: binds.collect(), signature })
    }
}

impl SignatureView {
    fn of_message(message: &Message, certificate: Option<&Certificate>) -> Result<Self> {
        let signers = certificate.filter(|certificate| certificate.subject_key_id() == message.signer());
        let statement = match message.content() {
            Some(content) => Some(StatementView::of(&Statement::decode(content)?)),
            None => None,
        };
        Ok(Self {
            format: if statement.is_some() { "CMS, attached statement" } else { "CMS, detached" },
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
            format: "Authenticode",
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
        for bound in &self.binds {
            write!(f, "{bound}")?;
        }
        let Some(signature) = &self.signature else { return Ok(()) };
        let mut field = |name: &str, value: &str| writeln!(f, "{name:<11}{value}");
        field("signature", signature.format)?;
        field("signer", &signature.signer)?;
        field("algorithm", &signature.algorithm)?;
        if let Some(certificate) = &signature.certificate {
            field("subject", &certificate.subject)?;
            field("issuer", &certificate.issuer)?;
            field("key", &certificate.key)?;
            field("valid from", &certificate.not_before)?;
            field("valid to", &certificate.not_after)?;
        }
        let Some(statement) = &signature.statement else { return Ok(()) };
        field("expires", statement.expires.as_deref().unwrap_or("never"))?;
        statement.entries.iter().try_for_each(|bound| write!(f, "{bound}"))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Some(program) => {
                writeln!(f, "{}  {} {}", self.digest, self.kind, program.name)?;
                writeln!(f, "{}", program.manifest())
            }
            None => writeln!(f, "{}  {}", self.digest, self.kind),
        }
    }
}
