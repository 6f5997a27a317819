//! Whether to trust a signer: the path from its certificate to a CA, as RFC 5280 has it.
//!
//! The path is found and checked by `webpki`, which is made for hostile input and leaves the public-key operations to
//! the caller: here they are those of the RustCrypto crates, which sign too.

use std::time::SystemTime;

use der::Decode;
use der::asn1::ObjectIdentifier;
use der::oid::AssociatedOid;
use der::oid::db::fips204::{ID_ML_DSA_44, ID_ML_DSA_65, ID_ML_DSA_87};
use der::oid::db::rfc5280::ANY_EXTENDED_KEY_USAGE;
use der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ID_KP_CODE_SIGNING, ID_KP_TIME_STAMPING,
    SHA_1_WITH_RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION,
    SHA_512_WITH_RSA_ENCRYPTION,
};
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87, MlDsaParams};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, TrustAnchor,
    UnixTime, alg_id,
};
use rsa::pkcs1::DecodeRsaPublicKey;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use signature::Verifier;
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, RequiredEkuNotFoundContext,
    anchor_from_trusted_cert,
};
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use crate::certificate::{Certificate, Purpose};
use crate::{Result, oid, pem};

/// `ecdsa-with-SHA1` (RFC 3279).
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

static CODE_SIGNING: ObjectIdentifier = ID_KP_CODE_SIGNING;

/// Why a signer is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The certificate counts only later.
    #[error("the certificate of `{subject}` is not valid yet")]
    NotYetValid {
        /// The certificate's subject.
        subject: String,
    },
    /// The certificate does not count any more.
    #[error("the certificate of `{subject}` has expired")]
    Expired {
        /// The certificate's subject.
        subject: String,
    },
    /// The certificate is for something else, by its key usage or its extended key usages.
    #[error("the certificate of `{subject}` is not for {purpose}")]
    Purpose {
        /// The certificate's subject.
        subject: String,
        /// What it would have to be for.
        purpose: &'static str,
    },
    /// The certificate is for this, but with the number of another enterprise.
    #[error(
        "the certificate of `{subject}` is for {purpose}, but with the private enterprise number {found} instead of \
         {expected}: give `--pen {found}` if that is the one to trust"
    )]
    Pen {
        /// The certificate's subject.
        subject: String,
        /// What it is for.
        purpose: &'static str,
        /// The private enterprise number in it.
        found: u32,
        /// The one that is expected.
        expected: u32,
    },
    /// The certificate is signed in a way that no path may have.
    #[error("the certificate of `{subject}` is signed with {algorithm}, which is not accepted")]
    Algorithm {
        /// The certificate's subject.
        subject: String,
        /// The algorithm.
        algorithm: String,
    },
    /// No path to a CA.
    #[error("no path from the certificate of `{subject}` to a trusted CA: {problem}")]
    Path {
        /// The signer's subject.
        subject: String,
        /// What is wrong with the path that came closest.
        problem: String,
    },
    /// A path on which a certificate does not count any more that is neither the signer's nor the CA's.
    #[error(
        "no path from the certificate of `{subject}` to a trusted CA: a certificate on the way has expired"
    )]
    PathExpired {
        /// The signer's subject.
        subject: String,
    },
    /// A certificate that can't be read.
    #[error("not an X.509 certificate")]
    Encoding(#[from] der::Error),
}

impl TrustError {
    /// Whether it is only that time has passed.
    pub fn is_expiry(&self) -> bool {
        matches!(self, TrustError::Expired { .. } | TrustError::PathExpired { .. })
    }
}

/// What a signer must be allowed to do.
#[derive(Clone, Debug)]
pub struct ExpectedUsage {
    name: &'static str,
    /// What it is for, with the number of the enterprise that says so.
    purpose: Option<(Purpose, u32)>,
    /// Any of these extended key usages will do. A certificate without any can be used for everything.
    usages: Vec<ObjectIdentifier>,
    /// Any of these key usages, too.
    key_usages: &'static [KeyUsages],
}

impl ExpectedUsage {
    /// For a purpose, numbered by the owner of the private enterprise number `pen`. The certificates for code signing
    /// that CAs issue will do for programs and packages too.
    pub fn new(purpose: Purpose, pen: u32) -> Self {
        let mut usages = vec![purpose.oid(pen), ANY_EXTENDED_KEY_USAGE];
        if let Purpose::Program | Purpose::Package = purpose {
            usages.push(ID_KP_CODE_SIGNING);
        }
        let name = match purpose {
            Purpose::Program => "signing programs",
            Purpose::Attestation => "attesting",
            Purpose::Package => "signing packages",
            Purpose::Policy => "signing policies",
            Purpose::Code => "signing code",
        };
        Self { name, purpose: Some((purpose, pen)), usages, key_usages: &[KeyUsages::DigitalSignature] }
    }

    /// For signing timestamps, by which RFC 3161, 2.3, has an authority not do anything else.
    pub(crate) fn timestamping() -> Self {
        Self {
            name: "signing timestamps",
            purpose: None,
            usages: vec![ID_KP_TIME_STAMPING],
            key_usages: &[KeyUsages::DigitalSignature, KeyUsages::NonRepudiation],
        }
    }

    /// Refuses a certificate whose extended key usages are others.
    fn check(&self, certificate: &Certificate) -> Result<(), TrustError> {
        let is_one = |allowed: &ObjectIdentifier| self.usages.contains(allowed);
        if certificate.extended_key_usage().is_none_or(|allowed| allowed.iter().any(is_one)) {
            return Ok(());
        }
        let other = TrustError::Purpose { subject: certificate.subject(), purpose: self.name };
        Err(self.other_pen(certificate).unwrap_or(other))
    }

    /// That a certificate is for this, but with the number of another enterprise, if it is.
    fn other_pen(&self, certificate: &Certificate) -> Option<TrustError> {
        let (purpose, expected) = self.purpose?;
        let usages = certificate.extended_key_usage()?;
        let found = usages.iter().find_map(|usage| purpose.pen(usage)).filter(|found| *found != expected)?;
        Some(TrustError::Pen { subject: certificate.subject(), purpose: self.name, found, expected })
    }
}

impl ExtendedKeyUsageValidator for ExpectedUsage {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut is_limited = false;
        for usage in usages {
            let usage = usage?;
            if self.usages.iter().any(|oid| KeyPurposeId::new(oid.as_bytes()) == usage) {
                return Ok(());
            }
            is_limited = true;
        }
        if !is_limited {
            return Ok(());
        }
        let required = webpki::KeyUsage::required_if_present(CODE_SIGNING.as_bytes());
        Err(webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
            required,
            present: Vec::new(),
        }))
    }
}

/// All certificates in a file: PEM, one after the other, or a single one as DER.
///
/// # Errors
///
/// As [`Certificate::read`], if there is none, or if one of them can't be read.
pub fn certificates(file: &[u8]) -> Result<Vec<Certificate>> {
    let mut certificates = vec![Certificate::read(file)?];
    let mut rest = file;
    while let Some(block) = pem::block(rest, "CERTIFICATE") {
        // The block is a part of the rest.
        rest = &rest[block.as_ptr().addr() - rest.as_ptr().addr() + block.len()..];
        if pem::block(rest, "CERTIFICATE").is_some() {
            certificates.push(Certificate::read(rest)?);
        }
    }
    Ok(certificates)
}

/// Checks a signer's certificate by itself: whether it is valid at this time and for this usage.
///
/// # Errors
///
/// [`TrustError::NotYetValid`], [`TrustError::Expired`], [`TrustError::Purpose`], [`TrustError::Pen`].
pub fn check(signer: &Certificate, usage: &ExpectedUsage, now: SystemTime) -> Result<(), TrustError> {
    let certificate = x509_cert::Certificate::from_der(signer.to_der())?;
    check_dates(&certificate, now)?;
    usage.check(signer)?;
    if !allows(&certificate, usage.key_usages)? {
        return Err(TrustError::Purpose { subject: signer.subject(), purpose: usage.name });
    }
    Ok(())
}

/// Checks that a certificate is signed in a way that [`check_path`] accepts, which SHA-1 is not.
///
/// # Errors
///
/// [`TrustError::Algorithm`].
pub fn check_algorithm(certificate: &Certificate) -> Result<(), TrustError> {
    const ACCEPTED: [ObjectIdentifier; 8] = [
        SHA_256_WITH_RSA_ENCRYPTION,
        SHA_384_WITH_RSA_ENCRYPTION,
        SHA_512_WITH_RSA_ENCRYPTION,
        ECDSA_WITH_SHA_256,
        ECDSA_WITH_SHA_384,
        ID_ML_DSA_44,
        ID_ML_DSA_65,
        ID_ML_DSA_87,
    ];
    let decoded = x509_cert::Certificate::from_der(certificate.to_der())?;
    let oid = decoded.signature_algorithm().oid;
    if ACCEPTED.contains(&oid) {
        return Ok(());
    }
    let algorithm = match oid {
        SHA_1_WITH_RSA_ENCRYPTION => "RSA and SHA-1".to_owned(),
        ECDSA_WITH_SHA_1 => "ECDSA and SHA-1".to_owned(),
        other => format!("algorithm {}", oid::name(&other)),
    };
    Err(TrustError::Algorithm { subject: certificate.subject(), algorithm })
}

/// Checks a signer's certificate as [`check`] does, and that a path of valid certificates leads from it to one of `cas`,
/// directly or through some of `intermediates`.
///
/// # Errors
///
/// As [`check`], and [`TrustError::Path`] or [`TrustError::PathExpired`].
pub fn check_path(
    signer: &Certificate,
    cas: &[Certificate],
    intermediates: &[Certificate],
    usage: &ExpectedUsage,
    now: SystemTime,
) -> Result<(), TrustError> {
    check(signer, usage, now)?;
    let problem = |problem: String| TrustError::Path { subject: signer.subject(), problem };
    let web_problem = |error| problem(words(&error));

    // These are not a matter of webpki, which trusts anchors for ever and for everything, and does not look at the key usage.
    let mut anchors: Vec<TrustAnchor<'_>> = Vec::new();
    let mut unusable = Vec::new();
    let ca_ders: Vec<_> = cas.iter().map(|ca| CertificateDer::from(ca.to_der())).collect();
    for (ca, der) in cas.iter().zip(&ca_ders) {
        let certificate = x509_cert::Certificate::from_der(ca.to_der())?;
        match check_dates(&certificate, now).and_then(|()| usage.check(ca)) {
            Ok(()) if allows(&certificate, &[KeyUsages::KeyCertSign])? => {
                anchors.push(anchor_from_trusted_cert(der).map_err(web_problem)?);
            }
            Ok(()) => unusable.push((ca.subject(), not_for_issuing(ca))),
            Err(error) => unusable.push((ca.subject(), error)),
        }
    }
    if let Some((_, error)) = unusable.pop_if(|_| anchors.is_empty()) {
        return Err(error);
    }
    let mut between = Vec::new();
    for intermediate in intermediates {
        let certificate = x509_cert::Certificate::from_der(intermediate.to_der())?;
        if allows(&certificate, &[KeyUsages::KeyCertSign])? {
            between.push(intermediate);
        } else if intermediate != signer {
            unusable.push((intermediate.subject(), not_for_issuing(intermediate)));
        }
    }
    let issuers: Vec<_> =
        between.iter().map(|certificate| CertificateDer::from(certificate.to_der())).collect();

    let der = CertificateDer::from(signer.to_der());
    let end = EndEntityCert::try_from(&der).map_err(web_problem)?;
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(since_epoch);
    let verified = end.verify_for_usage(&ALGORITHMS, &anchors, &issuers, time, usage.clone(), None, None);
    match verified.map(drop) {
        Err(webpki::Error::UnknownIssuer) => {
            let last = last_on_the_way(signer, &between);
            let is_last = |(subject, _): &(String, TrustError)| *subject == last.issuer();
            match unusable.into_iter().find(is_last) {
                Some((_, error)) => Err(error),
                None => Err(problem(missing_issuer(signer, last, cas))),
            }
        }
        Err(error @ webpki::Error::RequiredEkuNotFoundContext(_)) => {
            let other_pen = intermediates.iter().find_map(|intermediate| usage.other_pen(intermediate));
            Err(other_pen.unwrap_or_else(|| web_problem(error)))
        }
        // The signer's own has been looked at.
        Err(webpki::Error::CertExpired { .. }) => Err(TrustError::PathExpired { subject: signer.subject() }),
        result => result.map_err(web_problem),
    }
}

/// How far the certificates lead from a signer towards a CA, by their names.
fn last_on_the_way<'c>(signer: &'c Certificate, intermediates: &[&'c Certificate]) -> &'c Certificate {
    let mut last = signer;
    // No more steps than there are certificates: two may have issued each other.
    for _ in intermediates {
        let is_next = |next: &&&Certificate| **next != last && next.subject() == last.issuer();
        last = intermediates.iter().find(is_next).copied().unwrap_or(last);
    }
    last
}

fn not_for_issuing(certificate: &Certificate) -> TrustError {
    TrustError::Purpose { subject: certificate.subject(), purpose: "issuing certificates" }
}

/// That nobody given has issued the `last` certificate on the way from a signer.
fn missing_issuer(signer: &Certificate, last: &Certificate, cas: &[Certificate]) -> String {
    let given: Vec<_> = cas.iter().map(|ca| format!("`{}`", ca.subject())).collect();
    let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
    let (issuer, subject) = (last.issuer(), last.subject());
    let missing = match (last == signer, issuer == subject) {
        (_, true) => format!("`{subject}` has issued its certificate itself, and is not among the CAs"),
        (true, false) => format!("its issuer `{issuer}` is not among the CAs"),
        (false, false) => {
            format!("`{issuer}`, which has issued the certificate of `{subject}`, is not among the CAs")
        }
    };
    format!("{missing} that are given: {given}")
}

/// What can be wrong with a path, in words; what nobody does on purpose, by webpki's name for it.
#[expect(deprecated, reason = "webpki still has both variants")]
fn words(error: &webpki::Error) -> String {
    match error {
        webpki::Error::InvalidSignatureForPublicKey => {
            "a certificate has a wrong signature: it was changed, or its issuer is given with another key".to_owned()
        }
        webpki::Error::CertNotValidYet { .. } => "a certificate on the way is not valid yet".to_owned(),
        webpki::Error::RequiredEkuNotFoundContext(_) => {
            "a certificate on the way is for something else".to_owned()
        }
        webpki::Error::EndEntityUsedAsCa => "an issuer is not a CA".to_owned(),
        webpki::Error::CaUsedAsEndEntity => "it is itself a CA's".to_owned(),
        webpki::Error::PathLenConstraintViolated => {
            "a CA does not allow that many others below it".to_owned()
        }
        webpki::Error::UnsupportedSignatureAlgorithm
        | webpki::Error::UnsupportedSignatureAlgorithmContext(_)
        | webpki::Error::UnsupportedSignatureAlgorithmForPublicKey
        | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a certificate is signed with an algorithm that is not accepted: accepted are RSA (PKCS#1 v1.5) and ECDSA (P-256, \
             P-384) with SHA-256, SHA-384 or SHA-512, and ML-DSA"
                .to_owned()
        }
        // Some of them carry a struct, which only a developer could read.
        other => other.to_string().split(['(', '{']).next().unwrap_or_default().trim().to_owned(),
    }
}

fn check_dates(certificate: &x509_cert::Certificate, now: SystemTime) -> Result<(), TrustError> {
    let fields = certificate.tbs_certificate();
    let subject = || fields.subject().to_string();
    if now < fields.validity().not_before.to_system_time() {
        return Err(TrustError::NotYetValid { subject: subject() });
    }
    if now > fields.validity().not_after.to_system_time() {
        return Err(TrustError::Expired { subject: subject() });
    }
    Ok(())
}

/// Whether a certificate's key may be used in one of these ways. A certificate without a key usage does not say no.
fn allows(certificate: &x509_cert::Certificate, wanted: &[KeyUsages]) -> Result<bool, TrustError> {
    let found = certificate.tbs_certificate().get_extension::<KeyUsage>()?;
    Ok(found.is_none_or(|(_, KeyUsage(usages))| wanted.iter().any(|wanted| usages.contains(*wanted))))
}

/// A way to sign certificates.
#[derive(Debug)]
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    verify: Verify,
}

/// Key (as in the certificate, without the algorithm), message, signature.
type Verify = fn(&[u8], &[u8], &[u8]) -> Option<()>;

/// Those that CAs use whose keys are of a kind that the kernel takes, too.
const ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 10] = [
    &Algorithm {
        key: alg_id::RSA_ENCRYPTION,
        signature: alg_id::RSA_PKCS1_SHA256,
        verify: rsa_verify::<Sha256>,
    },
    &Algorithm {
        key: alg_id::RSA_ENCRYPTION,
        signature: alg_id::RSA_PKCS1_SHA384,
        verify: rsa_verify::<Sha384>,
    },
    &Algorithm {
        key: alg_id::RSA_ENCRYPTION,
        signature: alg_id::RSA_PKCS1_SHA512,
        verify: rsa_verify::<Sha512>,
    },
    &Algorithm {
        key: alg_id::ECDSA_P256,
        signature: alg_id::ECDSA_SHA256,
        verify: |key, message, signature| p256_verify(key, &Sha256::digest(message), signature),
    },
    &Algorithm {
        key: alg_id::ECDSA_P256,
        signature: alg_id::ECDSA_SHA384,
        verify: |key, message, signature| p256_verify(key, &Sha384::digest(message), signature),
    },
    &Algorithm {
        key: alg_id::ECDSA_P384,
        signature: alg_id::ECDSA_SHA256,
        verify: |key, message, signature| p384_verify(key, &Sha256::digest(message), signature),
    },
    &Algorithm {
        key: alg_id::ECDSA_P384,
        signature: alg_id::ECDSA_SHA384,
        verify: |key, message, signature| p384_verify(key, &Sha384::digest(message), signature),
    },
    &Algorithm { key: alg_id::ML_DSA_44, signature: alg_id::ML_DSA_44, verify: ml_dsa_verify::<MlDsa44> },
    &Algorithm { key: alg_id::ML_DSA_65, signature: alg_id::ML_DSA_65, verify: ml_dsa_verify::<MlDsa65> },
    &Algorithm { key: alg_id::ML_DSA_87, signature: alg_id::ML_DSA_87, verify: ml_dsa_verify::<MlDsa87> },
];

fn rsa_verify<D: sha2::Digest + AssociatedOid>(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = rsa::PublicKey::from_pkcs1_der(key).ok()?;
    key.pkcs1v15_verify::<D>(message, signature).ok()
}

fn p256_verify(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    key.verify_prehash(digest, &p256::ecdsa::Signature::from_der(signature).ok()?).ok()
}

fn p384_verify(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    key.verify_prehash(digest, &p384::ecdsa::Signature::from_der(signature).ok()?).ok()
}

fn ml_dsa_verify<P: MlDsaParams>(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = ml_dsa::VerifyingKey::<P>::decode(&key.try_into().ok()?);
    key.verify(message, &signature.try_into().ok()?).ok()
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        (self.verify)(public_key, message, signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}
