//! Private and public keys, and where they live.

mod algorithm;
mod command;
mod ml_dsa_pkcs8;
mod pkcs11;
mod pkcs11_sign;
mod pkcs11_uri;
mod private;
mod public;

pub use algorithm::Algorithm;
pub use command::CommandKey;
pub use pkcs11::{TokenKey, token_certificate};
pub use pkcs11_uri::Pkcs11Uri;
pub use private::PrivateKey;
pub use public::PublicKey;

use std::fmt;

use crate::{Error, Result};

/// Something that holds a private key and signs with it.
pub trait SigningKey: fmt::Debug + Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;

    /// Signs a message: RSA with PKCS#1 v1.5 (RFC 8017, 8.2) and ECDSA in DER (RFC 3279, 2.2.3) over its SHA-256 digest,
    /// ML-DSA over the message itself with an empty context (RFC 9882, 3.2).
    ///
    /// The caller verifies the signature before it uses it, see [`sign`].
    ///
    /// # Errors
    ///
    /// Whatever keeps the key from signing.
    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>>;
}

impl SigningKey for Box<dyn SigningKey> {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>> {
        (**self).sign_message(message)
    }
}

/// Signs `message` and makes sure that the signature is good: tokens and commands may do anything, and a fault in an RSA
/// computation would give the private key away.
///
/// # Errors
///
/// [`Error::SigningKeyWrong`], and those of [`SigningKey::sign_message`].
pub fn sign(key: &dyn SigningKey, message: &[u8]) -> Result<Vec<u8>> {
    let signature = key.sign_message(message)?;
    key.public_key().verify(message, &signature).map_err(|_| Error::SigningKeyWrong)?;
    Ok(signature)
}

/// A subject key identifier: how a CMS message names its signer. Shown as the kernel shows it in `/proc/keys`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyId(pub Vec<u8>);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
