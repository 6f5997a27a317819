//! Certificate requests, PKCS#10 (RFC 2986).

use der::asn1::{BitString, SetOfVec};
use der::pem::LineEnding;
use der::referenced::OwnedToRef;
use der::{Decode, Document, Encode};
use x509_cert::attr::Attribute;
use x509_cert::builder;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};

use super::Usage;
use super::build::{extensions_of, name};
use crate::key::{PublicKey, SigningKey, sign};
use crate::{Error, Result, oid, pem};

/// A request for a certificate, signed by the key that it asks one for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    der: Document,
    decoded: CertReq,
    key: PublicKey,
}

impl Request {
    /// Asks for a certificate for `key`. The extensions that it should have are in the request, for CAs that copy them.
    ///
    /// # Errors
    ///
    /// [`Error::CommonName`], and what keeps the key from signing.
    pub fn new(usage: impl Into<Usage>, common_name: &str, key: &dyn SigningKey) -> Result<Self> {
        let subject = name(common_name)?;
        let public = key.public_key();
        let info = info(&usage.into(), subject, &public)?;
        let signature = sign(key, &info.to_der().map_err(builder::Error::from)?)?;
        let request = CertReq {
            info,
            algorithm: public.x509_signature_algorithm(),
            signature: BitString::from_bytes(&signature).map_err(builder::Error::from)?,
        };
        Ok(Request {
            der: Document::encode_msg(&request).map_err(builder::Error::from)?,
            decoded: request,
            key: public,
        })
    }

    /// Reads a request, as PEM or DER, and checks that it is signed by the key that is in it.
    ///
    /// # Errors
    ///
    /// [`Error::Holds`], [`Error::RequestEncoding`], [`Error::RequestAlgorithm`], [`Error::WrongSignature`], and
    /// [`Error::KeyUnsupported`] or [`Error::KeyMalformed`] if the kernel can't use the key.
    pub fn read(file: &[u8]) -> Result<Self> {
        let document = match pem::needed(file, pem::REQUEST)? {
            Some(block) => Document::from_pem(block).map(|(_, document)| document),
            None => Document::try_from(file),
        };
        let der = document.map_err(Error::RequestEncoding)?;
        let decoded = CertReq::from_der(der.as_bytes()).map_err(Error::RequestEncoding)?;
        let key = PublicKey::from_spki(decoded.info.public_key.owned_to_ref())?;
        if decoded.algorithm != key.x509_signature_algorithm() {
            return Err(Error::RequestAlgorithm(oid::name(&decoded.algorithm.oid)));
        }
        let signed = decoded.info.to_der().map_err(Error::RequestEncoding)?;
        let signature = decoded.signature.as_bytes().ok_or(Error::WrongSignature)?;
        key.verify(&signed, signature)?;
        Ok(Request { der, decoded, key })
    }

    /// The request as PEM.
    pub fn to_pem(&self) -> String {
        self.der.to_pem("CERTIFICATE REQUEST", LineEnding::LF).expect("DER fits into PEM")
    }

    /// The key that a certificate is asked for.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The subject's distinguished name, such as `CN=someone`.
    pub fn subject(&self) -> String {
        self.name().to_string()
    }

    pub(super) fn name(&self) -> &Name {
        &self.decoded.info.subject
    }
}

fn info(usage: &Usage, subject: Name, key: &PublicKey) -> builder::Result<CertReqInfo> {
    let public_key = key.to_spki()?;
    let extensions = extensions_of(usage, public_key.owned_to_ref(), &subject)?;
    let attributes = SetOfVec::try_from([Attribute::try_from(ExtensionReq(extensions))?])?;
    Ok(CertReqInfo { version: Version::V1, subject, public_key, attributes })
}
