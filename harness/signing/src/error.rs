//! What can go wrong.

use std::path::PathBuf;

use der::{ErrorKind, Length};

use crate::facts::BuildId;
use crate::key::{Algorithm, KeyId};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused. The text says what to do where that isn't obvious. It is for the caller to add which file
/// it was about, and to print the source, which the text does not repeat.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that no manifest can describe.
    #[error("program `{name}`: {problem}")]
    Program {
        /// The program's name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// Something that is not a list of descriptions.
    #[error("not descriptions of programs")]
    Descriptions(#[from] serde_json::Error),
    /// Descriptions in a format of another version.
    #[error("descriptions of version {0} are not supported")]
    DescriptionsVersion(u32),

    /// Something that is not a list of attestations.
    #[error("not attestations")]
    Attestations(#[source] serde_json::Error),
    /// Attestations in a format of another version.
    #[error("attestations of version {0} are not supported")]
    AttestationsVersion(u32),
    /// More than one attestation for a kernel.
    #[error("the attestations have the kernel {0} twice")]
    AttestationsTwice(BuildId),

    /// A statement whose size is not what its header says.
    #[error("the statement has {actual} bytes instead of {expected}")]
    StatementSize {
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// Something that is not a statement.
    #[error("not a statement: it does not begin with `BPFSIGST`")]
    StatementMagic,
    /// A statement of another version.
    #[error("statement version {0} is not supported")]
    StatementVersion(u16),
    /// A statement with another digest algorithm.
    #[error("digest algorithm {0} of the statement is not supported")]
    StatementAlgorithm(u16),
    /// A statement whose reserved bytes are not 0.
    #[error("reserved bytes of the statement are not 0")]
    StatementReserved,
    /// A statement that states nothing.
    #[error("the statement has no entries")]
    StatementEmpty,
    /// More entries than the count field can hold.
    #[error("{0} entries are too many for one statement")]
    StatementTooLong(usize),

    /// Something that is not a DER encoded CMS SignedData.
    #[error("{}", not_cms(.0.kind()))]
    CmsEncoding(der::Error),
    /// A CMS message outside of the profile.
    #[error("CMS message: {0}")]
    CmsProfile(&'static str),
    /// A CMS message that `BPF_PROG_LOAD` does not take.
    #[error("the CMS message has {0} bytes; the kernel takes at most {max}", max = crate::cms::MAX_SIZE)]
    CmsSize(usize),
    /// Content in the message when it should be apart from it, or the other way around.
    #[error("the CMS message {}", if *.attached { "has its content attached" } else { "is detached: it has no content" })]
    CmsContent {
        /// Whether it is in the message.
        attached: bool,
    },
    /// A message that another key signed.
    #[error("signed by key {signer}, but the certificate is for key {certificate}")]
    UnknownSigner {
        /// The subject key identifier in the message.
        signer: KeyId,
        /// The subject key identifier in the certificate.
        certificate: KeyId,
    },
    /// A signature that is not by this key or not over this content.
    #[error("wrong signature: not made by this key over this content")]
    WrongSignature,

    /// A file, empty or PEM, that holds something else than what is needed.
    #[error("it holds {found}, but {needed} is needed here")]
    Holds {
        /// What it holds.
        found: &'static str,
        /// What is needed.
        needed: &'static str,
    },

    /// Something that is not a private key.
    #[error("not a private key: neither PKCS#8, PKCS#1 nor SEC1, in PEM or DER")]
    KeyFormat,
    /// A private key that is damaged.
    #[error("the private key is malformed: {0}")]
    KeyMalformed(String),
    /// An ML-DSA key that is expanded, and can't be told from a damaged one.
    #[error(
        "the private key has no seed; ML-DSA keys need theirs (OpenSSL: `output_formats=seed-priv`, the default)"
    )]
    KeyWithoutSeed,
    /// A private key that needs a passphrase.
    #[error("the private key is encrypted: its passphrase is needed")]
    KeyEncrypted,
    /// A private key that does not open with the passphrase.
    #[error("can't decrypt the private key with this passphrase: {0}")]
    KeyPassphrase(pkcs8::Error),
    /// OpenSSL's old PEM encryption.
    #[error(
        "the private key is encrypted in a way that OpenSSL has given up; convert it with `openssl pkcs8 -topk8`"
    )]
    KeyLegacyEncryption,
    /// A key of a kind that the kernel does not take.
    #[error("{0} is not supported; use RSA with 2048 to 4096 bits, ECDSA P-256 or P-384, or ML-DSA")]
    KeyUnsupported(String),
    /// No such algorithm.
    #[error("unknown algorithm `{0}`; there are {names}", names = Algorithm::names())]
    UnknownAlgorithm(String),
    /// A private key that could not be made.
    #[error("can't generate a key: {0}")]
    KeyGeneration(String),
    /// A private key that could not be written.
    #[error("can't encode the private key")]
    KeyEncoding(#[source] pkcs8::Error),
    /// Something that is not a public key.
    #[error("not a public key in PEM or DER: {0}")]
    PublicKeyFormat(der::Error),
    /// A command that did not sign.
    #[error("signer command `{command}`: {reason}")]
    SignerCommand {
        /// The program.
        command: String,
        /// Why it could not be run, or how it ended.
        reason: std::io::Error,
    },

    /// A `pkcs11:` URI that can't be used.
    #[error("PKCS#11 URI: {0}")]
    TokenUri(String),
    /// No PKCS#11 module to talk to the token with.
    #[error(
        "which PKCS#11 module? Say so with `?module-path=FILE` or `?module-name=NAME` at the end of the URI, or in \
         PKCS11_MODULE_PATH"
    )]
    TokenModule,
    /// A token that wants a PIN.
    #[error("the PKCS#11 token wants a PIN")]
    TokenPin,
    /// A token that does not take the PIN.
    #[error("PKCS#11: the token does not take the PIN: {0}")]
    TokenLogin(String),
    /// A file with a PIN that can't be read.
    #[error("PIN source {}: {reason}", .path.display())]
    TokenPinSource {
        /// The file.
        path: PathBuf,
        /// Why it can't be read.
        reason: std::io::Error,
    },
    /// No such token, or no such key in it.
    #[error("no {0} in PKCS#11 fits the URI")]
    TokenNotFound(&'static str),
    /// More than one of them.
    #[error("{count} objects in PKCS#11 fit the URI as its {what}: be more precise")]
    TokenAmbiguous {
        /// What was looked for.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A key of an algorithm that tokens are not asked to sign with.
    #[error(
        "PKCS#11: ML-DSA keys in tokens are not supported; use RSA or ECDSA, or sign with --signer-command"
    )]
    TokenMlDsa,
    /// A token that failed.
    #[error("PKCS#11: the token or its module can't {what}: {reason}")]
    Token {
        /// What it should have done.
        what: &'static str,
        /// What it answered.
        reason: String,
    },
    /// A key that does not sign as it should.
    #[error("the key made a wrong signature: it is another key, or does not sign as asked")]
    SigningKeyWrong,
    /// A signature that could not be made.
    #[error("can't sign")]
    Signing(#[source] signature::Error),

    /// Something that is not an X.509 certificate.
    #[error("not an X.509 certificate in PEM or DER")]
    CertificateEncoding(#[source] der::Error),
    /// A DER file with more than one certificate.
    #[error("there is more in it than one certificate in DER: several in one file have to be PEM")]
    CertificateFollowed,
    /// A certificate that names no key.
    #[error("the certificate has no subject key identifier, by which the kernel finds a key")]
    CertificateKeyId,
    /// A certificate for another key.
    #[error("key and certificate don't belong together: the certificate of `{subject}` is for another key")]
    CertificateMismatch {
        /// The certificate's subject.
        subject: String,
    },
    /// An issuer that may not issue.
    #[error("`{subject}` can't issue certificates: it is not a CA")]
    CertificateIssuer {
        /// The issuer's subject.
        subject: String,
    },
    /// A subject that X.509 does not allow.
    #[error("a common name has 1 to 64 characters, not {0}")]
    CommonName(usize),
    /// A time that X.509 can't express.
    #[error("a certificate can't be valid for {0} days: give at least 1, and none beyond the year 9999")]
    Validity(u32),
    /// No such purpose.
    #[error("unknown purpose `{0}`; there are program, attestation, package, policy and code")]
    UnknownPurpose(String),
    /// Something that is not a certificate request.
    #[error("not a PKCS#10 certificate request in PEM or DER: {0}")]
    RequestEncoding(der::Error),
    /// A certificate request that is signed in another way.
    #[error(
        "the certificate request is signed with {0}, not by the key that is in it with SHA-256 or ML-DSA"
    )]
    RequestAlgorithm(String),
    /// A certificate that could not be made.
    #[error("can't make a certificate")]
    CertificateBuild(#[from] x509_cert::builder::Error),
}

/// What is wrong with something that should be a CMS message. Where in it says nothing to whoever has the wrong file.
fn not_cms(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Incomplete { actual_len: Length::ZERO, .. } => "the signature is empty",
        ErrorKind::Incomplete { .. } => "the signature is cut short",
        _ => "not a signature (CMS)",
    }
}
