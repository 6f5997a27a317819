//! A private key in a file.

use std::fmt;

use der::oid::AssociatedOid;
use der::oid::db::fips204::{ID_ML_DSA_44, ID_ML_DSA_65, ID_ML_DSA_87};
use der::oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION};
use der::pem::LineEnding;
use der::zeroize::Zeroizing;
use der::{Decode, SecretDocument};
use ecdsa::hazmat::sign_prehashed_rfc6979;
use getrandom::SysRng;
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87};
use p256::NistP256;
use p256::elliptic_curve::Generate;
use p384::NistP384;
use pkcs8::{EncodePrivateKey, EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rsa::pkcs1::DecodeRsaPrivateKey;
use sec1::{EcParameters, EcPrivateKey};
use sha2::Sha256;
use signature::{Keypair, Signer};

use super::public::{Public, check_rsa_size};
use super::{Algorithm, PublicKey, SigningKey, ml_dsa_pkcs8};
use crate::{Digest, Error, Result, oid, pem};

/// A private key. Its memory is cleared when it is dropped.
#[derive(Clone)]
pub struct PrivateKey(Private);

#[derive(Clone)]
enum Private {
    Rsa(rsa::PrivateKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    MlDsa44(ml_dsa::SigningKey<MlDsa44>),
    MlDsa65(ml_dsa::SigningKey<MlDsa65>),
    MlDsa87(ml_dsa::SigningKey<MlDsa87>),
}

impl PrivateKey {
    /// Makes a new key from the system's random numbers. RSA takes from a fraction of a second to several seconds.
    ///
    /// # Errors
    ///
    /// [`Error::KeyGeneration`] if the system has no random numbers.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        let rsa = |bits| rsa::PrivateKey::new(&mut SysRng, bits).map_err(|error| error.to_string());
        fn new<K: Generate>(wrap: impl FnOnce(K) -> Private) -> Result<Private, String> {
            K::try_generate().map(wrap).map_err(|error| error.to_string())
        }
        let key = match algorithm {
            Algorithm::Rsa2048 => rsa(2048).map(Private::Rsa),
            Algorithm::Rsa3072 => rsa(3072).map(Private::Rsa),
            Algorithm::Rsa4096 => rsa(4096).map(Private::Rsa),
            Algorithm::P256 => new(Private::P256),
            Algorithm::P384 => new(Private::P384),
            Algorithm::MlDsa44 => new(Private::MlDsa44),
            Algorithm::MlDsa65 => new(Private::MlDsa65),
            Algorithm::MlDsa87 => new(Private::MlDsa87),
        };
        key.map(PrivateKey).map_err(Error::KeyGeneration)
    }

    /// Reads a key: PKCS#8 (encrypted or not), PKCS#1 or SEC1, as PEM or DER. In a PEM file with several blocks, the
    /// first private key counts. `passphrase` is used only if the key is encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::Holds`], [`Error::KeyEncrypted`] if a passphrase is needed, [`Error::KeyPassphrase`] if it is wrong,
    /// [`Error::KeyUnsupported`] for a key that the kernel does not take, and other `Error::Key*`.
    pub fn read(file: &[u8], passphrase: Option<&str>) -> Result<Self> {
        let document = match pem::needed(file, pem::PRIVATE_KEY)? {
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
                Ok(curve) => Err(Error::KeyUnsupported(format!("elliptic curve {}", oid::name(&curve)))),
                Err(_) => Err(Error::KeyUnsupported("an elliptic curve without a name".into())),
            },
            ID_ML_DSA_44 => Ok(PrivateKey(Private::MlDsa44(ml_dsa_pkcs8::read(key)?))),
            ID_ML_DSA_65 => Ok(PrivateKey(Private::MlDsa65(ml_dsa_pkcs8::read(key)?))),
            ID_ML_DSA_87 => Ok(PrivateKey(Private::MlDsa87(ml_dsa_pkcs8::read(key)?))),
            other => Err(Error::KeyUnsupported(format!("key algorithm {}", oid::name(&other)))),
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
                Err(Error::KeyUnsupported(format!("elliptic curve {}", oid::name(&curve))))
            }
            None => Err(Error::KeyUnsupported("an elliptic curve without a name".into())),
        }
    }

    fn from_rsa(key: rsa::PrivateKey) -> Result<Self> {
        check_rsa_size(key.as_public_key())?;
        Ok(PrivateKey(Private::Rsa(key)))
    }

    /// The key as PKCS#8 PEM, not encrypted; of ML-DSA, the seed alone (RFC 9881). The text is cleared from memory when it is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`Error::KeyEncoding`] if the key can't be expressed in PKCS#8.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        match &self.0 {
            Private::Rsa(key) => key.to_pkcs8_pem(LineEnding::LF),
            Private::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
            Private::P384(key) => key.to_pkcs8_pem(LineEnding::LF),
            Private::MlDsa44(key) => key.to_pkcs8_pem(LineEnding::LF),
            Private::MlDsa65(key) => key.to_pkcs8_pem(LineEnding::LF),
            Private::MlDsa87(key) => key.to_pkcs8_pem(LineEnding::LF),
        }
        .map_err(Error::KeyEncoding)
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(match &self.0 {
            Private::Rsa(key) => Public::Rsa(key.to_public_key()),
            Private::P256(key) => Public::P256(*key.verifying_key()),
            Private::P384(key) => Public::P384(*key.verifying_key()),
            Private::MlDsa44(key) => Public::MlDsa44(key.verifying_key()),
            Private::MlDsa65(key) => Public::MlDsa65(key.verifying_key()),
            Private::MlDsa87(key) => Public::MlDsa87(key.verifying_key()),
        })
    }
}

/// Deterministic: PKCS#1 v1.5 is, ECDSA is made so by RFC 6979, and ML-DSA has a variant that is (FIPS 204, 3.4).
impl SigningKey for PrivateKey {
    fn public_key(&self) -> PublicKey {
        self.public_key()
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>> {
        let digest = Digest::of(message);
        match &self.0 {
            Private::Rsa(key) => {
                key.pkcs1v15_sign_prehash::<Sha256>(&digest.0).map_err(|error| Error::Signing(error.into()))
            }
            // The signers of these types would draw P-384's nonce with SHA-384, RFC 6979 wants the message's SHA-256.
            Private::P256(key) => {
                let (signature, _) =
                    sign_prehashed_rfc6979::<NistP256, Sha256>(key.as_nonzero_scalar(), &digest.0, &[]);
                Ok(signature.to_der().as_bytes().into())
            }
            Private::P384(key) => {
                let (signature, _) =
                    sign_prehashed_rfc6979::<NistP384, Sha256>(key.as_nonzero_scalar(), &digest.0, &[]);
                Ok(signature.to_der().as_bytes().into())
            }
            Private::MlDsa44(key) => ml_dsa_sign(key, message),
            Private::MlDsa65(key) => ml_dsa_sign(key, message),
            Private::MlDsa87(key) => ml_dsa_sign(key, message),
        }
    }
}

fn ml_dsa_sign<P: ml_dsa::MlDsaParams>(key: &ml_dsa::SigningKey<P>, message: &[u8]) -> Result<Vec<u8>> {
    Ok(key.try_sign(message).map_err(Error::Signing)?.encode().to_vec())
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key())
    }
}
