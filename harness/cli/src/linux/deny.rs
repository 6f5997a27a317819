//! `bpfsig deny`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bpfsig_loading::keyring;
use bpfsig_loading::{self as bpf, Origin, Signature};
use bpfsig_signing::artifact::Platform;
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::cms;
use bpfsig_signing::description::from_json;
use clap::Args;

use super::ps;
use crate::files;
use crate::signature::FoundSignature;
use crate::signer::SignerOptions;

/// Have the kernel refuse programs from now on, whoever has signed them
///
/// It lasts until the next boot. Programs that are loaded stay. The signer's certificate must be built into the kernel.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    signer: SignerOptions,

    /// Digests of manifests, as `inspect` and `ps --json` show them, or objects, for all of their programs
    #[arg(required = true, value_name = "DIGEST|OBJ")]
    programs: Vec<String>,
}

pub fn run(options: Options) -> Result<()> {
    // Others keep a blacklist, too, and would look for no program in it.
    bpf::demand_signatures()?;
    let signer = options.signer.signer()?;
    // A typing error in the last one is to be known before the first one is refused.
    let mut denied = Vec::new();
    for program in &options.programs {
        denied.extend(digests(program)?);
    }
    for (digest, name) in &denied {
        deny(digest, &signer)?;
        println!("{digest}  {name}: denied");
    }
    ps::print_loaded("Still loaded:", |program| {
        let Some(Origin::Verified(Signature { program, .. })) = &program.origin else { return false };
        denied.iter().any(|(digest, _)| *digest == program.to_string())
    })
}

/// The digests that an argument stands for, with a name for each.
fn digests(argument: &str) -> Result<Vec<(String, String)>> {
    if argument.len() == 64 && argument.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(vec![(argument.to_ascii_lowercase(), "program".to_owned())]);
    }
    let path = Path::new(argument);
    ensure!(path.exists(), "{argument}: neither a SHA-256 digest (64 hexadecimal digits) nor a file");
    let file = files::read(path)?;
    let artifact = files::artifact(&file, Some(Platform::Linux), &choices(path, &file)?)
        .with_context(|| path.display().to_string())?;
    ensure!(!artifact.programs().is_empty(), "{argument}: a {artifact} has no programs for this kernel");
    let programs = artifact.programs().iter();
    Ok(programs
        .map(|program| (program.digest().to_string(), format!("{argument}: {}", program.whole_name())))
        .collect())
}

/// What the signer has said about an object, if it is signed.
fn choices(path: &Path, file: &[u8]) -> Result<Choices> {
    let found = FoundSignature::of(path, file, None)?;
    let descriptions = found.map(|found| from_json(&found.descriptions).unwrap_or_default());
    Ok(descriptions.unwrap_or_default().choices)
}

fn deny(digest: &str, signer: &Signer) -> Result<()> {
    if keyring::is_denied(digest)? {
        return Ok(());
    }
    let signature = cms::sign_detached(keyring::denial(digest).as_bytes(), signer)?;
    keyring::deny(digest, &signature).with_context(|| {
        format!(
            "the kernel does not take the denial: that takes root, a kernel with \
             CONFIG_SYSTEM_BLACKLIST_AUTH_UPDATE, and a key that is built into it, which {} may not be",
            signer.certificate().subject_key_id()
        )
    })
}
