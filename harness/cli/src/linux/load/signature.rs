//! The signature of an object that is loaded.

use std::path::Path;

use anyhow::{Context, Result, bail};
use bpfsig_loading as bpf;
use bpfsig_loading::keyring::Keyring;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::{Description, from_json};
use bpfsig_signing::object::Object;
use bpfsig_signing::signature;

use crate::linux::keyrings;
use crate::signature::FoundSignature;
use crate::{sign, verify};

/// The signature of an object, and what is known about what was signed.
pub struct Signature {
    /// A CMS message, or several.
    pub bytes: Vec<u8>,
    /// The signer's key.
    pub signer: String,
    /// Descriptions of programs, as far as the statement lists them.
    signed: Vec<Description>,
}

impl Signature {
    /// The signature of an object, and what its signer has said about the object.
    pub fn find(path: &Path, object: &[u8], given: Option<&Path>) -> Result<(Self, Choices)> {
        let found = FoundSignature::of(path, object, given)?;
        let Some(FoundSignature { signature: bytes, descriptions, place }) = found else {
            // If it is not an object, signing it would not help.
            Object::parse(object).with_context(|| path.display().to_string())?;
            bail!(
                "{}: no signature in it and no {}: `bpfsig sign` makes one",
                path.display(),
                sign::signature_path(path).display()
            )
        };
        let messages = signature::read(&bytes).context(place).with_context(|| path.display().to_string())?;
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
    /// `keyring` is where the kernel has looked for the signer.
    pub fn explain(&self, error: bpf::Error, keyring: Keyring) -> anyhow::Error {
        let Some(refused) = error.refused() else { return error.into() };
        let mut lines = vec![error.to_string()];
        if refused.reason().is_some_and(|reason| reason != refused.log.trim_end()) {
            lines.push(refused.log.trim_end().to_owned());
        }
        lines.extend(keyrings::unknown_signer(&error, keyring, &self.signer));
        let differences = Description::of(&refused.as_loaded).ok().and_then(|program| {
            program.counterpart(&self.signed).map(|counterpart| program.differences(counterpart))
        });
        let differences = differences.unwrap_or_default();
        if !differences.is_empty() {
            lines.push("It is not what was signed:".to_owned());
        }
        lines.extend(differences.iter().map(|difference| format!("  {difference}")));
        anyhow::Error::msg(lines.join("\n"))
    }
}
