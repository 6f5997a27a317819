//! X.509 certificates, and keys together with them.

mod build;
mod purpose;
mod request;
mod signer;

pub use purpose::{DOCUMENTATION_PEN, Purpose, Role, Usage};
pub use request::Request;
pub use signer::Signer;

use std::time::SystemTime;

use der::asn1::ObjectIdentifier;
use der::oid::db::rfc5280::ANY_EXTENDED_KEY_USAGE;
use der::pem::LineEnding;
use der::referenced::OwnedToRef;
use der::{Decode, Document, ErrorKind};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectKeyIdentifier};

use build::Profile;

use crate::key::{KeyId, PublicKey, SigningKey};
use crate::{Error, Result, pem};

/// An X.509 certificate that the kernel can use: it has a subject key identifier and a supported key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Document,
    decoded: x509_cert::Certificate,
    key: PublicKey,
    key_id: KeyId,
    /// `None`: for everything.
    extended_key_usage: Option<Vec<ObjectIdentifier>>,
}

impl Certificate {
    /// Makes a certificate for `key`, signed by itself, valid from now.
    ///
    /// # Errors
    ///
    /// [`Error::CommonName`], [`Error::Validity`] if there are no days, or they lead beyond the year 9999, and what
    /// keeps the key from signing.
    pub fn self_signed(
        usage: impl Into<Usage>,
        common_name: &str,
        key: &dyn SigningKey,
        days: u32,
    ) -> Result<Self> {
        let subject = build::name(common_name)?;
        let profile = Profile { usage: usage.into(), issuer: subject.clone(), subject, issuer_key_id: None };
        profile.build(&key.public_key(), key, days)
    }

    /// Makes a certificate for `key`, issued by a CA, valid from now.
    ///
    /// # Errors
    ///
    /// [`Error::CertificateIssuer`] if `ca` is not a CA, [`Error::CommonName`], [`Error::Validity`] if there are no days,
    /// or they lead beyond the year 9999, and what keeps the CA's key from signing.
    pub fn issued_by(
        ca: &Signer,
        usage: impl Into<Usage>,
        common_name: &str,
        key: &PublicKey,
        days: u32,
    ) -> Result<Self> {
        Profile::of_issuer(ca, usage.into(), build::name(common_name)?)?.build(key, ca.key(), days)
    }

    /// Makes the certificate that a request asks for, for the subject and the key in it, valid from now. What it may be
    /// used for is the CA's decision, not the request's.
    ///
    /// # Errors
    ///
    /// As [`issued_by`](Certificate::issued_by).
    pub fn issued_for(ca: &Signer, usage: impl Into<Usage>, request: &Request, days: u32) -> Result<Self> {
        let profile = Profile::of_issuer(ca, usage.into(), request.name().clone())?;
        profile.build(request.public_key(), ca.key(), days)
    }

    /// Reads a certificate, as PEM or DER. In a PEM file with several blocks, the first certificate counts.
    ///
    /// # Errors
    ///
    /// [`Error::Holds`], [`Error::CertificateEncoding`], [`Error::CertificateFollowed`] if a DER file has several,
    /// [`Error::CertificateKeyId`] if it has no subject key identifier, [`Error::KeyUnsupported`] or
    /// [`Error::KeyMalformed`] if the kernel can't use its key.
    pub fn read(file: &[u8]) -> Result<Self> {
        let document = match pem::needed(file, pem::CERTIFICATE)? {
            Some(block) => Document::from_pem(block).map_err(Error::CertificateEncoding)?.1,
            None => Document::try_from(file).map_err(|error| match error.kind() {
                ErrorKind::TrailingData { .. } => Error::CertificateFollowed,
                _ => Error::CertificateEncoding(error),
            })?,
        };
        Self::from_document(document)
    }

    fn from_document(der: Document) -> Result<Self> {
        let decoded = x509_cert::Certificate::from_der(der.as_bytes()).map_err(Error::CertificateEncoding)?;
        let fields = decoded.tbs_certificate();
        let (_, SubjectKeyIdentifier(key_id)) =
            fields.get_extension().map_err(Error::CertificateEncoding)?.ok_or(Error::CertificateKeyId)?;
        let key = PublicKey::from_spki(fields.subject_public_key_info().owned_to_ref())?;
        let extended_key_usage = fields
            .get_extension::<ExtendedKeyUsage>()
            .map_err(Error::CertificateEncoding)?
            .map(|(_, ExtendedKeyUsage(purposes))| purposes);
        Ok(Certificate { key_id: KeyId(key_id.into_bytes().into()), key, extended_key_usage, decoded, der })
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
    pub fn matches(&self, key: &dyn SigningKey) -> bool {
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

    /// When the certificate becomes valid. The kernel ignores it.
    pub fn not_before(&self) -> SystemTime {
        self.decoded.tbs_certificate().validity().not_before.to_system_time()
    }

    /// When the certificate expires. The kernel ignores it.
    pub fn not_after(&self) -> SystemTime {
        self.decoded.tbs_certificate().validity().not_after.to_system_time()
    }

    /// The extended key usages, if the certificate is limited to some.
    pub fn extended_key_usage(&self) -> Option<&[ObjectIdentifier]> {
        self.extended_key_usage.as_deref()
    }

    /// Whether the certificate may be used for a purpose: it says so, or it is not limited. The purposes are numbered by
    /// the owner of the private enterprise number `pen`.
    pub fn allows(&self, purpose: Purpose, pen: u32) -> bool {
        self.extended_key_usage.as_deref().is_none_or(|purposes| {
            purposes.contains(&purpose.oid(pen)) || purposes.contains(&ANY_EXTENDED_KEY_USAGE)
        })
    }

    fn is_ca(&self) -> bool {
        let constraints = self.decoded.tbs_certificate().get_extension::<BasicConstraints>();
        matches!(constraints, Ok(Some((_, BasicConstraints { ca: true, .. }))))
    }
}
