//! X.509 certificates, and keys together with them.

use std::time::{Duration, SystemTime};

use der::asn1::{Any, BitString, SetOfVec, Utf8StringRef};
use der::oid::db::rfc4519::COMMON_NAME;
use der::pem::LineEnding;
use der::referenced::OwnedToRef;
use der::{Decode, Document, Encode};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::TbsCertificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, Extensions, ToExtension};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use crate::key::{KeyId, PrivateKey, PublicKey};
use crate::{Error, Result, pem};

/// What a certificate allows its key to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Issue certificates: `CA:TRUE`, `keyCertSign`.
    Ca,
    /// Sign programs: `CA:FALSE`, `digitalSignature`.
    Signer,
}

/// An X.509 certificate that the kernel can use: it has a subject key identifier and a supported key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Document,
    decoded: x509_cert::Certificate,
    key: PublicKey,
    key_id: KeyId,
}

impl Certificate {
    /// Makes a certificate for `key`, signed by itself, valid from now.
    ///
    /// # Errors
    ///
    /// [`Error::CommonName`], [`Error::Validity`] if the days are none or lead beyond the year 9999.
    pub fn self_signed(role: Role, common_name: &str, key: &PrivateKey, days: u32) -> Result<Self> {
        let subject = name(common_name)?;
        let profile = Profile { role, issuer: subject.clone(), subject, issuer_key_id: None };
        profile.build(&key.public_key(), key, days)
    }

    /// Makes a certificate for `key`, issued by a CA, valid from now.
    ///
    /// # Errors
    ///
    /// [`Error::CertificateIssuer`] if `ca` is none, [`Error::CommonName`], [`Error::Validity`] if the days are none or
    /// lead beyond the year 9999.
    pub fn issued_by(ca: &Signer, role: Role, common_name: &str, key: &PublicKey, days: u32) -> Result<Self> {
        let issuer = ca.certificate();
        if !issuer.is_ca() {
            return Err(Error::CertificateIssuer { subject: issuer.subject() });
        }
        let profile = Profile {
            role,
            subject: name(common_name)?,
            issuer: issuer.decoded.tbs_certificate().subject().clone(),
            issuer_key_id: Some(issuer.key_id.clone()),
        };
        profile.build(key, ca.key(), days)
    }

    /// Reads a certificate, as PEM or DER. In a PEM file with several blocks, the first certificate counts.
    ///
    /// # Errors
    ///
    /// [`Error::CertificateEncoding`], [`Error::CertificateKeyId`] if it has no subject key identifier,
    /// [`Error::KeyUnsupported`] or [`Error::KeyMalformed`] if the kernel can't use its key.
    pub fn read(file: &[u8]) -> Result<Self> {
        let document = match pem::block(file, "CERTIFICATE") {
            Some(block) => Document::from_pem(block).map(|(_, document)| document),
            None => Document::try_from(file),
        };
        Self::from_document(document.map_err(Error::CertificateEncoding)?)
    }

    fn from_document(der: Document) -> Result<Self> {
        let decoded = x509_cert::Certificate::from_der(der.as_bytes()).map_err(Error::CertificateEncoding)?;
        let fields = decoded.tbs_certificate();
        let (_, SubjectKeyIdentifier(key_id)) =
            fields.get_extension().map_err(Error::CertificateEncoding)?.ok_or(Error::CertificateKeyId)?;
        let key = PublicKey::from_spki(fields.subject_public_key_info().owned_to_ref())?;
        Ok(Certificate { key_id: KeyId(key_id.into_bytes().into()), key, decoded, der })
    }

    /// The certificate as DER, for a keyring.
    pub fn to_der(&self) -> &[u8] {
        self.der.as_bytes()
    }

    /// The certificate as PEM.
    pub fn to_pem(&self) -> String {
        self.der.to_pem("CERTIFICATE", LineEnding::LF).expect("DER fits into PEM")
    }

    /// Whether the certificate is for this key.
    pub fn matches(&self, key: &PrivateKey) -> bool {
        self.key == key.public_key()
    }

    /// How a CMS message names this certificate's key.
    pub fn subject_key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The certificate's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The subject's distinguished name, such as `CN=someone`.
    pub fn subject(&self) -> String {
        self.decoded.tbs_certificate().subject().to_string()
    }

    /// The issuer's distinguished name.
    pub fn issuer(&self) -> String {
        self.decoded.tbs_certificate().issuer().to_string()
    }

    /// From when on the certificate is valid. The kernel does not look at it.
    pub fn not_before(&self) -> SystemTime {
        self.decoded.tbs_certificate().validity().not_before.to_system_time()
    }

    /// When the certificate expires. The kernel does not look at it.
    pub fn not_after(&self) -> SystemTime {
        self.decoded.tbs_certificate().validity().not_after.to_system_time()
    }

    fn is_ca(&self) -> bool {
        let constraints = self.decoded.tbs_certificate().get_extension::<BasicConstraints>();
        matches!(constraints, Ok(Some((_, BasicConstraints { ca: true, .. }))))
    }
}

/// A private key and its certificate.
#[derive(Clone, Debug)]
pub struct Signer {
    key: PrivateKey,
    certificate: Certificate,
}

impl Signer {
    /// Puts a key and its certificate together.
    ///
    /// # Errors
    ///
    /// [`Error::CertificateMismatch`] if they don't belong together.
    pub fn new(key: PrivateKey, certificate: Certificate) -> Result<Self> {
        if !certificate.matches(&key) {
            return Err(Error::CertificateMismatch { subject: certificate.subject() });
        }
        Ok(Signer { key, certificate })
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// What goes into a certificate besides keys and dates.
struct Profile {
    role: Role,
    subject: Name,
    issuer: Name,
    /// `None`: signed by itself.
    issuer_key_id: Option<KeyId>,
}

impl Profile {
    fn build(self, key: &PublicKey, issuer: &PrivateKey, days: u32) -> Result<Certificate> {
        let spki = key.to_spki().map_err(builder::Error::from)?;
        let mut builder = CertificateBuilder::new(self, serial_number()?, validity(days)?, spki)?;
        let tbs = builder.finalize(issuer)?;
        let signature = BitString::from_bytes(&issuer.sign(&tbs)?).map_err(builder::Error::from)?;
        let certificate = builder.assemble(signature, issuer)?;
        let der = Document::encode_msg(&certificate).map_err(builder::Error::from)?;
        Certificate::from_document(der)
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
        let subject_key_id = SubjectKeyIdentifier::try_from(key)?;
        let issuer_key_id = match &self.issuer_key_id {
            Some(KeyId(id)) => der::asn1::OctetString::new(id.as_slice())?,
            None => subject_key_id.0.clone(),
        };
        let usage = match self.role {
            Role::Ca => KeyUsages::KeyCertSign,
            Role::Signer => KeyUsages::DigitalSignature,
        };

        let constraints = BasicConstraints { ca: self.role == Role::Ca, path_len_constraint: None };
        let authority = AuthorityKeyIdentifier { key_identifier: Some(issuer_key_id), ..Default::default() };
        let none = Extensions::new();
        Ok(vec![
            constraints.to_extension(tbs.subject(), &none)?,
            KeyUsage(usage.into()).to_extension(tbs.subject(), &none)?,
            subject_key_id.to_extension(tbs.subject(), &none)?,
            authority.to_extension(tbs.subject(), &none)?,
        ])
    }
}

/// A distinguished name with nothing but a common name. (`Name` itself can only be parsed.)
fn name(common_name: &str) -> Result<Name> {
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

/// 126 random bits, positive and always as long.
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
