//! Finds the signature of a file, and the descriptions of what was signed.

use std::fs;
use std::path::Path;

use anyhow::Result;
use bpfsig_signing::embed;

use super::{files, sign};

/// A signature that has been found. Nothing of it has been checked.
pub struct FoundSignature {
    /// The CMS message, or several (see [`bpfsig_signing::signature`]).
    pub signature: Vec<u8>,
    /// Descriptions of the programs that were signed, as JSON; empty if there are none.
    pub descriptions: Vec<u8>,
    /// The file or the section that it is in, for messages.
    pub place: String,
}

impl FoundSignature {
    /// The signature of the file at `path` with these `bytes`: the one that is `given`, or else the one beside the file,
    /// or else the one inside of it; none if there is none.
    ///
    /// # Errors
    /// It can't be read.
    pub fn of(path: &Path, bytes: &[u8], given: Option<&Path>) -> Result<Option<Self>> {
        let beside = sign::signature_path(path);
        if let Some(file) = given.or_else(|| beside.exists().then_some(&*beside)) {
            return Ok(Some(Self {
                signature: files::read(file)?,
                descriptions: fs::read(sign::descriptions_path(file)).unwrap_or_default(),
                place: file.display().to_string(),
            }));
        }
        Ok(embed::signature(bytes).map(|signature| Self {
            signature: signature.to_vec(),
            descriptions: embed::descriptions(bytes).unwrap_or_default().to_vec(),
            place: format!("section {}", embed::SIGNATURE),
        }))
    }
}
