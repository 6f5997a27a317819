//! Timestamps (RFC 3161, RFC 5816): an authority's word that a signature existed at some time, so that the signature still
//! counts when its signer's certificate has expired.
//!
//! A timestamp is of the value of a signature, and is kept in the message as an unsigned attribute (RFC 3161, appendix A),
//! which neither the signature covers nor the kernel looks at. It is itself a CMS message, by the authority.

mod asn1;
mod error;

pub use error::TimestampError;

use std::time::{Duration, SystemTime};

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedAttributes, SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{Any, GeneralizedTime, Int, ObjectIdentifier, OctetString};
use der::oid::db::fips204::{ID_ML_DSA_44, ID_ML_DSA_65, ID_ML_DSA_87};
use der::oid::db::rfc3161::ID_CT_TST_INFO;
use der::oid::db::rfc5911::{
    ID_AA_SIGNING_CERTIFICATE, ID_AA_SIGNING_CERTIFICATE_V_2, ID_CONTENT_TYPE, ID_MESSAGE_DIGEST,
    ID_SIGNED_DATA,
};
use der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_KP_TIME_STAMPING, ID_SHA_256, ID_SHA_384,
    ID_SHA_512, RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION,
    SHA_512_WITH_RSA_ENCRYPTION,
};
use der::{Decode, Encode, Tag, Tagged};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectKeyIdentifier};

use self::asn1::{Accuracy, Info, MessageImprint, Request, Response, SigningCertificate};
use crate::Digest;
use crate::certificate::Certificate;
use crate::cms::only_value;
use crate::trust::{self, ExpectedUsage};

/// The version of requests and of what authorities sign.
const VERSION: u8 = 1;

const MISSING: TimestampError =
    TimestampError::Profile("a signed attribute is missing, or there are several");

/// A request for a timestamp of a signature's value: DER, as authorities take it (`application/timestamp-query`).
///
/// It asks for the authority's certificate to be in the timestamp. The nonce is there so that nobody on the way answers with
/// what was asked before. It need not be compared: an older timestamp of the same signature would only say more.
///
/// # Errors
///
/// [`TimestampError::Nonce`].
pub fn request(signature: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| TimestampError::Nonce(error.to_string()))?;
    // A positive number, always of the same length.
    nonce[0] = nonce[0] & 0x3f | 0x40;
    let request = Request {
        version: VERSION,
        message_imprint: MessageImprint {
            hash_algorithm: AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None },
            hashed_message: OctetString::new(Digest::of(signature).0)?,
        },
        policy: None,
        nonce: Some(Int::new(&nonce)?),
        cert_req: true,
        extensions: None,
    };
    Ok(request.to_der()?)
}

/// A timestamp that has been read. Only its form is checked.
#[derive(Clone, Debug)]
pub struct Timestamp {
    token: Vec<u8>,
    /// DER encoded.
    content: Vec<u8>,
    info: Info,
    time: SystemTime,
    signer: SignerInfo,
    authority: Certificate,
    others: Vec<Certificate>,
}

impl Timestamp {
    /// The timestamp in an authority's answer (`application/timestamp-reply`).
    ///
    /// # Errors
    ///
    /// [`TimestampError::Response`], [`TimestampError::Refused`] if there is none in it, and those of
    /// [`parse`](Self::parse).
    pub fn from_answer(answer: &[u8]) -> Result<Self, TimestampError> {
        let Response { status, token } = Response::from_der(answer).map_err(TimestampError::Response)?;
        match (status.status, token) {
            // Granted, as asked or with modifications.
            (0 | 1, Some(token)) => Self::parse(&token.to_der()?),
            _ => Err(TimestampError::refused(&status)),
        }
    }

    /// Reads a `TimeStampToken`.
    ///
    /// # Errors
    ///
    /// [`TimestampError::Encoding`], [`TimestampError::Profile`] if it is not one, or made in a way that is not supported,
    /// [`TimestampError::Certificate`] if the authority's certificate can't be used.
    pub fn parse(token: &[u8]) -> Result<Self, TimestampError> {
        let outer = ContentInfo::from_der(token)?;
        require(outer.content_type == ID_SIGNED_DATA, "it is not SignedData")?;
        let data: SignedData = outer.content.decode_as()?;
        let content = data.encap_content_info;
        require(content.econtent_type == ID_CT_TST_INFO, "its content is something else")?;
        let content = content.econtent.ok_or(TimestampError::Profile("it has no content"))?;
        let content = content.decode_as::<OctetString>()?.into_bytes();
        let info = Info::from_der(&content)?;
        require(info.version == VERSION, "its version is not 1")?;
        let is_critical = info.extensions.iter().flatten().any(|extension| extension.critical);
        require(!is_critical, "it has a critical extension")?;

        let [signer] = <[SignerInfo; 1]>::try_from(data.signer_infos.0.into_vec())
            .map_err(|_| TimestampError::Profile("it does not have exactly one signer"))?;
        let (mut authority, mut others) = (None, Vec::new());
        for choice in data.certificates.iter().flat_map(|set| set.0.iter()) {
            let CertificateChoices::Certificate(candidate) = choice else { continue };
            let certificate = Certificate::read(&candidate.to_der()?);
            if is_named(candidate, &signer.sid)? {
                authority = Some(certificate.map_err(TimestampError::Certificate)?);
            } else {
                // Those that can't be read can't be used on the way to a CA.
                others.extend(certificate);
            }
        }
        let authority =
            authority.ok_or(TimestampError::Profile("the authority's certificate is not in it"))?;
        let time = time(&info.gen_time)?;
        Ok(Self { token: token.to_vec(), content: content.into(), info, time, signer, authority, others })
    }

    /// The `TimeStampToken`, DER encoded, for [`cms::with_timestamp`](crate::cms::with_timestamp).
    pub fn to_der(&self) -> &[u8] {
        &self.token
    }

    /// When the authority saw the signature, to the second.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// The time, and after it as much as the authority's clock may be slow.
    pub fn latest_time(&self) -> SystemTime {
        self.info.accuracy.as_ref().map_or(self.time, |accuracy| self.time + duration(accuracy))
    }

    /// The authority's certificate. Whether to trust it is another question.
    pub fn authority(&self) -> &Certificate {
        &self.authority
    }

    /// Checks that this is a timestamp of this signature's value, signed with the key in the authority's certificate, which
    /// was valid and for timestamps alone (RFC 3161, 2.3, and RFC 5816).
    ///
    /// # Errors
    ///
    /// [`TimestampError::Other`], [`TimestampError::Profile`], [`TimestampError::Wrong`], [`TimestampError::Usage`],
    /// [`TimestampError::Authority`].
    pub fn verify(&self, signature: &[u8]) -> Result<(), TimestampError> {
        let MessageImprint { hash_algorithm, hashed_message } = &self.info.message_imprint;
        require(hash_algorithm.oid == ID_SHA_256, "it is not over a SHA-256 digest")?;
        if hashed_message.as_bytes() != Digest::of(signature).0 {
            return Err(TimestampError::Other);
        }

        let digest_algorithm = &self.signer.digest_alg.oid;
        let attributes = self.signer.signed_attrs.as_ref();
        let attributes = attributes.ok_or(TimestampError::Profile("it has no signed attributes"))?;
        let value = |oid| only_value(attributes, oid).ok_or(MISSING);
        let content_type: ObjectIdentifier = value(ID_CONTENT_TYPE)?.decode_as()?;
        require(content_type == ID_CT_TST_INFO, "its content type contradicts its signed attribute")?;
        let message_digest: OctetString = value(ID_MESSAGE_DIGEST)?.decode_as()?;
        if *message_digest.as_bytes() != *digest(digest_algorithm, &self.content)? {
            return Err(TimestampError::Wrong);
        }
        self.check_certificate_id(attributes)?;
        self.check_usage()?;
        trust::check(&self.authority, &ExpectedUsage::timestamping(), self.time)?;

        let (key, signature) = (self.authority.public_key(), self.signer.signature.as_bytes());
        let signed = attributes.to_der()?;
        match self.signer.signature_algorithm.oid {
            // These leave the digest to the digest algorithm, or need none.
            RSA_ENCRYPTION | ID_ML_DSA_44 | ID_ML_DSA_65 | ID_ML_DSA_87 => match *digest_algorithm {
                ID_SHA_256 => key.verify_digested::<Sha256>(&signed, signature),
                ID_SHA_384 => key.verify_digested::<Sha384>(&signed, signature),
                _ => key.verify_digested::<Sha512>(&signed, signature),
            },
            SHA_256_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_256 => {
                key.verify_digested::<Sha256>(&signed, signature)
            }
            SHA_384_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_384 => {
                key.verify_digested::<Sha384>(&signed, signature)
            }
            SHA_512_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_512 => {
                key.verify_digested::<Sha512>(&signed, signature)
            }
            _ => return Err(TimestampError::Profile("its signature algorithm is not supported")),
        }
        .map_err(|_| TimestampError::Wrong)
    }

    /// Checks that a path of certificates leads from the authority to one of `cas`, all valid at the time of the timestamp.
    /// They may have expired since.
    ///
    /// # Errors
    ///
    /// [`TimestampError::Authority`].
    pub fn check_authority(&self, cas: &[Certificate]) -> Result<(), TimestampError> {
        let usage = ExpectedUsage::timestamping();
        Ok(trust::check_path(&self.authority, cas, &self.others, &usage, self.time)?)
    }

    /// The authority's certificate is the one that it says it has signed with (RFC 5816, 2.2.1). The first version of the
    /// attribute has SHA-1, which will do: an attacker would have to find a second certificate of the same digest.
    fn check_certificate_id(&self, attributes: &SignedAttributes) -> Result<(), TimestampError> {
        let second = only_value(attributes, ID_AA_SIGNING_CERTIFICATE_V_2);
        let is_first = second.is_none();
        let value = second.or_else(|| only_value(attributes, ID_AA_SIGNING_CERTIFICATE));
        let ids: SigningCertificate = value.ok_or(MISSING)?.decode_as()?;
        let id = ids.certificates.first().ok_or(TimestampError::Profile("it names no certificate"))?;
        let der = self.authority.to_der();
        let expected = match &id.hash_algorithm {
            Some(algorithm) => digest(&algorithm.oid, der)?,
            None if is_first => Sha1::digest(der).to_vec(),
            None => Sha256::digest(der).to_vec(),
        };
        require(*id.hash.as_bytes() == *expected, "it names another certificate than the one in it")
    }

    /// The extended key usage is critical and the only one.
    fn check_usage(&self) -> Result<(), TimestampError> {
        let certificate = x509_cert::Certificate::from_der(self.authority.to_der())?;
        match certificate.tbs_certificate().get_extension::<ExtendedKeyUsage>()? {
            Some((true, ExtendedKeyUsage(usages))) if usages == [ID_KP_TIME_STAMPING] => Ok(()),
            _ => Err(TimestampError::Usage { subject: self.authority.subject() }),
        }
    }
}

/// Whether a message names this certificate as its signer's.
fn is_named(certificate: &x509_cert::Certificate, sid: &SignerIdentifier) -> der::Result<bool> {
    let fields = certificate.tbs_certificate();
    Ok(match sid {
        SignerIdentifier::IssuerAndSerialNumber(name) => {
            *fields.issuer() == name.issuer && *fields.serial_number() == name.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(key_id) => {
            fields.get_extension::<SubjectKeyIdentifier>()?.is_some_and(|(_, own)| own == *key_id)
        }
    })
}

fn digest(algorithm: &ObjectIdentifier, message: &[u8]) -> Result<Vec<u8>, TimestampError> {
    match *algorithm {
        ID_SHA_256 => Ok(Sha256::digest(message).to_vec()),
        ID_SHA_384 => Ok(Sha384::digest(message).to_vec()),
        ID_SHA_512 => Ok(Sha512::digest(message).to_vec()),
        _ => Err(TimestampError::Profile("its digest algorithm is not SHA-256, SHA-384 or SHA-512")),
    }
}

/// A time without its fraction of a second.
fn time(value: &Any) -> der::Result<SystemTime> {
    let wrong = || Tag::GeneralizedTime.value_error();
    value.tag().assert_eq(Tag::GeneralizedTime)?;
    let text = value.value();
    let whole = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => {
            let fraction = text[point + 1..].strip_suffix(b"Z").ok_or_else(wrong)?;
            if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
                return Err(wrong().into());
            }
            [&text[..point], b"Z"].concat()
        }
        None => text.to_vec(),
    };
    let time: GeneralizedTime = Any::new(Tag::GeneralizedTime, whole)?.decode_as()?;
    Ok(time.to_system_time())
}

fn duration(accuracy: &Accuracy) -> Duration {
    Duration::from_secs(accuracy.seconds.unwrap_or(0).into())
        + Duration::from_millis(accuracy.millis.unwrap_or(0).into())
        + Duration::from_micros(accuracy.micros.unwrap_or(0).into())
}

fn require(condition: bool, otherwise: &'static str) -> Result<(), TimestampError> {
    if condition { Ok(()) } else { Err(TimestampError::Profile(otherwise)) }
}
