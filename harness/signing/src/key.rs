//! Private and public keys.

use std::fmt;
use std::str::FromStr;

use der::asn1::{Any, ObjectIdentifier};
use der::oid::AssociatedOid;
use der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION,
};
use der::pem::LineEnding;
use der::zeroize::Zeroizing;
use der::{Decode, SecretDocument};
use ecdsa::hazmat::sign_prehashed_rfc6979;
use getrandom::SysRng;
use p256::NistP256;
use p256::elliptic_curve::Generate;
use p384::NistP384;
use pkcs8::{EncodePrivateKey, EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use sec1::{EcParameters, EcPrivateKey};
use sha2::Sha256;
use signature::{DigestVerifier, Keypair};
use spki::{AlgorithmIdentifierOwned, Document, DynSignatureAlgorithmIdentifier, EncodePublicKey};
use spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};

use crate::{Digest, Error, Result, pem};

/// The kinds of keys that can be made: those that the kernel checks signatures of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Rsa2048, Algorithm::Rsa3072, Algorithm::Rsa4096, Algorithm::P256, Algorithm::P384];

    fn name(self) -> &'static str {
        match self {
            Algorithm::Rsa2048 => "rsa-2048",
            Algorithm::Rsa3072 => "rsa-3072",
            Algorithm::Rsa4096 => "rsa-4096",
            Algorithm::P256 => "p-256",
            Algorithm::P384 => "p-384",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| Error::UnknownAlgorithm(name.into()))
    }
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

/// A private key. Its memory is cleared when it is dropped.
#[derive(Clone)]
pub struct PrivateKey(Private);

#[derive(Clone)]
enum Private {
    Rsa(rsa::PrivateKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

impl PrivateKey {
    /// Makes a new key from the system's random numbers. RSA takes from a fraction of a second to several seconds.
    ///
    /// # Errors
    ///
    /// [`Error::KeyGeneration`] if the system has no random numbers.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        let rsa = |bits| rsa::PrivateKey::new(&mut SysRng, bits).map_err(|error| error.to_string());
        let key = match algorithm {
            Algorithm::Rsa2048 => rsa(2048).map(Private::Rsa),
            Algorithm::Rsa3072 => rsa(3072).map(Private::Rsa),
            Algorithm::Rsa4096 => rsa(4096).map(Private::Rsa),
            Algorithm::P256 => Generate::try_generate().map(Private::P256).map_err(|error| error.to_string()),
            Algorithm::P384 => Generate::try_generate().map(Private::P384).map_err(|error| error.to_string()),
        };
        key.map(PrivateKey).map_err(Error::KeyGeneration)
    }

    /// Reads a key: PKCS#8 (encrypted or not), PKCS#1 or SEC1, as PEM or DER. In a PEM file with several blocks, the
    /// first private key counts. `passphrase` is used only if the key is encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::KeyEncrypted`] if a passphrase is needed, [`Error::KeyPassphrase`] if it is wrong,
    /// [`Error::KeyUnsupported`] for a key that the kernel does not take, and other `Error::Key*`.
    pub fn read(file: &[u8], passphrase: Option<&str>) -> Result<Self> {
        let document = match pem::block(file, "PRIVATE KEY") {
            Some(block) if block.contains("Proc-Type: 4,ENCRYPTED") => {
                return Err(Error::KeyLegacyEncryption);
            }
            Some(block) => SecretDocument::from_pem(block).map(|(_, document)| document),
            None => SecretDocument::try_from(file),
        };
        let document = document.map_err(|_| Error::KeyFormat)?;
        let der = document.as_bytes();

        if let Ok(key) = EncryptedPrivateKeyInfoRef::from_der(der) {
            let passphrase = passphrase.ok_or(Error::KeyEncrypted)?;
            let document = key.decrypt(passphrase).map_err(Error::KeyPassphrase)?;
            let key = PrivateKeyInfoRef::from_der(document.as_bytes())
                .map_err(|error| Error::KeyPassphrase(error.into()))?;
            return Self::from_pkcs8(key);
        }
        if let Ok(key) = PrivateKeyInfoRef::from_der(der) {
            return Self::from_pkcs8(key);
        }
        if let Ok(key) = EcPrivateKey::from_der(der) {
            return Self::from_sec1(key);
        }
        let key = rsa::PrivateKey::from_pkcs1_der(der).map_err(|_| Error::KeyFormat)?;
        Self::from_rsa(key)
    }

    fn from_pkcs8(key: PrivateKeyInfoRef<'_>) -> Result<Self> {
        let malformed = |error: pkcs8::Error| Error::KeyMalformed(error.to_string());
        match key.algorithm.oid {
            RSA_ENCRYPTION => Self::from_rsa(key.try_into().map_err(malformed)?),
            ID_EC_PUBLIC_KEY => match key.algorithm.parameters_oid() {
                Ok(NistP256::OID) => Ok(PrivateKey(Private::P256(key.try_into().map_err(malformed)?))),
                Ok(NistP384::OID) => Ok(PrivateKey(Private::P384(key.try_into().map_err(malformed)?))),
                Ok(curve) => Err(Error::KeyUnsupported(format!("elliptic curve {curve}"))),
                Err(_) => Err(Error::KeyUnsupported("an elliptic curve without a name".into())),
            },
            other => Err(Error::KeyUnsupported(format!("key algorithm {other}"))),
        }
    }

    fn from_sec1(key: EcPrivateKey<'_>) -> Result<Self> {
        let malformed = |error: der::Error| Error::KeyMalformed(error.to_string());
        match key.parameters {
            Some(EcParameters::NamedCurve(NistP256::OID)) => {
                let key = p256::SecretKey::try_from(key).map_err(malformed)?;
                Ok(PrivateKey(Private::P256(key.into())))
            }
            Some(EcParameters::NamedCurve(NistP384::OID)) => {
                let key = p384::SecretKey::try_from(key).map_err(malformed)?;
                Ok(PrivateKey(Private::P384(key.into())))
            }
            Some(EcParameters::NamedCurve(curve)) => {
                Err(Error::KeyUnsupported(format!("elliptic curve {curve}")))
            }
            None => Err(Error::KeyUnsupported("an elliptic curve without a name".into())),
        }
    }

    fn from_rsa(key: rsa::PrivateKey) -> Result<Self> {
        check_rsa_size(key.as_public_key())?;
        Ok(PrivateKey(Private::Rsa(key)))
    }

    /// The key as PKCS#8 PEM, not encrypted. The text is cleared from memory when it is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::KeyEncoding`] if the key can't be expressed in PKCS#8.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        match &self.0 {
            Private::Rsa(key) => key.to_pkcs8_pem(LineEnding::LF),
            Private::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
            Private::P384(key) => key.to_pkcs8_pem(LineEnding::LF),
        }
        .map_err(Error::KeyEncoding)
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(match &self.0 {
            Private::Rsa(key) => Public::Rsa(key.to_public_key()),
            Private::P256(key) => Public::P256(*key.verifying_key()),
            Private::P384(key) => Public::P384(*key.verifying_key()),
        })
    }

    /// Signs the SHA-256 digest of `message`, deterministically: RSA with PKCS#1 v1.5, ECDSA as RFC 6979 has it (and
    /// DER encoded).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let digest = Digest::of(message).0;
        match &self.0 {
            Private::Rsa(key) => {
                key.pkcs1v15_sign_prehash::<Sha256>(&digest).map_err(|error| Error::Signing(error.into()))
            }
            // The signers of these types would draw P-384's nonce with SHA-384, RFC 6979 wants the message's SHA-256.
            Private::P256(key) => {
                let (signature, _) =
                    sign_prehashed_rfc6979::<NistP256, Sha256>(key.as_nonzero_scalar(), &digest, &[]);
                Ok(signature.to_der().as_bytes().into())
            }
            Private::P384(key) => {
                let (signature, _) =
                    sign_prehashed_rfc6979::<NistP384, Sha256>(key.as_nonzero_scalar(), &digest, &[]);
                Ok(signature.to_der().as_bytes().into())
            }
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key())
    }
}

impl Keypair for PrivateKey {
    type VerifyingKey = PublicKey;

    fn verifying_key(&self) -> PublicKey {
        self.public_key()
    }
}

/// The algorithm of X.509 signatures, where RSA names the digest too.
impl DynSignatureAlgorithmIdentifier for PrivateKey {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(match self.0 {
            Private::Rsa(_) => with_null(SHA_256_WITH_RSA_ENCRYPTION),
            Private::P256(_) | Private::P384(_) => without_parameters(ECDSA_WITH_SHA_256),
        })
    }
}

/// A public key of a kind that the kernel takes. Shown like the [`Algorithm`] it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Public);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    Rsa(rsa::PublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

impl PublicKey {
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
                Ok(curve) => return Err(Error::KeyUnsupported(format!("elliptic curve {curve}"))),
                Err(_) => return Err(Error::KeyUnsupported("an elliptic curve without a name".into())),
            },
            other => return Err(Error::KeyUnsupported(format!("key algorithm {other}"))),
        };
        Ok(PublicKey(key))
    }

    /// The key as it goes into a certificate.
    pub(crate) fn to_spki(&self) -> spki::Result<SubjectPublicKeyInfoOwned> {
        SubjectPublicKeyInfoOwned::from_key(self)
    }

    /// The algorithm of CMS signatures: the kernel wants RSA to leave the digest to the digest algorithm.
    pub(crate) fn cms_signature_algorithm(&self) -> AlgorithmIdentifierOwned {
        match self.0 {
            Public::Rsa(_) => with_null(RSA_ENCRYPTION),
            Public::P256(_) | Public::P384(_) => without_parameters(ECDSA_WITH_SHA_256),
        }
    }

    /// Checks a signature over the SHA-256 digest of `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let digest = |hash: &mut Sha256| {
            sha2::Digest::update(hash, message);
            Ok(())
        };
        match &self.0 {
            Public::Rsa(key) => key.pkcs1v15_verify::<Sha256>(message, signature).is_ok(),
            Public::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_digest(digest, &signature).is_ok()),
            Public::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_digest(digest, &signature).is_ok()),
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
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Public::Rsa(key) => write!(f, "rsa-{}", rsa_bits(key)),
            Public::P256(_) => f.write_str("p-256"),
            Public::P384(_) => f.write_str("p-384"),
        }
    }
}

fn rsa_bits(key: &rsa::PublicKey) -> u32 {
    key.n().bit_width()
}

fn check_rsa_size(key: &rsa::PublicKey) -> Result<()> {
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
