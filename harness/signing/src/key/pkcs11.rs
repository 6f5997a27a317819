//! A private key, or a certificate, in a PKCS#11 token: a smart card, a hardware security module, or software that behaves
//! like one.

use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use der::asn1::{Any, BitString, OctetStringRef, UintRef};
use der::oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION};
use der::referenced::OwnedToRef;
use der::{Decode, Encode};
use rsa::pkcs1::RsaPublicKey;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::pkcs11_sign::Sign;
use super::public::Public;
use super::{Pkcs11Uri, PublicKey, SigningKey};
use crate::{Digest, Error, Result};

/// Names the PKCS#11 module, for URIs without `module-path`; libp11 and the OpenSSL engine go by it as well.
const MODULE_VARIABLE: &str = "PKCS11_MODULE_PATH";

/// `DigestInfo` of SHA-256 up to the digest (RFC 8017, 9.2, note 1): `CKM_RSA_PKCS` leaves it to the caller.
const SHA256_DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 5, 0, 4, 0x20];

/// A private key in a token, with an open session.
pub struct TokenKey {
    session: Mutex<Session>,
    key: ObjectHandle,
    public: PublicKey,
    /// If the token wants the PIN again for each signature.
    each_time: Option<EachTime>,
}

/// What a signature takes that takes a PIN.
struct EachTime {
    pin: AuthPin,
    sign: Sign,
}

impl TokenKey {
    /// Finds the one private key that the URI names, logs in if the token wants it, and reads the public key from the
    /// token. The PIN in the URI comes before `pin`.
    ///
    /// # Errors
    ///
    /// [`Error::TokenPin`] if a PIN is needed, [`Error::TokenModule`] if no module is known,
    /// [`Error::TokenNotFound`] and [`Error::TokenAmbiguous`] if not exactly one token and one key in it fit,
    /// [`Error::Token`] if the token fails, [`Error::KeyUnsupported`] for a key that the kernel does not take.
    pub fn open(uri: &Pkcs11Uri, pin: Option<&str>) -> Result<Self> {
        uri.must_be_for("private")?;
        let session = open_session(uri, pin)?;
        let key = find(&session, uri, ObjectClass::PRIVATE_KEY)?;
        let always = session.get_attributes(key, &[AttributeType::AlwaysAuthenticate]);
        let each_time = match always.as_deref() {
            Ok([Attribute::AlwaysAuthenticate(true)]) => {
                let sign = Sign::of(&module_path(uri)?).map_err(failed("be loaded"))?;
                Some(EachTime { pin: auth_pin(uri, pin)?, sign })
            }
            _ => None,
        };
        let public = read_public_key(&session, find(&session, uri, ObjectClass::PUBLIC_KEY)?)?;
        Ok(TokenKey { session: Mutex::new(session), key, public, each_time })
    }

    /// Signs a digest, as the mechanism takes it.
    fn sign(&self, mechanism: &Mechanism, data: &[u8]) -> Result<Vec<u8>> {
        let session = self.session.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(EachTime { pin, sign }) = &self.each_time else {
            return session.sign(mechanism, self.key, data).map_err(failed("sign"));
        };
        session.sign_init(mechanism, self.key).map_err(failed("start a signature that takes a PIN"))?;
        session
            .login(UserType::ContextSpecific, Some(pin))
            .map_err(|error| Error::TokenLogin(code(error)))?;
        sign.sign(&session, data).map_err(failed("sign"))
    }
}

/// The one certificate in a token that the URI names, in DER.
///
/// # Errors
///
/// As [`TokenKey::open`].
pub fn token_certificate(uri: &Pkcs11Uri, pin: Option<&str>) -> Result<Vec<u8>> {
    uri.must_be_for("cert")?;
    let session = open_session(uri, pin)?;
    let found = find(&session, uri, ObjectClass::CERTIFICATE)?;
    let value = session.get_attributes(found, &[AttributeType::Value]);
    match <[Attribute; 1]>::try_from(value.map_err(failed("show the certificate"))?) {
        Ok([Attribute::Value(der)]) => Ok(der),
        _ => Err(Error::Token { what: "show the certificate", reason: "it has no value".to_owned() }),
    }
}

/// A session with the one token that the URI names, logged in if the token wants it.
fn open_session(uri: &Pkcs11Uri, pin: Option<&str>) -> Result<Session> {
    let pkcs11 = open_module(uri)?;
    let slot = find_token(&pkcs11, uri)?;
    let session = pkcs11.open_ro_session(slot).map_err(failed("open a session"))?;
    if pkcs11.get_token_info(slot).map_err(failed("describe itself"))?.login_required() {
        match session.login(UserType::User, Some(&auth_pin(uri, pin)?)) {
            Err(cryptoki::error::Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            result => result.map_err(|error| Error::TokenLogin(code(error)))?,
        }
    }
    Ok(session)
}

/// The PIN in the URI, or else the one that is given.
fn auth_pin(uri: &Pkcs11Uri, pin: Option<&str>) -> Result<AuthPin> {
    let from_uri = uri.pin()?;
    let pin = from_uri.as_ref().map(|pin| pin.as_str()).or(pin).ok_or(Error::TokenPin)?;
    Ok(pin.into())
}

impl SigningKey for TokenKey {
    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>> {
        let digest = Digest::of(message);
        let ecdsa = || self.sign(&Mechanism::Ecdsa, &digest.0);
        // A token's ECDSA signatures are r and s side by side.
        let unreadable = |error: signature::Error| Error::Signing(error);
        match self.public.0 {
            Public::Rsa(_) => {
                let info = [SHA256_DIGEST_INFO.as_slice(), &digest.0].concat();
                self.sign(&Mechanism::RsaPkcs, &info)
            }
            Public::P256(_) => {
                let signature = ecdsa()?;
                let signature = p256::ecdsa::Signature::from_slice(&signature).map_err(unreadable)?;
                Ok(signature.to_der().as_bytes().into())
            }
            Public::P384(_) => {
                let signature = ecdsa()?;
                let signature = p384::ecdsa::Signature::from_slice(&signature).map_err(unreadable)?;
                Ok(signature.to_der().as_bytes().into())
            }
            Public::MlDsa44(_) | Public::MlDsa65(_) | Public::MlDsa87(_) => Err(Error::TokenMlDsa),
        }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({})", self.public)
    }
}

/// Where the module is that the URI names.
fn module_path(uri: &Pkcs11Uri) -> Result<PathBuf> {
    let from_environment = || std::env::var_os(MODULE_VARIABLE).map(PathBuf::from);
    let by_name = || uri.module_name.as_deref().map(module_called);
    uri.module.clone().or_else(by_name).or_else(from_environment).ok_or(Error::TokenModule)
}

fn open_module(uri: &Pkcs11Uri) -> Result<Pkcs11> {
    let pkcs11 = Pkcs11::new(module_path(uri)?).map_err(failed("be loaded"))?;
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // The module is one for the whole process.
        Err(cryptoki::error::Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        result => result.map_err(failed("be initialized"))?,
    }
    Ok(pkcs11)
}

/// p11-kit's module of that name, or else a library that the system finds.
fn module_called(name: &str) -> PathBuf {
    const CONFIGURED: [&str; 2] = ["/etc/pkcs11/modules", "/usr/share/p11-kit/modules"];
    let configured = CONFIGURED.iter().find_map(|folder| {
        let text = std::fs::read_to_string(format!("{folder}/{name}.module")).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("module:"))?.trim().to_owned();
        Some(PathBuf::from(path))
    });
    let library = || format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    configured.unwrap_or_else(|| library().into())
}

fn find_token(pkcs11: &Pkcs11, uri: &Pkcs11Uri) -> Result<Slot> {
    let fits = |field: &Option<String>, value: &str| field.as_deref().is_none_or(|field| field == value);
    let is_meant = |slot: &Slot, info: &TokenInfo| {
        info.token_initialized()
            && uri.slot_id.is_none_or(|id| id == slot.id())
            && fits(&uri.token, info.label())
            && fits(&uri.manufacturer, info.manufacturer_id())
            && fits(&uri.model, info.model())
            && fits(&uri.serial, info.serial_number())
    };
    let mut found = Vec::new();
    for slot in pkcs11.get_slots_with_token().map_err(failed("list its slots"))? {
        let info = pkcs11.get_token_info(slot).map_err(failed("describe itself"))?;
        if is_meant(&slot, &info) {
            found.push(slot);
        }
    }
    only(found, "token")
}

/// The object of a class that the URI names.
fn find(session: &Session, uri: &Pkcs11Uri, class: ObjectClass) -> Result<ObjectHandle> {
    let what = match class {
        ObjectClass::PRIVATE_KEY => "private key",
        ObjectClass::CERTIFICATE => "certificate",
        _ => "public key",
    };
    let mut template = vec![Attribute::Class(class)];
    template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(uri.id.as_ref().map(|id| Attribute::Id(id.clone())));
    only(session.find_objects(&template).map_err(failed("look for objects"))?, what)
}

fn only<T>(found: Vec<T>, what: &'static str) -> Result<T> {
    let count = found.len();
    match <[T; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(_) if count == 0 => Err(Error::TokenNotFound(what)),
        Err(_) => Err(Error::TokenAmbiguous { what, count }),
    }
}

fn read_public_key(session: &Session, key: ObjectHandle) -> Result<PublicKey> {
    let get =
        |types: &[AttributeType]| session.get_attributes(key, types).map_err(failed("show the public key"));
    let malformed = |error: der::Error| Error::KeyMalformed(error.to_string());

    let spki = match get(&[AttributeType::KeyType])?.as_slice() {
        [Attribute::KeyType(KeyType::RSA)] => {
            match get(&[AttributeType::Modulus, AttributeType::PublicExponent])?.as_slice() {
                [Attribute::Modulus(n), Attribute::PublicExponent(e)] => rsa_spki(n, e),
                _ => return Err(incomplete()),
            }
        }
        [Attribute::KeyType(KeyType::EC)] => {
            match get(&[AttributeType::EcParams, AttributeType::EcPoint])?.as_slice() {
                [Attribute::EcParams(parameters), Attribute::EcPoint(point)] => ec_spki(parameters, point),
                _ => return Err(incomplete()),
            }
        }
        [Attribute::KeyType(KeyType::ML_DSA)] => return Err(Error::TokenMlDsa),
        [Attribute::KeyType(other)] => return Err(Error::KeyUnsupported(format!("a key of type {other}"))),
        _ => return Err(incomplete()),
    };
    PublicKey::from_spki(spki.map_err(malformed)?.owned_to_ref())
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> der::Result<SubjectPublicKeyInfoOwned> {
    let key = RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(exponent)? };
    Ok(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid: RSA_ENCRYPTION, parameters: Some(Any::null()) },
        subject_public_key: BitString::from_bytes(&key.to_der()?)?,
    })
}

/// The point is in an OCTET STRING.
fn ec_spki(parameters: &[u8], point: &[u8]) -> der::Result<SubjectPublicKeyInfoOwned> {
    let point = <&OctetStringRef>::from_der(point)?;
    Ok(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned {
            oid: ID_EC_PUBLIC_KEY,
            parameters: Some(Any::from_der(parameters)?),
        },
        subject_public_key: BitString::from_bytes(point.as_bytes())?,
    })
}

fn incomplete() -> Error {
    Error::KeyMalformed("the token does not show the public key".into())
}

fn failed(what: &'static str) -> impl FnOnce(cryptoki::error::Error) -> Error {
    move |error| Error::Token { what, reason: code(error) }
}

/// The name of the library's error code is enough.
fn code(error: cryptoki::error::Error) -> String {
    match error {
        cryptoki::error::Error::Pkcs11(code, _) => format!("{code:?}"),
        other => other.to_string(),
    }
}
