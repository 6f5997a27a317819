//! ML-DSA against OpenSSL's, with the vectors in `tests/data/ml-dsa`: few machines have an `openssl` that knows it.

use std::path::PathBuf;
use std::time::SystemTime;

use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Request, Role, Signer};
use bpfsig_signing::cms::{Message, sign_attached};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use bpfsig_signing::trust::{self, ExpectedUsage};
use bpfsig_signing::{Digest, Error};
use pkcs8::SecretDocument;

use crate::openssl::{self, Dir, chain};

/// `r0 = 0; exit`
const PROGRAM: &[u8] = include_bytes!("../data/sign-file/program.insns");

/// The name of an algorithm's vectors, bytes of a signature, SHA-256 of OpenSSL's deterministic one.
const VECTORS: [(&str, usize, &str); 3] = [
    ("44", 2420, "b516170a57b565bf77ff272072068042ef63be7fb70d1757c0bf0827443365c3"),
    ("65", 3309, "cb172892c355435047f01874438097cf7f544e9a6d3dbac1fe05a7e9bbed4cbf"),
    ("87", 4627, "3bd9c8b1aee0a1f2466c4af5747cc1b4c98319eef9eb6695f6b2dce7dc678adb"),
];

fn read(name: &str) -> Vec<u8> {
    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ml-dsa"));
    std::fs::read(data.join(name)).unwrap()
}

fn certificate(name: &str) -> Certificate {
    Certificate::read(&read(&format!("{name}.cert.der"))).unwrap()
}

fn key(name: &str) -> PrivateKey {
    PrivateKey::read(&read(&format!("{name}.key.pem")), None).unwrap()
}

#[test]
fn keys_are_read_and_written_as_openssl_does() {
    for (name, ..) in VECTORS {
        assert!(certificate(name).matches(&key(name)));
        assert_eq!(key(name).public_key().to_string(), format!("ml-dsa-{name}"));
        assert_eq!(key(name).to_pem().unwrap().as_bytes(), read(&format!("{name}.key.pem")));
    }
    let both = PrivateKey::read(&read("44.both.pem"), None).unwrap();
    assert_eq!(both.public_key(), key("44").public_key());
    let error = PrivateKey::read(&read("44.expanded.pem"), None).unwrap_err();
    assert!(matches!(error, Error::KeyWithoutSeed), "{error}");
}

/// In a file with both, the seed and the expanded key must belong together.
#[test]
fn seed_and_expanded_key_belong_together() {
    let pem = String::from_utf8(read("44.both.pem")).unwrap();
    let (_, der) = SecretDocument::from_pem(&pem).unwrap();
    let seed = der.as_bytes().windows(2).position(|bytes| bytes == [0x04, 0x20]);
    for at in [seed.expect("a seed of 32 bytes") + 2, der.as_bytes().len() - 1] {
        let mut altered = der.as_bytes().to_vec();
        altered[at] ^= 1;
        let error = PrivateKey::read(&altered, None).unwrap_err().to_string();
        assert!(error.contains("its expanded key is not that of its seed"), "{error}");
    }
}

#[test]
fn certificates_of_openssl_verify() {
    let usage = ExpectedUsage::new(Purpose::Program, DOCUMENTATION_PEN);
    for (name, ..) in VECTORS {
        let check = |ca| trust::check_path(&certificate(name), &[ca], &[], &usage, SystemTime::now());
        check(certificate("ca")).unwrap();
        check(chain(Algorithm::MlDsa65).ca.certificate().clone()).unwrap_err();
    }
}

#[test]
fn messages_of_openssl_verify() {
    for (name, ..) in VECTORS {
        let mut bytes = read(&format!("{name}.p7s"));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.algorithm(), format!("ML-DSA-{name}"));
        assert_eq!(message.verify(&certificate(name)).unwrap(), PROGRAM);

        *bytes.last_mut().unwrap() ^= 1;
        let error = Message::parse(&bytes).unwrap().verify(&certificate(name)).unwrap_err();
        assert!(matches!(error, Error::WrongSignature), "{error}");
    }
}

/// OpenSSL's `cms` draws its signatures at random, but can make the one that everybody makes.
#[test]
fn messages_are_those_of_openssl() {
    for (name, size, signature) in VECTORS {
        let ours = sign_attached(PROGRAM, &Signer::new(key(name), certificate(name)).unwrap()).unwrap();
        let theirs = read(&format!("{name}.p7s"));
        let (ours, ours_signature) = ours.split_at(ours.len() - size);
        assert_eq!(ours, &theirs[..theirs.len() - size]);
        assert_eq!(Digest::of(ours_signature).to_string(), signature);
    }
}

#[test]
fn requests_are_signed_by_the_key_in_them() {
    for (name, ..) in VECTORS {
        let request = Request::new(Role::Signer, "me", &key(name)).unwrap();
        let read = Request::read(request.to_pem().as_bytes()).unwrap();
        assert_eq!(read.public_key(), &key(name).public_key());
        if openssl::known().any(|algorithm| openssl::is_ml_dsa(&algorithm)) {
            let dir = Dir::new();
            dir.write("request.pem", request.to_pem());
            dir.openssl("req -in request.pem -noout -verify");
        }
    }
}

#[test]
fn openssl_verifies_signatures() {
    for algorithm in openssl::known().filter(openssl::is_ml_dsa) {
        let chain = chain(algorithm);
        let message = sign_attached(PROGRAM, &chain.signer).unwrap();
        let (_, size, _) =
            VECTORS.into_iter().find(|(name, ..)| algorithm.to_string().ends_with(name)).unwrap();
        let dir = Dir::new();
        dir.write("signer.pem", chain.signer.certificate().to_pem());
        dir.write("program", PROGRAM);
        dir.write("signature", &message[message.len() - size..]);
        let verify = "pkeyutl -verify -rawin -certin -inkey signer.pem -in program -sigfile signature";
        assert!(dir.openssl(verify).contains("Signature Verified Successfully"), "{algorithm}");
        dir.write("program", b"another");
        assert!(!dir.try_openssl(verify).status.success(), "{algorithm}");
    }
}
