//! Authenticode: how Windows signs PE images.
//!
//! A PKCS#7 (RFC 2315) `SignedData` over an `SpcIndirectDataContent`, which names the digest of the image, as Microsoft's
//! "Windows Authenticode Portable Executable Signature Format" describes it. Made with SHA-256, the signer's certificate
//! and no time, so that the same input always gives the same bytes.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo,
    SignerInfos,
};
use der::asn1::{Any, ObjectIdentifier, OctetString, OctetStringRef, SetOfVec};
use der::oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use der::oid::db::rfc5912::ID_SHA_256;
use der::{Decode, Encode, Reader, Sequence, SliceReader};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::{Attribute, AttributeTypeAndValue};

use crate::certificate::{Certificate, Signer};
use crate::cms::only_value;
use crate::pe::{Image, PeError};
use crate::{Digest, Error};

/// `SPC_INDIRECT_DATA_OBJID`.
const INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
/// `SPC_SP_OPUS_INFO_OBJID`: a signed attribute with the program's name and a link, both optional.
const OPUS_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.12");
/// `SPC_PE_IMAGE_DATAOBJ`.
const PE_IMAGE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");

/// `SpcPeImageData` as everybody writes it: no flags, and an empty file name.
const EMPTY_IMAGE_DATA: [u8; 11] = [0x30, 9, 0x03, 1, 0, 0xa0, 4, 0xa2, 2, 0x80, 0];
/// An empty `SEQUENCE`.
const EMPTY_SEQUENCE: [u8; 2] = [0x30, 0];

/// Why a PE image can't be signed, or why its signature does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticodeError {
    /// Not a sound PE image.
    #[error(transparent)]
    Pe(#[from] PeError),
    /// No signature.
    #[error("the PE image has no Authenticode signature")]
    Unsigned,
    /// Something that is not a DER encoded SignedData.
    #[error("the Authenticode signature is not a DER encoded PKCS#7 message")]
    Encoding(#[from] der::Error),
    /// A signature that is put together in another way.
    #[error("Authenticode signature: {0}")]
    Profile(&'static str),
    /// A signature of another image.
    #[error("the image is not the one that was signed: its digest is {actual}, signed {signed}")]
    Digest {
        /// The image's.
        actual: Digest,
        /// The one in the signature.
        signed: Digest,
    },
    /// A key of an algorithm that Windows does not check images with.
    #[error("PE images are not signed with ML-DSA: Authenticode takes RSA and ECDSA keys")]
    MlDsa,
    /// A key that failed, a certificate that can't be used, a wrong signature.
    #[error(transparent)]
    Signer(#[from] Error),
}

/// What is signed: an image, by its digest.
#[derive(Sequence)]
struct IndirectData {
    data: AttributeTypeAndValue,
    message_digest: DigestInfo,
}

#[derive(Sequence)]
struct DigestInfo {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

/// Signs an image, in place of the signature that it has.
///
/// # Errors
///
/// [`AuthenticodeError::Pe`], [`AuthenticodeError::MlDsa`], [`AuthenticodeError::Signer`].
pub fn sign(image: &[u8], signer: &Signer) -> Result<Vec<u8>, AuthenticodeError> {
    check_algorithm(signer.certificate())?;
    let image = Image::parse(image)?;
    Ok(image.with_signature(&message(image.digest(), signer)?)?)
}

fn check_algorithm(signer: &Certificate) -> Result<(), AuthenticodeError> {
    if signer.public_key().digests_itself() { Err(AuthenticodeError::MlDsa) } else { Ok(()) }
}

fn message(digest: Digest, signer: &Signer) -> Result<Vec<u8>, AuthenticodeError> {
    let sha256 = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: Some(Any::null()) };
    let content = Any::encode_from(&IndirectData {
        data: AttributeTypeAndValue { oid: PE_IMAGE_DATA, value: Any::from_der(&EMPTY_IMAGE_DATA)? },
        message_digest: DigestInfo { algorithm: sha256.clone(), digest: OctetString::new(digest.0)? },
    })?;
    let attributes = SetOfVec::try_from(vec![
        attribute(ID_CONTENT_TYPE, Any::encode_from(&INDIRECT_DATA)?)?,
        attribute(
            ID_MESSAGE_DIGEST,
            Any::encode_from(&OctetStringRef::new(&Digest::of(content.value()).0)?)?,
        )?,
        attribute(OPUS_INFO, Any::from_der(&EMPTY_SEQUENCE)?)?,
    ])?;
    let signature = signer.sign(&attributes.to_der()?)?;

    let certificate = x509_cert::Certificate::from_der(signer.certificate().to_der())?;
    let fields = certificate.tbs_certificate();
    let signer_info = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: fields.issuer().clone(),
            serial_number: fields.serial_number().clone(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: Some(attributes),
        signature_algorithm: signer.certificate().public_key().cms_signature_algorithm(),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let signed_data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from([sha256])?,
        encap_content_info: EncapsulatedContentInfo { econtent_type: INDIRECT_DATA, econtent: Some(content) },
        certificates: Some(CertificateSet::try_from(vec![CertificateChoices::Certificate(certificate)])?),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from([signer_info])?),
    };
    Ok(ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&signed_data)? }.to_der()?)
}

fn attribute(oid: ObjectIdentifier, value: Any) -> der::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from([value])? })
}

/// A signature in an image, and the certificates that came with it.
#[derive(Clone, Debug)]
pub struct Signature {
    data: SignedData,
    signer: Certificate,
    others: Vec<Vec<u8>>,
}

impl Signature {
    /// Reads the signature of an image. Only its form is checked.
    ///
    /// # Errors
    ///
    /// [`AuthenticodeError::Unsigned`], [`AuthenticodeError::Encoding`], [`AuthenticodeError::Profile`] if it is made
    /// in a way that is not supported, [`AuthenticodeError::Signer`] if the signer's certificate can't be used.
    pub fn read(image: &Image<'_>) -> Result<Self, AuthenticodeError> {
        let table = image.signature()?.ok_or(AuthenticodeError::Unsigned)?;
        let mut reader = SliceReader::new(table)?;
        let outer = ContentInfo::decode(&mut reader)?;
        let rest = reader.read_slice(reader.remaining_len())?;
        require(rest.iter().all(|byte| *byte == 0), "something follows it in the certificate table")?;
        require(outer.content_type == ID_SIGNED_DATA, "it is not SignedData")?;
        let data: SignedData = outer.content.decode_as()?;
        require(data.encap_content_info.econtent_type == INDIRECT_DATA, "it is not about a PE image")?;

        let [signer] = data.signer_infos.0.as_slice() else {
            return Err(AuthenticodeError::Profile("it does not have exactly one signer"));
        };
        let SignerIdentifier::IssuerAndSerialNumber(name) = &signer.sid else {
            return Err(AuthenticodeError::Profile("the signer is not named by issuer and serial number"));
        };
        let (mut certificate, mut others) = (None, Vec::new());
        for choice in data.certificates.iter().flat_map(|set| set.0.iter()) {
            let CertificateChoices::Certificate(candidate) = choice else { continue };
            let fields = candidate.tbs_certificate();
            if *fields.issuer() == name.issuer && *fields.serial_number() == name.serial_number {
                certificate = Some(Certificate::read(&candidate.to_der()?)?);
            } else {
                others.push(candidate.to_der()?);
            }
        }
        let signer =
            certificate.ok_or(AuthenticodeError::Profile("the signer's certificate is not in it"))?;
        Ok(Self { data, signer, others })
    }

    /// The signer's certificate. Whether to trust it is another question.
    pub fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// The other certificates, DER encoded.
    pub fn other_certificates(&self) -> &[Vec<u8>] {
        &self.others
    }

    /// Checks that the signer has signed this image.
    ///
    /// # Errors
    ///
    /// [`AuthenticodeError::Digest`] if it was another image, [`AuthenticodeError::Profile`],
    /// [`AuthenticodeError::MlDsa`], [`AuthenticodeError::Signer`] with [`Error::WrongSignature`].
    pub fn verify(&self, image: &Image<'_>) -> Result<(), AuthenticodeError> {
        check_algorithm(&self.signer)?;
        let content = self.data.encap_content_info.econtent.as_ref();
        let content = content.ok_or(AuthenticodeError::Profile("it has no content"))?;
        let indirect: IndirectData = content.decode_as()?;
        let (actual, signed) = (image.digest(), sha256(&indirect.message_digest)?);
        if actual != signed {
            return Err(AuthenticodeError::Digest { actual, signed });
        }

        let [signer] = self.data.signer_infos.0.as_slice() else { unreachable!("`read` has seen to it") };
        require(signer.digest_alg.oid == ID_SHA_256, "its digest algorithm is not SHA-256")?;
        let attributes = signer.signed_attrs.as_ref();
        let attributes = attributes.ok_or(AuthenticodeError::Profile("it has no signed attributes"))?;
        let content_type: ObjectIdentifier = value(attributes, ID_CONTENT_TYPE)?.decode_as()?;
        require(content_type == INDIRECT_DATA, "its content type contradicts its signed attribute")?;
        let message_digest: OctetString = value(attributes, ID_MESSAGE_DIGEST)?.decode_as()?;
        require(
            message_digest.as_bytes() == Digest::of(content.value()).0,
            "its content is not the one that was signed",
        )?;
        Ok(self.signer.public_key().verify(&attributes.to_der()?, signer.signature.as_bytes())?)
    }
}

fn sha256(info: &DigestInfo) -> Result<Digest, AuthenticodeError> {
    require(info.algorithm.oid == ID_SHA_256, "the image's digest is not SHA-256")?;
    let digest = info.digest.as_bytes().try_into();
    Ok(Digest(digest.map_err(|_| AuthenticodeError::Profile("the image's digest is not SHA-256"))?))
}

fn value(attributes: &SignedAttributes, oid: ObjectIdentifier) -> Result<&Any, AuthenticodeError> {
    const MISSING: AuthenticodeError =
        AuthenticodeError::Profile("a signed attribute is missing, or there are several");
    only_value(attributes, oid).ok_or(MISSING)
}

fn require(condition: bool, otherwise: &'static str) -> Result<(), AuthenticodeError> {
    if condition { Ok(()) } else { Err(AuthenticodeError::Profile(otherwise)) }
}
