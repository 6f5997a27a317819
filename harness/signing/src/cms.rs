//! The CMS message that goes into the `signature` attribute of `BPF_PROG_LOAD`.
//!
//! RFC 5652 `SignedData` in the profile that `kernel-patch/README.md` specifies: one signer, named by its subject key
//! identifier, SHA-256 (ML-DSA digests the content itself), no certificates, no attributes but a [timestamp](crate::timestamp).
//! The same input always gives the same bytes.

use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{Any, ObjectIdentifier, OctetString, OctetStringRef, SetOfVec};
use der::oid::db::fips204::{ID_ML_DSA_44, ID_ML_DSA_65, ID_ML_DSA_87};
use der::oid::db::rfc3161::ID_AA_TIME_STAMP_TOKEN;
use der::oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use der::oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_SHA_256, ID_SHA_512, RSA_ENCRYPTION};
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use crate::certificate::{Certificate, Signer};
use crate::key::KeyId;
use crate::{Error, Result, oid};

/// The kernel's limit for a message, in bytes.
pub const MAX_SIZE: usize = 16384;

/// Signs `content` and puts it into the message, as for a statement.
///
/// # Errors
///
/// [`Error::CmsSize`] if the message is too long for the kernel, [`Error::Signing`].
pub fn sign_attached(content: &[u8], signer: &Signer) -> Result<Vec<u8>> {
    let octets = OctetStringRef::new(content).map_err(Error::CmsEncoding)?;
    sign(content, Some(Any::from(octets)), signer)
}

/// Signs `content` and leaves it out of the message, as `sign-file -dk` does.
///
/// # Errors
///
/// [`Error::CmsSize`] if the message is too long for the kernel, [`Error::Signing`].
pub fn sign_detached(content: &[u8], signer: &Signer) -> Result<Vec<u8>> {
    sign(content, None, signer)
}

fn sign(content: &[u8], attached: Option<Any>, signer: &Signer) -> Result<Vec<u8>> {
    let signature = signer.sign(content)?;
    let message = encode(attached, signer.certificate(), signature).map_err(Error::CmsEncoding)?;
    check_size(&message)?;
    Ok(message)
}

fn encode(attached: Option<Any>, certificate: &Certificate, signature: Vec<u8>) -> der::Result<Vec<u8>> {
    let signature_algorithm = certificate.public_key().cms_signature_algorithm();
    let digest_alg =
        AlgorithmIdentifierOwned { oid: digest_algorithm(&signature_algorithm), parameters: None };
    let key_id = OctetString::new(certificate.subject_key_id().0.as_slice())?;
    let signer_info = SignerInfo {
        version: CmsVersion::V3,
        sid: SignerIdentifier::SubjectKeyIdentifier(SubjectKeyIdentifier(key_id)),
        digest_alg: digest_alg.clone(),
        signed_attrs: None,
        signature_algorithm,
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let signed_data = SignedData {
        version: CmsVersion::V3,
        digest_algorithms: SetOfVec::try_from([digest_alg])?,
        encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: attached },
        certificates: None,
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from([signer_info])?),
    };
    ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&signed_data)? }.to_der()
}

/// A message with a timestamp of its signature: a `TimeStampToken`, which is not checked. One that it has is replaced.
///
/// # Errors
///
/// As [`Message::parse`], and [`Error::CmsSize`] if the message becomes too long for the kernel.
pub fn with_timestamp(message: &[u8], token: &[u8]) -> Result<Vec<u8>> {
    Message::parse(message)?;
    let message = add_timestamp(message, token).map_err(Error::CmsEncoding)?;
    check_size(&message)?;
    Ok(message)
}

fn add_timestamp(message: &[u8], token: &[u8]) -> der::Result<Vec<u8>> {
    let outer = ContentInfo::from_der(message)?;
    let mut data: SignedData = outer.content.decode_as()?;
    let values = SetOfVec::try_from([Any::from_der(token)?])?;
    let attribute = Attribute { oid: ID_AA_TIME_STAMP_TOKEN, values };
    let mut signers = data.signer_infos.0.into_vec();
    for signer in &mut signers {
        signer.unsigned_attrs = Some(SetOfVec::try_from([attribute.clone()])?);
    }
    data.signer_infos = SignerInfos(SetOfVec::try_from(signers)?);
    ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&data)? }.to_der()
}

fn check_size(message: &[u8]) -> Result<()> {
    if message.len() > MAX_SIZE { Err(Error::CmsSize(message.len())) } else { Ok(()) }
}

/// A message in the profile that has been read but not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    content: Option<Vec<u8>>,
    signer: KeyId,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    timestamp: Option<Vec<u8>>,
}

impl Message {
    /// Reads a message, as strictly as the specification asks for.
    ///
    /// # Errors
    ///
    /// [`Error::CmsSize`], [`Error::CmsEncoding`] if it is not a DER encoded SignedData, [`Error::CmsProfile`] if it is
    /// outside of the profile.
    pub fn parse(der: &[u8]) -> Result<Self> {
        check_size(der)?;
        let outer = ContentInfo::from_der(der).map_err(Error::CmsEncoding)?;
        require(outer.content_type == ID_SIGNED_DATA, "it is not SignedData")?;
        let data: SignedData = outer.content.decode_as().map_err(Error::CmsEncoding)?;

        require(data.version == CmsVersion::V3, "the version of SignedData is not 3")?;
        require(data.certificates.is_none(), "it includes certificates")?;
        require(data.crls.is_none(), "it includes revocation lists")?;
        require(data.encap_content_info.econtent_type == ID_DATA, "its content is not id-data")?;
        let content = match data.encap_content_info.econtent {
            Some(content) => {
                Some(content.decode_as::<OctetString>().map_err(Error::CmsEncoding)?.into_bytes().into())
            }
            None => None,
        };

        let [signer] = <[SignerInfo; 1]>::try_from(data.signer_infos.0.into_vec())
            .map_err(|_| Error::CmsProfile("it does not have exactly one signer"))?;
        let SignerIdentifier::SubjectKeyIdentifier(SubjectKeyIdentifier(key_id)) = signer.sid else {
            return Err(Error::CmsProfile("the signer is not named by its subject key identifier"));
        };
        require(signer.version == CmsVersion::V3, "the version of SignerInfo is not 3")?;
        require(
            matches!(data.digest_algorithms.as_slice(), [algorithm] if is_digest_for(algorithm, &signer.signature_algorithm))
                && is_digest_for(&signer.digest_alg, &signer.signature_algorithm),
            "the digest algorithm is not SHA-256 alone, or SHA-512 with ML-DSA",
        )?;
        require(signer.signed_attrs.is_none(), "it has signed attributes")?;
        let timestamp = match &signer.unsigned_attrs {
            Some(attributes) if attributes.len() == 1 => only_value(attributes, ID_AA_TIME_STAMP_TOKEN),
            _ => None,
        };
        require(
            timestamp.is_some() || signer.unsigned_attrs.is_none(),
            "it has unsigned attributes other than one timestamp",
        )?;
        let timestamp = timestamp.map(Any::to_der).transpose().map_err(Error::CmsEncoding)?;

        Ok(Message {
            content,
            signer: KeyId(key_id.into_bytes().into()),
            signature_algorithm: signer.signature_algorithm,
            signature: signer.signature.into_bytes().into(),
            timestamp,
        })
    }

    /// The subject key identifier of the signer, as the message has it.
    pub fn signer(&self) -> &KeyId {
        &self.signer
    }

    /// The signature algorithm, in words.
    pub fn algorithm(&self) -> String {
        match self.signature_algorithm.oid {
            RSA_ENCRYPTION => "RSA with SHA-256".to_owned(),
            ECDSA_WITH_SHA_256 => "ECDSA with SHA-256".to_owned(),
            ID_ML_DSA_44 => "ML-DSA-44".to_owned(),
            ID_ML_DSA_65 => "ML-DSA-65".to_owned(),
            ID_ML_DSA_87 => "ML-DSA-87".to_owned(),
            other => oid::name(&other),
        }
    }

    /// The signature's value, which a message without a timestamp ends with.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The `TimeStampToken` that is with the signature, for [`Timestamp::parse`](crate::timestamp::Timestamp::parse). Not
    /// checked, and not covered by the signature.
    pub fn timestamp(&self) -> Option<&[u8]> {
        self.timestamp.as_deref()
    }

    /// The attached content, not verified; `None` if the message is detached.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// Checks the signature over the attached content and returns the content.
    ///
    /// # Errors
    ///
    /// [`Error::CmsContent`] if the message is detached, [`Error::UnknownSigner`] if another key signed,
    /// [`Error::CmsProfile`] if the key is not of the signature's algorithm, [`Error::WrongSignature`].
    pub fn verify(&self, certificate: &Certificate) -> Result<&[u8]> {
        let content = self.content().ok_or(Error::CmsContent { attached: false })?;
        self.verify_over(content, certificate)?;
        Ok(content)
    }

    /// Checks the signature of a detached message over `content`.
    ///
    /// # Errors
    ///
    /// As [`verify`](Message::verify), but [`Error::CmsContent`] if the message has its content attached.
    pub fn verify_detached(&self, content: &[u8], certificate: &Certificate) -> Result<()> {
        match self.content {
            Some(_) => Err(Error::CmsContent { attached: true }),
            None => self.verify_over(content, certificate),
        }
    }

    fn verify_over(&self, content: &[u8], certificate: &Certificate) -> Result<()> {
        if self.signer != *certificate.subject_key_id() {
            return Err(Error::UnknownSigner {
                signer: self.signer.clone(),
                certificate: certificate.subject_key_id().clone(),
            });
        }
        let key = certificate.public_key();
        require(
            self.signature_algorithm == key.cms_signature_algorithm(),
            "the signature algorithm is not the one that the signer's key needs",
        )?;
        key.verify(content, &self.signature)
    }
}

fn require(condition: bool, otherwise: &'static str) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::CmsProfile(otherwise)) }
}

/// The only value of the only attribute of a type.
pub(crate) fn only_value(attributes: &SignedAttributes, oid: ObjectIdentifier) -> Option<&Any> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    let values = found.next().map_or(&[][..], |attribute| attribute.values.as_slice());
    match (values, found.next()) {
        ([value], None) => Some(value),
        _ => None,
    }
}

/// ML-DSA digests the content itself: what a message says has no meaning, and is the same in all of them (RFC 9882, 3.3).
fn digest_algorithm(signature: &AlgorithmIdentifierOwned) -> ObjectIdentifier {
    match signature.oid {
        ID_ML_DSA_44 | ID_ML_DSA_65 | ID_ML_DSA_87 => ID_SHA_512,
        _ => ID_SHA_256,
    }
}

/// RFC 5754 has writers leave out the parameters and readers take NULL as well.
fn is_digest_for(algorithm: &AlgorithmIdentifierOwned, signature: &AlgorithmIdentifierOwned) -> bool {
    let parameters = &algorithm.parameters;
    algorithm.oid == digest_algorithm(signature)
        && parameters.as_ref().is_none_or(|parameters| *parameters == Any::null())
}
