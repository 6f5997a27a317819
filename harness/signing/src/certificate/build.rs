//! Makes certificates.

use std::time::{Duration, SystemTime};

use der::asn1::{Any, BitString, OctetString, SetOfVec, Utf8StringRef};
use der::oid::db::rfc4519::COMMON_NAME;
use der::{Decode, Document, Encode};
use signature::Keypair;
use spki::{AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SubjectPublicKeyInfoRef};
use x509_cert::TbsCertificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, Extensions, ToExtension};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use super::{Certificate, Role, Signer, Usage};
use crate::key::{KeyId, PublicKey, SigningKey, sign};
use crate::{Error, Result};

/// What goes into a certificate besides keys and dates.
pub struct Profile {
    pub usage: Usage,
    pub subject: Name,
    pub issuer: Name,
    /// `None`: signed by itself.
    pub issuer_key_id: Option<KeyId>,
}

impl Profile {
    /// A certificate that `ca` issues.
    pub fn of_issuer(ca: &Signer, usage: Usage, subject: Name) -> Result<Self> {
        let issuer = ca.certificate();
        if !issuer.is_ca() {
            return Err(Error::CertificateIssuer { subject: issuer.subject() });
        }
        Ok(Profile {
            usage,
            subject,
            issuer: issuer.decoded.tbs_certificate().subject().clone(),
            issuer_key_id: Some(issuer.key_id.clone()),
        })
    }

    /// The certificate for `key`, signed with `issuer`.
    pub fn build(self, key: &PublicKey, issuer: &dyn SigningKey, days: u32) -> Result<Certificate> {
        let spki = key.to_spki().map_err(builder::Error::from)?;
        let issuer_key = IssuerKey(issuer.public_key());
        let mut builder = CertificateBuilder::new(self, serial_number()?, validity(days)?, spki)?;
        let tbs = builder.finalize(&issuer_key)?;
        let signature = BitString::from_bytes(&sign(issuer, &tbs)?).map_err(builder::Error::from)?;
        let certificate = builder.assemble(signature, &issuer_key)?;
        let der = Document::encode_msg(&certificate).map_err(builder::Error::from)?;
        Certificate::from_document(der)
    }
}

/// What the builder needs to know about the signing key.
struct IssuerKey(PublicKey);

impl Keypair for IssuerKey {
    type VerifyingKey = PublicKey;

    fn verifying_key(&self) -> PublicKey {
        self.0.clone()
    }
}

impl DynSignatureAlgorithmIdentifier for IssuerKey {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(self.0.x509_signature_algorithm())
    }
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let mut extensions = extensions_of(&self.usage, key.clone(), tbs.subject())?;
        let issuer_key_id = match &self.issuer_key_id {
            Some(KeyId(id)) => OctetString::new(id.as_slice())?,
            None => SubjectKeyIdentifier::try_from(key)?.0,
        };
        let authority = AuthorityKeyIdentifier { key_identifier: Some(issuer_key_id), ..Default::default() };
        extensions.push(authority.to_extension(tbs.subject(), &Extensions::new())?);
        Ok(extensions)
    }
}

/// The extensions that do not depend on the issuer.
pub fn extensions_of(
    usage: &Usage,
    key: SubjectPublicKeyInfoRef<'_>,
    subject: &Name,
) -> builder::Result<Vec<Extension>> {
    let key_usage = match usage.role {
        Role::Ca => KeyUsages::KeyCertSign,
        Role::Signer => KeyUsages::DigitalSignature,
    };
    let constraints = BasicConstraints { ca: usage.role == Role::Ca, path_len_constraint: None };
    let none = Extensions::new();
    let mut extensions = vec![
        constraints.to_extension(subject, &none)?,
        KeyUsage(key_usage.into()).to_extension(subject, &none)?,
        SubjectKeyIdentifier::try_from(key)?.to_extension(subject, &none)?,
    ];
    if !usage.purposes.is_empty() {
        // Not critical: software that doesn't know the purposes, such as the kernel, ignores them.
        let purposes = ExtendedKeyUsage(usage.purposes.clone());
        extensions.push(purposes.to_extension(subject, &none)?);
    }
    Ok(extensions)
}

/// A distinguished name with nothing but a common name. (`Name` itself can only be parsed.)
pub fn name(common_name: &str) -> Result<Name> {
    let length = common_name.chars().count();
    if !(1..=64).contains(&length) {
        return Err(Error::CommonName(length));
    }
    let encode = || -> der::Result<Name> {
        let value = Any::from(Utf8StringRef::new(common_name)?);
        let attribute = AttributeTypeAndValue { oid: COMMON_NAME, value };
        let mut names = RdnSequence::default();
        names.push(RelativeDistinguishedName::from(SetOfVec::try_from([attribute])?));
        Name::from_der(&names.to_der()?)
    };
    Ok(encode().map_err(builder::Error::from)?)
}

/// 126 random bits: positive, and always of the same length.
fn serial_number() -> Result<SerialNumber> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::KeyGeneration(error.to_string()))?;
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(SerialNumber::new(&bytes).map_err(builder::Error::from)?)
}

fn validity(days: u32) -> Result<Validity> {
    let now = SystemTime::now();
    let end = now
        .checked_add(Duration::from_secs(u64::from(days) * 24 * 60 * 60))
        .filter(|end| *end > now)
        .ok_or(Error::Validity(days))?;
    let time = |time| Time::try_from(time).map_err(|_| Error::Validity(days));
    Ok(Validity::new(time(now)?, time(end)?))
}
