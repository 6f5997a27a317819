//! A signer: a private key and its certificate.

use std::sync::Arc;

use super::Certificate;
use crate::key::{self, SigningKey};
use crate::{Error, Result};

/// A private key and its certificate.
#[derive(Clone, Debug)]
pub struct Signer {
    key: Arc<dyn SigningKey>,
    certificate: Certificate,
}

impl Signer {
    /// Puts a key and its certificate together.
    ///
    /// # Errors
    ///
    /// [`Error::CertificateMismatch`] if they don't belong together.
    pub fn new(key: impl SigningKey + 'static, certificate: Certificate) -> Result<Self> {
        if !certificate.matches(&key) {
            return Err(Error::CertificateMismatch { subject: certificate.subject() });
        }
        Ok(Signer { key: Arc::new(key), certificate })
    }

    /// The private key.
    pub fn key(&self) -> &dyn SigningKey {
        &*self.key
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs `message`, see [`key::sign`].
    ///
    /// # Errors
    ///
    /// What keeps the key from signing, [`Error::SigningKeyWrong`] if it signs something else.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        key::sign(self.key(), message)
    }
}
