//! A public key.

use std::fmt;

use der::asn1::{Any, ObjectIdentifier};
use der::oid::AssociatedOid;
use der::oid::db::fips204::{ID_ML_DSA_44, ID_ML_DSA_65, ID_ML_DSA_87};
use der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION,
};
use der::referenced::OwnedToRef;
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87};
use p256::NistP256;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p384::NistP384;
use rsa::traits::PublicKeyParts;
use sha2::Sha256;
use signature::Verifier;
use spki::{AlgorithmIdentifierOwned, Document, EncodePublicKey};
use spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};

use crate::{Error, Result, oid, pem};

/// A public key of a kind that the kernel takes. Shown like the [`Algorithm`](super::Algorithm) it is of.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(pub(super) Public);

#[derive(Clone, PartialEq)]
pub(super) enum Public {
    Rsa(rsa::PublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    MlDsa44(ml_dsa::VerifyingKey<MlDsa44>),
    MlDsa65(ml_dsa::VerifyingKey<MlDsa65>),
    MlDsa87(ml_dsa::VerifyingKey<MlDsa87>),
}

// Only `ml_dsa`'s key keeps it from being derived.
impl Eq for Public {}

impl PublicKey {
    /// Reads a key: `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7) as PEM or DER, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Holds`], [`Error::PublicKeyFormat`], [`Error::KeyUnsupported`] or [`Error::KeyMalformed`].
    pub fn read(file: &[u8]) -> Result<Self> {
        let document = match pem::needed(file, pem::PUBLIC_KEY)? {
            Some(block) => Document::from_pem(block).map(|(_, document)| document),
            None => Document::try_from(file),
        };
        let document = document.map_err(Error::PublicKeyFormat)?;
        let spki = document.decode_msg::<SubjectPublicKeyInfoOwned>().map_err(Error::PublicKeyFormat)?;
        Self::from_spki(spki.owned_to_ref())
    }

    /// Reads the key in a certificate.
    pub(crate) fn from_spki(spki: SubjectPublicKeyInfoRef<'_>) -> Result<Self> {
        let malformed = |error: spki::Error| Error::KeyMalformed(error.to_string());
        let key = match spki.algorithm.oid {
            RSA_ENCRYPTION => {
                let key = rsa::PublicKey::try_from(spki).map_err(malformed)?;
                check_rsa_size(&key)?;
                Public::Rsa(key)
            }
            ID_EC_PUBLIC_KEY => match spki.algorithm.parameters_oid() {
                Ok(NistP256::OID) => Public::P256(spki.try_into().map_err(malformed)?),
                Ok(NistP384::OID) => Public::P384(spki.try_into().map_err(malformed)?),
                Ok(curve) => {
                    return Err(Error::KeyUnsupported(format!("elliptic curve {}", oid::name(&curve))));
                }
                Err(_) => return Err(Error::KeyUnsupported("an elliptic curve without a name".into())),
            },
            ID_ML_DSA_44 => Public::MlDsa44(spki.try_into().map_err(malformed)?),
            ID_ML_DSA_65 => Public::MlDsa65(spki.try_into().map_err(malformed)?),
            ID_ML_DSA_87 => Public::MlDsa87(spki.try_into().map_err(malformed)?),
            other => return Err(Error::KeyUnsupported(format!("key algorithm {}", oid::name(&other)))),
        };
        Ok(PublicKey(key))
    }

    /// The key as it goes into a certificate.
    pub(crate) fn to_spki(&self) -> spki::Result<SubjectPublicKeyInfoOwned> {
        SubjectPublicKeyInfoOwned::from_key(self)
    }

    /// Whether the algorithm digests the message itself, and no digest can be signed in its place.
    pub(crate) fn digests_itself(&self) -> bool {
        matches!(self.0, Public::MlDsa44(_) | Public::MlDsa65(_) | Public::MlDsa87(_))
    }

    /// The algorithm of CMS signatures: the kernel wants RSA to leave the digest to the digest algorithm.
    pub(crate) fn cms_signature_algorithm(&self) -> AlgorithmIdentifierOwned {
        match self.0 {
            Public::Rsa(_) => with_null(RSA_ENCRYPTION),
            _ => self.x509_signature_algorithm(),
        }
    }

    /// The algorithm of X.509 signatures, where RSA names the digest too.
    pub(crate) fn x509_signature_algorithm(&self) -> AlgorithmIdentifierOwned {
        match self.0 {
            Public::Rsa(_) => with_null(SHA_256_WITH_RSA_ENCRYPTION),
            Public::P256(_) | Public::P384(_) => without_parameters(ECDSA_WITH_SHA_256),
            Public::MlDsa44(_) => without_parameters(ID_ML_DSA_44),
            Public::MlDsa65(_) => without_parameters(ID_ML_DSA_65),
            Public::MlDsa87(_) => without_parameters(ID_ML_DSA_87),
        }
    }

    /// Checks a signature over `message`, as [`SigningKey::sign_message`](super::SigningKey::sign_message) makes it.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        self.verify_digested::<Sha256>(message, signature)
    }

    /// Checks a signature over `message` that is made with another digest. ML-DSA takes none.
    pub(crate) fn verify_digested<H: sha2::Digest + AssociatedOid>(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        match &self.0 {
            Public::Rsa(key) => key.pkcs1v15_verify::<H>(message, signature).is_ok(),
            Public::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&H::digest(message), &signature).is_ok()),
            Public::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&H::digest(message), &signature).is_ok()),
            Public::MlDsa44(key) => ml_dsa_verify(key, message, signature),
            Public::MlDsa65(key) => ml_dsa_verify(key, message, signature),
            Public::MlDsa87(key) => ml_dsa_verify(key, message, signature),
        }
        .then_some(())
        .ok_or(Error::WrongSignature)
    }
}

impl EncodePublicKey for PublicKey {
    fn to_public_key_der(&self) -> spki::Result<Document> {
        match &self.0 {
            Public::Rsa(key) => key.to_public_key_der(),
            Public::P256(key) => key.to_public_key_der(),
            Public::P384(key) => key.to_public_key_der(),
            Public::MlDsa44(key) => key.to_public_key_der(),
            Public::MlDsa65(key) => key.to_public_key_der(),
            Public::MlDsa87(key) => key.to_public_key_der(),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Public::Rsa(key) => write!(f, "rsa-{}", rsa_bits(key)),
            Public::P256(_) => f.write_str("p-256"),
            Public::P384(_) => f.write_str("p-384"),
            Public::MlDsa44(_) => f.write_str("ml-dsa-44"),
            Public::MlDsa65(_) => f.write_str("ml-dsa-65"),
            Public::MlDsa87(_) => f.write_str("ml-dsa-87"),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

fn ml_dsa_verify<P: ml_dsa::MlDsaParams>(
    key: &ml_dsa::VerifyingKey<P>,
    message: &[u8],
    signature: &[u8],
) -> bool {
    ml_dsa::Signature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

fn rsa_bits(key: &rsa::PublicKey) -> u32 {
    key.n().bit_width()
}

pub(super) fn check_rsa_size(key: &rsa::PublicKey) -> Result<()> {
    match rsa_bits(key) {
        2048..=4096 => Ok(()),
        bits => Err(Error::KeyUnsupported(format!("RSA with {bits} bits"))),
    }
}

fn with_null(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters: Some(Any::null()) }
}

fn without_parameters(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters: None }
}
