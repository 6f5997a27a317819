//! `bpfsig trust list`, `bpfsig trust add` and `bpfsig trust revoke`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Error, Result, bail, ensure};
use bpfsig_loading::keyring::{self, ATTESTERS, Key, KeyState, Keyring};
use bpfsig_loading::{self as bpf, Attested, Origin, Signature};
use bpfsig_signing::certificate::Purpose;
use bpfsig_signing::trust::{self, ExpectedUsage};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{listing, ps};
use crate::files;
use crate::keygen::PenOptions;

/// Whom the kernel trusts to sign programs
#[derive(Subcommand)]
pub enum Command {
    /// Show the keys in the system's keyrings
    ///
    /// Where the kernel does not check signatures of programs, they are trusted for other things only, and this fails.
    List(ListOptions),
    /// Trust a signer whose certificate a builtin or secondary key has issued, until it expires
    Add {
        /// The signer's certificate
        cert: PathBuf,

        /// Trust the signer to attest what the verifier learned about programs, instead of to sign programs
        #[arg(long)]
        attester: bool,

        #[command(flatten)]
        pen: PenOptions,
    },
    /// Stop trusting a signer or an attester who has been added
    Revoke {
        /// The subject key identifier, or a unique prefix of it
        #[arg(value_name = "KEYID")]
        key_id: String,
    },
}

#[derive(Args)]
pub struct ListOptions {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A trusted key.
#[derive(Serialize)]
struct Trusted {
    keyring: String,
    #[serde(flatten)]
    key: Key,
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => list(&options),
        Command::Add { cert, attester: false, pen } => add(&cert, Purpose::Program, &pen, signers()?),
        Command::Add { cert, attester: true, pen } => add(&cert, Purpose::Attestation, &pen, attesters()?),
        Command::Revoke { key_id } => revoke(&key_id.to_ascii_lowercase()),
    }
}

fn list(options: &ListOptions) -> Result<()> {
    let trusted = trusted()?;
    listing::print(options.json, &trusted, ["keyring", "key", "state", "subject"], |trusted| {
        let Trusted { keyring, key } = trusted;
        [keyring.clone(), key.id.clone(), key.state.to_string(), key.subject.clone()]
    })?;
    // The keys are there all the same, but trusted to sign something else.
    Ok(bpf::demand_signatures()?)
}

/// What the kernel calls the keyring of signers that root adds keys to.
const SIGNERS: &str = ".bpf";

/// What `trust list` calls the keyring of attesters.
const ATTESTER: &str = "attester";

/// All keys of the system's keyrings.
fn trusted() -> Result<Vec<Trusted>> {
    let of_signers = Keyring::SYSTEM.into_iter().map(|keyring| (keyring.to_string(), keyring.system_name()));
    let keyrings = of_signers.chain([(ATTESTER.to_owned(), Some(ATTESTERS))]);
    let mut seen = false;
    let mut trusted = Vec::new();
    for (name, system_name) in keyrings {
        let system_name = system_name.unwrap_or_default();
        let Some(serial) = keyring::find(system_name)? else { continue };
        seen = true;
        let keys = keyring::keys(serial).with_context(|| system_name.to_owned())?;
        trusted.extend(keys.into_iter().map(|key| Trusted { keyring: name.clone(), key }));
    }
    ensure!(seen, "no system keyring is visible: run as root");
    Ok(trusted)
}

/// The keyring of signers.
fn signers() -> Result<i32> {
    bpf::demand_signatures()?;
    keyring::find(SIGNERS)?.context("there is no keyring .bpf to be seen: this takes root")
}

/// The keyring of attesters.
fn attesters() -> Result<i32> {
    bpf::demand_signatures()?;
    keyring::find(ATTESTERS)?.context(
        "there is no keyring .bpf_attest to be seen: this takes root, and a kernel that takes attested facts",
    )
}

fn add(path: &Path, purpose: Purpose, pen: &PenOptions, keyring: i32) -> Result<()> {
    let certificate = files::certificate(path)?;
    let now = SystemTime::now();
    trust::check(&certificate, &ExpectedUsage::new(purpose, pen.pen), now)
        .and_then(|()| trust::check_algorithm(&certificate))
        .with_context(|| path.display().to_string())?;
    let not_after = certificate.not_after();
    let left = not_after.duration_since(now).unwrap_or_default();

    let key = keyring::add_key(c"asymmetric", certificate.to_der(), keyring).map_err(|error| {
        let reason = match error.raw_os_error() {
            Some(libc::ENOKEY | libc::EKEYREJECTED) => {
                "no builtin or secondary key has issued this certificate, or the issuer has been revoked"
            }
            _ => "the kernel does not take it",
        };
        Error::new(error).context(format!("{}: {reason}", path.display()))
    })?;
    // The kernel does not look at the dates in a certificate.
    let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1);
    let limited = keyring::possess(keyring).and_then(|()| keyring::expire_in(key, seconds));
    if let Err(error) = limited {
        keyring::unlink(key, keyring).context("taking the key back")?;
        return Err(error).context("limiting the key to the time of its certificate");
    }
    println!(
        "{} is trusted until {}",
        certificate.subject_key_id(),
        humantime::format_rfc3339_seconds(not_after)
    );
    Ok(())
}

fn revoke(key_id: &str) -> Result<()> {
    let mut usable = keys_in(signers()?)?;
    if let Some(attesters) = keyring::find(ATTESTERS)? {
        usable.extend(keys_in(attesters)?);
    }
    usable.retain(|(_, key)| key.state != KeyState::Revoked && key.id.starts_with(key_id));
    let Some((_, key)) = usable.first() else { return Err(not_a_signer(key_id)?) };
    // One key may be in both keyrings.
    if usable.iter().any(|(_, other)| other.id != key.id) {
        bail!("several keys begin with {key_id}: give more of the identifier");
    }
    for (keyring, key) in &usable {
        take_away(key, *keyring).with_context(|| format!("revoking {}", key.id))?;
    }
    println!("{} ({}) is not trusted any more", key.id, key.subject);
    ps::print_loaded(
        "Still loaded:",
        |program| matches!(&program.origin, Some(Origin::Verified(signature)) if is_by(key, signature)),
    )
}

/// The keys in a keyring that root adds keys to, with the keyring.
fn keys_in(keyring: i32) -> Result<Vec<(i32, Key)>> {
    Ok(keyring::keys(keyring)?.into_iter().map(|key| (keyring, key)).collect())
}

fn take_away(key: &Key, keyring: i32) -> io::Result<()> {
    keyring::possess(keyring).and_then(|()| keyring::revoke(key.serial)).or_else(|error| {
        match error.raw_os_error() {
            // Whoever has added the key has kept the right to revoke it.
            Some(libc::EACCES) => keyring::unlink(key.serial, keyring),
            _ => Err(error),
        }
    })
}

/// Whether a key has signed a program, or attested what the verifier learned about it.
fn is_by(key: &Key, signature: &Signature) -> bool {
    let attester = match &signature.attested {
        Attested::Attested { attester } => Some(attester),
        _ => None,
    };
    attester.into_iter().chain([&signature.signer]).any(|id| key.is(&id.to_string()))
}

/// Why no key that can be revoked is meant by an identifier.
fn not_a_signer(key_id: &str) -> Result<Error> {
    let elsewhere = trusted()?.into_iter().find(|trusted| trusted.key.id.starts_with(key_id));
    Ok(match elsewhere {
        Some(Trusted { key, keyring }) if [&*Keyring::BPF.to_string(), ATTESTER].contains(&&*keyring) => {
            Error::msg(format!("{} has been revoked before", key.id))
        }
        Some(Trusted { key, keyring }) => {
            Error::msg(format!("{} is a {keyring} key, which only a reboot can take away", key.id))
        }
        None => Error::new(io::Error::from(io::ErrorKind::NotFound))
            .context(format!("no trusted key begins with {key_id}")),
    })
}
