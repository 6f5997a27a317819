//! The structures of RFC 3161, RFC 5035 and RFC 4210 that a timestamp takes, in the order of their fields there.
//!
//! The crate `x509-tsp` has some of them, but for the generation of the RustCrypto crates before this one.

use der::asn1::{Any, BitString, Int, ObjectIdentifier, OctetString};
use der::{Sequence, ValueOrd};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extensions;

/// `TimeStampReq`, RFC 3161, 2.4.1.
#[derive(Sequence)]
pub struct Request {
    pub version: u8,
    pub message_imprint: MessageImprint,
    #[asn1(optional = "true")]
    pub policy: Option<ObjectIdentifier>,
    #[asn1(optional = "true")]
    pub nonce: Option<Int>,
    #[asn1(default = "Default::default")]
    pub cert_req: bool,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub extensions: Option<Extensions>,
}

/// `MessageImprint`, RFC 3161, 2.4.1.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct MessageImprint {
    pub hash_algorithm: AlgorithmIdentifierOwned,
    pub hashed_message: OctetString,
}

/// `TimeStampResp`, RFC 3161, 2.4.2.
#[derive(Sequence)]
pub struct Response {
    pub status: StatusInfo,
    /// A `ContentInfo`.
    #[asn1(optional = "true")]
    pub token: Option<Any>,
}

/// `PKIStatusInfo`, RFC 3161, 2.4.2, and RFC 4210, 5.2.3.
#[derive(Sequence)]
pub struct StatusInfo {
    pub status: u8,
    #[asn1(optional = "true")]
    pub text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    pub failure: Option<BitString>,
}

/// `TSTInfo`, RFC 3161, 2.4.2.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct Info {
    pub version: u8,
    pub policy: ObjectIdentifier,
    pub message_imprint: MessageImprint,
    pub serial_number: Int,
    /// A `GeneralizedTime`, but with fractions of a second, which `der`'s does not have.
    pub gen_time: Any,
    #[asn1(optional = "true")]
    pub accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    pub ordering: bool,
    #[asn1(optional = "true")]
    pub nonce: Option<Int>,
    /// A `GeneralName`.
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub tsa: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub extensions: Option<Extensions>,
}

/// `Accuracy`, RFC 3161, 2.4.2.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct Accuracy {
    #[asn1(optional = "true")]
    pub seconds: Option<u32>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub micros: Option<u16>,
}

/// `SigningCertificate`, RFC 2634, 5.4, and `SigningCertificateV2`, RFC 5035, 3: the same but for what an absent algorithm
/// means.
#[derive(Sequence)]
pub struct SigningCertificate {
    /// The signer's comes first.
    pub certificates: Vec<CertificateId>,
    #[asn1(optional = "true")]
    pub policies: Option<Any>,
}

/// `ESSCertID`, RFC 2634, 5.4.1, and `ESSCertIDv2`, RFC 5035, 4.
#[derive(Clone, Debug, PartialEq, Eq, Sequence, ValueOrd)]
pub struct CertificateId {
    /// `None`: SHA-256 in the second version; SHA-1 in the first, which has no such field.
    #[asn1(optional = "true")]
    pub hash_algorithm: Option<AlgorithmIdentifierOwned>,
    pub hash: OctetString,
    #[asn1(optional = "true")]
    pub issuer_serial: Option<Any>,
}
