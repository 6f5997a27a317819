//! Files that a signature can be in.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bpfsig_signing::cms::Message;
use bpfsig_signing::package::{self, SignedPackage};
use bpfsig_signing::{embed, pe, signature};

use crate::files;

/// A file with a signature.
pub enum Signed {
    /// A signature alone. It may turn out to be something else.
    Alone(Vec<u8>),
    /// An eBPF object, with the signature in it.
    Object(Vec<u8>),
    Package(Box<SignedPackage>),
}

impl Signed {
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        ensure!(
            !pe::is_pe(&bytes),
            "{}: bpfsig gives no timestamps to Authenticode signatures; `osslsigncode add -ts URL` does, for Windows to check",
            path.display()
        );
        Ok(if package::is_archive(&bytes) {
            let package = SignedPackage::read(&bytes).with_context(|| path.display().to_string())?;
            Signed::Package(Box::new(package))
        } else if embed::signature(&bytes).is_some() {
            Signed::Object(bytes)
        } else {
            Signed::Alone(bytes)
        })
    }

    /// The CMS message, or several.
    pub fn signature(&self) -> &[u8] {
        match self {
            Signed::Alone(signature) => signature,
            Signed::Object(bytes) => embed::signature(bytes).unwrap_or_default(),
            Signed::Package(package) => package.signature(),
        }
    }

    pub fn messages(&self) -> Result<Vec<Message>> {
        signature::read(self.signature())
            .context("neither a signature (.p7s) nor an eBPF object with one in it, nor a package")
    }

    /// The file with another signature.
    pub fn with_signature(self, signature: Vec<u8>) -> Result<Vec<u8>> {
        Ok(match self {
            Signed::Alone(_) => signature,
            Signed::Object(bytes) => {
                embed::write(&bytes, &signature, embed::descriptions(&bytes).unwrap_or_default())?
            }
            Signed::Package(package) => package.with_signature(signature)?,
        })
    }
}
