//! Who signs: a key in a file, in a PKCS#11 token or behind a command, and its certificate.

use std::env::{self, VarError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use bpfsig_signing::Error;
use bpfsig_signing::certificate::{Certificate, Signer};
use bpfsig_signing::key::{
    CommandKey, Pkcs11Uri, PrivateKey, PublicKey, SigningKey, TokenKey, token_certificate,
};
use clap::Args;
use zeroize::Zeroizing;

use super::files;
use crate::interrupt::Interrupted;

/// Environment variable with the passphrase or PIN of a key, as for the kernel's `sign-file`.
const PASSPHRASE: &str = "KBUILD_SIGN_PIN";

/// Who signs
#[derive(Args)]
pub struct SignerOptions {
    #[command(flatten)]
    key: KeyOptions,

    /// The key's certificate: a file (PEM or DER), or a `pkcs11:` URI
    #[arg(long, value_name = "FILE|URI")]
    cert: PathBuf,
}

/// Where the private key is.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct KeyOptions {
    /// Private key: a file (PKCS#8, PKCS#1 or SEC1) or `pkcs11:token=...;object=...?module-path=...`. The passphrase or
    /// PIN is taken from KBUILD_SIGN_PIN or asked for
    #[arg(long, value_name = "FILE|URI")]
    key: Option<PathBuf>,

    /// Command that signs: reads the 32 bytes of a SHA-256 digest, writes the signature (RSA PKCS#1 v1.5, or ECDSA in DER).
    /// For ML-DSA, it reads the message itself
    #[arg(long, value_name = "COMMAND")]
    signer_command: Option<String>,
}

impl SignerOptions {
    /// The signer that the options name, and the certificates after its own in the same file.
    pub fn signer_and_intermediates(&self) -> Result<(Signer, Vec<Certificate>)> {
        let signer = self.signer()?;
        Ok((signer, certificates(&self.cert)?.split_off(1)))
    }

    /// The signer that the options name.
    pub fn signer(&self) -> Result<Signer> {
        let certificate = || Ok(certificates(&self.cert)?.swap_remove(0));
        match (&self.key.key, &self.key.signer_command) {
            (Some(location), _) => together(location, &self.cert, certificate, "--key and --cert"),
            (None, Some(command)) => {
                let certificate = certificate()?;
                let key = command_key(command, certificate.public_key().clone())?;
                Signer::new(key, certificate).with_context(|| name(&self.cert))
            }
            (None, None) => bail!("no key"),
        }
    }
}

/// The certificates in a file, or the one in a PKCS#11 token.
fn certificates(location: &Path) -> Result<Vec<Certificate>> {
    let Some(uri) = token_uri(location) else { return files::certificates(location) };
    // The rest of the URI may contain the PIN.
    let name = uri.split('?').next().unwrap_or(uri);
    let uri: Pkcs11Uri = uri.parse()?;
    let der = with_passphrase(&format!("PIN of {name}"), |pin| token_certificate(&uri, pin));
    let certificate = der.and_then(|der| Ok(Certificate::read(&der)?));
    Ok(vec![certificate.with_context(|| name.to_owned())?])
}

/// The CA with this key and this certificate.
pub fn ca(location: &Path, certificate: &Path) -> Result<Signer> {
    together(location, certificate, || files::certificate(certificate), "--ca-key and --ca-cert")
}

/// The signer with a key and the certificate that is read from a place. `options` say where they are.
fn together(
    location: &Path,
    place: &Path,
    certificate: impl FnOnce() -> Result<Certificate>,
    options: &str,
) -> Result<Signer> {
    // The certificate first: no passphrase is asked for in vain.
    let read = certificate().and_then(|certificate| Ok((key(location)?, certificate)));
    let (key, certificate) = read.map_err(|error| swapped(error, options))?;
    Signer::new(key, certificate).with_context(|| format!("{} and {}", name(location), name(place)))
}

/// Asks whether two options are mixed up, if the file of one holds what the other needs.
fn swapped(error: anyhow::Error, options: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(Error::Holds {
            found: "a certificate" | "a private key",
            needed: "a certificate" | "a private key",
        }) => anyhow!("{error:#}: did you swap {options}?"),
        _ => error,
    }
}

/// A place as messages name it: the rest of a `pkcs11:` URI may contain the PIN.
fn name(location: &Path) -> String {
    let name = location.display().to_string();
    match token_uri(location) {
        Some(_) => name.split('?').next().unwrap_or_default().to_owned(),
        None => name,
    }
}

/// The private key in a file or in a PKCS#11 token.
pub fn key(location: &Path) -> Result<Box<dyn SigningKey>> {
    match token_uri(location) {
        Some(uri) => {
            // The rest of the URI may contain the PIN.
            let name = uri.split('?').next().unwrap_or(uri);
            let uri: Pkcs11Uri = uri.parse()?;
            let key = with_passphrase(&format!("PIN of {name}"), |pin| TokenKey::open(&uri, pin));
            Ok(Box::new(key.with_context(|| name.to_owned())?))
        }
        None => {
            let name = location.display();
            let file = Zeroizing::new(files::read(location)?);
            let key = with_passphrase(&format!("Passphrase of {name}"), |passphrase| {
                PrivateKey::read(&file, passphrase)
            });
            Ok(Box::new(key.with_context(|| name.to_string())?))
        }
    }
}

/// The private key that a command signs with.
pub fn command_key(command: &str, public: PublicKey) -> Result<Box<dyn SigningKey>> {
    let words = shell_words::split(command).with_context(|| format!("signer command `{command}`"))?;
    let (program, arguments) = words.split_first().context("the signer command is empty")?;
    Ok(Box::new(CommandKey::new(program, arguments, public)))
}

/// The `pkcs11:` URI, if the location of a key is one.
pub fn token_uri(location: &Path) -> Option<&str> {
    location.to_str().filter(|text| text.starts_with(Pkcs11Uri::SCHEME))
}

/// Opens a key; if it needs a passphrase, with the one in the environment, or else the one that is typed.
fn with_passphrase<T>(prompt: &str, open: impl Fn(Option<&str>) -> Result<T, Error>) -> Result<T> {
    match open(None) {
        Err(Error::KeyEncrypted | Error::TokenPin) => match env::var(PASSPHRASE) {
            Ok(passphrase) => {
                let passphrase = Zeroizing::new(passphrase);
                open(Some(&passphrase)).map_err(|error| match error {
                    Error::KeyPassphrase(_) | Error::TokenLogin(_) => anyhow::Error::from(error)
                        .context(format!("the passphrase or PIN in {PASSPHRASE} is wrong")),
                    error => error.into(),
                })
            }
            Err(VarError::NotUnicode(_)) => bail!("{PASSPHRASE} is not UTF-8"),
            Err(VarError::NotPresent) => Ok(open(Some(&ask(prompt)?))?),
        },
        result => Ok(result?),
    }
}

/// What is typed at the terminal.
fn ask(prompt: &str) -> Result<Zeroizing<String>> {
    match rpassword::prompt_password(format!("{prompt}: ")) {
        Ok(passphrase) => Ok(Zeroizing::new(passphrase)),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(Interrupted.into()),
        Err(error) => Err(error).with_context(|| format!("no terminal to ask for it; set {PASSPHRASE}")),
    }
}
