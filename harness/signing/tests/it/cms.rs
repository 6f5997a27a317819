use std::path::PathBuf;
use std::process::Command;

use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::cms::{MAX_SIZE, Message, sign_attached, sign_detached};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use bpfsig_signing::statement::{Entry, Kind, Statement};
use bpfsig_signing::{Digest, Error};
use proptest::prelude::*;

use crate::openssl::{self, Dir, chain};

/// `r0 = 0; exit`
const PROGRAM: &[u8] = include_bytes!("../data/sign-file/program.insns");

fn statement() -> Vec<u8> {
    let entry = Entry { kind: Kind::PROGRAM, digest: Digest::of(PROGRAM) };
    Statement { expiry: 0, entries: vec![entry] }.encode().unwrap()
}

fn signer() -> &'static Signer {
    &chain(Algorithm::P256).signer
}

/// A directory with the chain as `openssl` wants it.
fn dir_with(algorithm: Algorithm) -> Dir {
    let chain = chain(algorithm);
    let dir = Dir::new();
    dir.write("ca.pem", chain.ca.certificate().to_pem());
    dir.write("signer.pem", chain.signer.certificate().to_pem());
    dir.write("signer.key", chain.signer_key.to_pem().unwrap().as_bytes());
    dir
}

const VERIFY: &str =
    "cms -verify -binary -inform DER -in message -certfile signer.pem -CAfile ca.pem -out verified";

#[test]
fn openssl_verifies_attached_messages() {
    for algorithm in openssl::known_in_cms() {
        let dir = dir_with(algorithm);
        dir.write("statement", statement());
        // OpenSSL 4.0 does not find the content in the message when the algorithm needs it whole.
        let content = if openssl::is_ml_dsa(&algorithm) { "-content statement" } else { "" };
        let verify = format!("{VERIFY} {content}");
        let mut message = sign_attached(&statement(), &chain(algorithm).signer).unwrap();
        dir.write("message", &message);
        dir.openssl(&verify);
        assert_eq!(dir.read("verified"), statement(), "{algorithm}");

        *message.last_mut().unwrap() ^= 1;
        dir.write("message", &message);
        assert!(!dir.try_openssl(&verify).status.success(), "{algorithm}");
    }
}

#[test]
fn openssl_verifies_detached_messages() {
    for algorithm in openssl::known_in_cms() {
        let dir = dir_with(algorithm);
        dir.write("message", sign_detached(PROGRAM, &chain(algorithm).signer).unwrap());
        dir.write("program", PROGRAM);
        dir.openssl(&format!("{VERIFY} -content program"));
        assert_eq!(dir.read("verified"), PROGRAM, "{algorithm}");
    }
}

#[test]
fn messages_verify_and_are_always_the_same() {
    for algorithm in Algorithm::ALL {
        let signer = &chain(algorithm).signer;
        let attached = sign_attached(&statement(), signer).unwrap();
        assert_eq!(sign_attached(&statement(), signer).unwrap(), attached);
        let attached = Message::parse(&attached).unwrap();
        assert_eq!(attached.signer(), signer.certificate().subject_key_id());
        assert_eq!(attached.verify(signer.certificate()).unwrap(), statement());

        let detached = sign_detached(PROGRAM, signer).unwrap();
        assert_eq!(sign_detached(PROGRAM, signer).unwrap(), detached);
        let detached = Message::parse(&detached).unwrap();
        assert_eq!(detached.content(), None);
        detached.verify_detached(PROGRAM, signer.certificate()).unwrap();
    }
}

#[test]
fn messages_of_openssl_verify() {
    for algorithm in openssl::known_in_cms() {
        let dir = dir_with(algorithm);
        dir.write("content", statement());
        let digest = if openssl::is_ml_dsa(&algorithm) { "sha512" } else { "sha256" };
        dir.openssl(&format!("{SIGN} -nodetach -noattr -nocerts -keyid -md {digest}"));
        let message = Message::parse(&dir.read("message")).unwrap();
        let signer = &chain(algorithm).signer;
        assert_eq!(message.verify(signer.certificate()).unwrap(), statement());
        // RSA leaves openssl no choice; for ECDSA it draws a random number.
        if matches!(algorithm, Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096) {
            assert_eq!(dir.read("message"), sign_attached(&statement(), signer).unwrap());
        }
    }
}

/// The vectors in `tests/data/sign-file`, and `$BPFSIG_SIGN_FILE` itself if it names one.
#[test]
fn detached_messages_are_those_of_sign_file() {
    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sign-file"));
    for name in ["rsa-2048", "p-256", "p-384"] {
        let key = std::fs::read(data.join(format!("{name}.key.pem"))).unwrap();
        let certificate = std::fs::read(data.join(format!("{name}.cert.pem"))).unwrap();
        let signer =
            Signer::new(PrivateKey::read(&key, None).unwrap(), Certificate::read(&certificate).unwrap());
        let signer = signer.unwrap();

        assert_is_message_of_sign_file(&signer, &std::fs::read(data.join(format!("{name}.p7s"))).unwrap());
        if let Some(sign_file) = std::env::var_os("BPFSIG_SIGN_FILE") {
            let dir = Dir::new();
            dir.write("key.pem", key);
            dir.write("cert.pem", certificate);
            dir.write("program", PROGRAM);
            let status = Command::new(sign_file)
                .args(["-dk", "sha256", "key.pem", "cert.pem", "program"])
                .current_dir(dir.path())
                .status()
                .unwrap();
            assert!(status.success());
            assert_is_message_of_sign_file(&signer, &dir.read("program.p7s"));
        }
    }
}

fn assert_is_message_of_sign_file(signer: &Signer, theirs: &[u8]) {
    Message::parse(theirs).unwrap().verify_detached(PROGRAM, signer.certificate()).unwrap();

    let ours = sign_detached(PROGRAM, signer).unwrap();
    if signer.key().public_key().to_string().starts_with("rsa") {
        assert_eq!(ours, theirs);
    } else {
        assert_eq!(without_signature(&ours), without_signature(theirs));
    }
}

/// What `openssl asn1parse` shows but for lengths and the signature, which OpenSSL draws at random for ECDSA.
fn without_signature(message: &[u8]) -> Vec<String> {
    let dir = Dir::new();
    dir.write("message", message);
    let dump = dir.openssl("asn1parse -inform DER -in message -dump");
    let signature = dump.rfind("OCTET STRING").unwrap();
    dump[..signature]
        .lines()
        .map(|line| {
            let depth = line.split(':').nth(1).unwrap().split_whitespace().next().unwrap();
            let value = line.find("prim:").or(line.find("cons:")).unwrap();
            format!("{depth} {}", &line[value..])
        })
        .collect()
}

#[test]
fn every_altered_bit_is_noticed() {
    let message = sign_attached(&statement(), signer()).unwrap();
    for bit in 0..message.len() * 8 {
        let mut altered = message.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let verdict = Message::parse(&altered)
            .and_then(|message| message.verify(signer().certificate()).map(<[u8]>::to_vec));
        assert!(verdict.is_err(), "bit {bit}");
    }
}

#[test]
fn truncated_and_extended_messages_are_refused() {
    let message = sign_attached(&statement(), signer()).unwrap();
    for length in 0..message.len() {
        assert!(matches!(Message::parse(&message[..length]), Err(Error::CmsEncoding(_))), "{length}");
    }
    let extended = [message, vec![0]].concat();
    assert!(matches!(Message::parse(&extended), Err(Error::CmsEncoding(_))));
}

#[test]
fn content_is_where_it_should_be() {
    let certificate = signer().certificate();
    let attached = Message::parse(&sign_attached(PROGRAM, signer()).unwrap()).unwrap();
    let detached = Message::parse(&sign_detached(PROGRAM, signer()).unwrap()).unwrap();
    assert!(matches!(
        attached.verify_detached(PROGRAM, certificate),
        Err(Error::CmsContent { attached: true })
    ));
    assert!(matches!(detached.verify(certificate), Err(Error::CmsContent { attached: false })));
    assert!(matches!(detached.verify_detached(b"other", certificate), Err(Error::WrongSignature)));
}

#[test]
fn the_signer_is_the_one_in_the_certificate() {
    for algorithm in Algorithm::ALL {
        let chain = chain(algorithm);
        let message = Message::parse(&sign_attached(&statement(), &chain.signer).unwrap()).unwrap();
        let error = message.verify(chain.ca.certificate()).unwrap_err();
        assert!(matches!(error, Error::UnknownSigner { .. }), "{error}");
    }
}

#[test]
fn a_claimed_key_identifier_is_not_enough() {
    let message = Message::parse(&sign_attached(&statement(), signer()).unwrap()).unwrap();
    let verify_by = |key: &str| {
        let dir = Dir::new();
        dir.openssl(&format!(
            "req -x509 -nodes -keyout key.pem -subj /CN=x -out x.pem {key} -addext subjectKeyIdentifier={}",
            signer().certificate().subject_key_id()
        ));
        message.verify(&Certificate::read(&dir.read("x.pem")).unwrap()).map(<[u8]>::to_vec)
    };
    assert!(matches!(verify_by("-newkey ec -pkeyopt ec_paramgen_curve:P-256"), Err(Error::WrongSignature)));
    assert!(matches!(verify_by("-newkey ec -pkeyopt ec_paramgen_curve:P-384"), Err(Error::WrongSignature)));
    assert!(matches!(verify_by("-newkey rsa:2048"), Err(Error::CmsProfile(_))));
}

const SIGN: &str =
    "cms -sign -binary -md sha256 -signer signer.pem -inkey signer.key -in content -outform DER -out message";

/// Has `openssl` make a message that is not in the profile.
fn refuse(arguments: &str) -> String {
    let dir = dir_with(Algorithm::P256);
    dir.write("content", statement());
    dir.write(
        "other.pem",
        Certificate::self_signed(Role::Signer, "other", signer().key(), 1).unwrap().to_pem(),
    );
    dir.openssl(arguments);
    Message::parse(&dir.read("message")).unwrap_err().to_string()
}

#[test]
fn messages_outside_of_the_profile_are_refused() {
    assert_eq!(refuse(&format!("{SIGN} -nodetach -nocerts -keyid")), "CMS message: it has signed attributes");
    assert_eq!(refuse(&format!("{SIGN} -nodetach -noattr -keyid")), "CMS message: it includes certificates");
    assert_eq!(
        refuse(&format!("{SIGN} -nodetach -noattr -nocerts")),
        "CMS message: the version of SignedData is not 3"
    );
    assert_eq!(
        refuse(&format!("{SIGN} -nodetach -noattr -nocerts -keyid -signer other.pem -inkey signer.key")),
        "CMS message: it does not have exactly one signer"
    );
    assert_eq!(
        refuse(&format!("{SIGN} -nodetach -noattr -nocerts -keyid -md sha384")),
        "CMS message: the digest algorithm is not SHA-256 alone, or SHA-512 with ML-DSA"
    );
    assert_eq!(
        refuse(&format!("{SIGN} -nodetach -noattr -nocerts -keyid -econtent_type 1.2.3.4")),
        "CMS message: its content is not id-data"
    );
    assert_eq!(
        refuse("cms -data_create -in content -outform DER -out message"),
        "CMS message: it is not SignedData"
    );
}

#[test]
fn messages_that_the_kernel_does_not_take_are_not_made() {
    let entries = |count| {
        let entry = Entry { kind: Kind::FILE, digest: Digest::ZERO };
        Statement { expiry: 0, entries: vec![entry; count] }.encode().unwrap()
    };
    assert!(sign_attached(&entries(200), signer()).unwrap().len() <= MAX_SIZE);
    let error = sign_attached(&entries(500), signer()).unwrap_err();
    assert!(matches!(error, Error::CmsSize(size) if size > MAX_SIZE), "{error}");
    assert!(sign_detached(&entries(500), signer()).is_ok());
    assert!(matches!(Message::parse(&[0x30; MAX_SIZE + 1]), Err(Error::CmsSize(_))));
}

proptest! {
    #[test]
    fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Message::parse(&bytes).is_err());
    }
}
