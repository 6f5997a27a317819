//! `bpfsig inspect`.

mod package;
mod text;
mod view;

use std::path::PathBuf;

use anyhow::{Context, Result};
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::package::{SignedPackage, is_archive};
use bpfsig_signing::{attestation, signature};
use clap::Args;

use self::view::View;
use super::files;
use super::sign::{ChoiceOptions, PlatformOption};

/// Show what a signature covers, or what a signature of a file would cover
///
/// Nothing is verified.
#[derive(Args)]
pub struct Options {
    /// A signature (.p7s), attestations (.attest), a package, or a file that can be signed
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
    // It would pass for any file that can be signed.
    let is_signature = options.file.extension().is_some_and(|extension| extension == "p7s");
    let view = match signature::read(&bytes) {
        Ok(messages) => View::of_signature(&messages, certificate.as_ref()),
        Err(error) if is_signature => Err(error.into()),
        Err(_) if is_attestations => View::of_attestations(&bytes, certificate.as_ref()),
        Err(_) => match SignedPackage::read(&bytes) {
            Ok(package) => View::of_package(package, certificate.as_ref()),
            Err(reason) => options.view_of_file(&bytes, certificate.as_ref()).map(|mut view| {
                if is_archive(&bytes) {
                    view.remarks.push(format!("not a signed package: {reason}"));
                }
                view
            }),
        },
    };
    let view = view.with_context(|| options.file.display().to_string())?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&view)?);
    } else {
        print!("{view}");
    }
    Ok(())
}

impl Options {
    fn view_of_file(&self, file: &[u8], certificate: Option<&Certificate>) -> Result<View> {
        let artifact = files::artifact(file, self.platform.platform, &self.choices.choices())?;
        self.choices.check(&[(file, &artifact)])?;
        View::of_file(&artifact, file, certificate)
    }
}
