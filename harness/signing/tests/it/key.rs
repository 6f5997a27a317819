use bpfsig_signing::Error;
use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::cms;
use bpfsig_signing::key::{Algorithm, PrivateKey};

use crate::openssl::{self, Chain, Dir, chain};

#[test]
fn names_of_algorithms_are_read_back() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse::<Algorithm>().unwrap(), algorithm);
    }
    let error = "rsa-1024".parse::<Algorithm>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown algorithm `rsa-1024`; there are rsa-2048, rsa-3072, rsa-4096, p-256, p-384, ml-dsa-44, \
         ml-dsa-65, ml-dsa-87"
    );
}

#[test]
fn keys_are_of_the_algorithm_and_openssl_finds_them_sound() {
    for algorithm in openssl::known() {
        let key = &chain(algorithm).signer_key;
        let pem = key.to_pem().unwrap();
        assert_eq!(key.public_key().to_string(), algorithm.to_string());
        assert_eq!(PrivateKey::read(pem.as_bytes(), None).unwrap().public_key(), key.public_key());

        let dir = Dir::new();
        dir.write("key.pem", pem.as_bytes());
        assert!(dir.openssl("pkey -in key.pem -check -noout").contains("Key is valid"));
    }
}

#[test]
fn keys_show_nothing_private() {
    let key = &chain(Algorithm::P256).signer_key;
    assert_eq!(format!("{key:?}"), "PrivateKey(p-256)");
}

/// Reads `name` and expects the key that `key.pem` has.
fn assert_reads(dir: &Dir, name: &str, passphrase: Option<&str>) {
    let expected = PrivateKey::read(&dir.read("key.pem"), None).unwrap();
    let key = PrivateKey::read(&dir.read(name), passphrase).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(key.public_key(), expected.public_key(), "{name}");
}

#[test]
fn rsa_keys_of_openssl_are_read() {
    let dir = Dir::new();
    dir.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    dir.openssl("pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out pkcs8.der");
    dir.openssl("rsa -traditional -in key.pem -out pkcs1.pem");
    dir.openssl("rsa -traditional -in key.pem -outform DER -out pkcs1.der");
    for name in ["pkcs8.der", "pkcs1.pem", "pkcs1.der"] {
        assert_reads(&dir, name, None);
    }
}

#[test]
fn ec_keys_of_openssl_are_read() {
    for curve in ["P-256", "P-384"] {
        let dir = Dir::new();
        dir.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out key.pem"));
        dir.openssl("pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out pkcs8.der");
        dir.openssl("ec -in key.pem -out sec1.pem");
        dir.openssl("ec -in key.pem -outform DER -out sec1.der");
        let with_parameters = [
            b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
            &dir.read("sec1.pem")[..],
        ]
        .concat();
        dir.write("parameters.pem", with_parameters);
        for name in ["pkcs8.der", "sec1.pem", "sec1.der", "parameters.pem"] {
            assert_reads(&dir, name, None);
        }
    }
}

#[test]
fn the_key_is_found_next_to_its_certificate() {
    let Chain { signer, signer_key, .. } = chain(Algorithm::P256);
    let file = [signer.certificate().to_pem(), signer_key.to_pem().unwrap().to_string()].concat();
    assert!(signer.certificate().matches(&PrivateKey::read(file.as_bytes(), None).unwrap()));
    assert_eq!(&Certificate::read(file.as_bytes()).unwrap(), signer.certificate());
}

#[test]
fn encrypted_keys_need_their_passphrase() {
    let dir = Dir::new();
    dir.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem");
    dir.openssl("pkcs8 -topk8 -in key.pem -v2 aes-256-cbc -passout pass:sesame -out encrypted.pem");
    dir.openssl("pkcs8 -topk8 -in key.pem -scrypt -passout pass:sesame -outform DER -out encrypted.der");
    for name in ["encrypted.pem", "encrypted.der"] {
        assert_reads(&dir, name, Some("sesame"));
        let error = PrivateKey::read(&dir.read(name), None).unwrap_err();
        assert!(matches!(error, Error::KeyEncrypted), "{error}");
        let error = PrivateKey::read(&dir.read(name), Some("wrong")).unwrap_err();
        assert!(matches!(error, Error::KeyPassphrase(_)), "{error}");
    }
    assert_reads(&dir, "key.pem", Some("not needed"));

    dir.openssl("ec -in key.pem -aes128 -passout pass:sesame -out legacy.pem");
    let error = PrivateKey::read(&dir.read("legacy.pem"), Some("sesame")).unwrap_err();
    assert!(error.to_string().contains("openssl pkcs8 -topk8"), "{error}");
}

#[test]
fn keys_that_the_kernel_does_not_take_are_refused() {
    let refuse = |options: &str, reason: &str| {
        let dir = Dir::new();
        dir.openssl(&format!("genpkey {options} -out key.pem"));
        let error = PrivateKey::read(&dir.read("key.pem"), None).unwrap_err();
        assert!(matches!(error, Error::KeyUnsupported(_)), "{options}: {error}");
        assert!(error.to_string().starts_with(reason), "{error}");
    };
    refuse("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "RSA with 1024 bits");
    refuse("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", "elliptic curve secp521r1");
    refuse("-algorithm ED25519", "key algorithm id-Ed25519");
}

#[test]
fn what_is_no_key_is_refused() {
    let certificate = chain(Algorithm::P256).signer.certificate();
    for file in [b"not a key".as_slice(), &[0x30, 0x80], &[0x30, 0], certificate.to_der()] {
        assert!(matches!(PrivateKey::read(file, None), Err(Error::KeyFormat)), "{file:?}");
    }
    for (file, holds) in [("", "nothing"), (&certificate.to_pem(), "a certificate")] {
        let error = PrivateKey::read(file.as_bytes(), None).unwrap_err().to_string();
        assert_eq!(error, format!("it holds {holds}, but a private key is needed here"));
    }
}

#[test]
fn a_key_that_was_cut_off_is_refused() {
    let pem = chain(Algorithm::P256).signer_key.to_pem().unwrap();
    for length in 0..pem.trim_end().len() {
        assert!(PrivateKey::read(&pem.as_bytes()[..length], None).is_err(), "{length}");
    }
}

/// Any answer will do, as long as there is one.
#[test]
fn damaged_keys_are_survived() {
    let dir = Dir::new();
    dir.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -outform DER -out ec.der");
    dir.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER -out rsa.der");
    for (name, step) in [("ec.der", 1), ("rsa.der", 11)] {
        let der = dir.read(name);
        for at in (0..der.len()).step_by(step) {
            for mask in [0x01, 0x80, 0xff] {
                let mut damaged = der.clone();
                damaged[at] ^= mask;
                let _ = PrivateKey::read(&damaged, None);
            }
        }
    }
}

/// RFC 6979, A.2.5 and A.2.6: the message "sample", with SHA-256 on both curves.
#[test]
fn ecdsa_signatures_are_those_of_rfc_6979() {
    assert_signs_sample(
        "30310201010420 c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721
         a00a06082a8648ce3d030107",
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716
         022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    assert_signs_sample(
        "303e0201010430 6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba
         9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5 a00706052b81040022",
        "3065023021b13d1e013c7fa1392d03c5f99af8b30c570c6f98d4ea8e354b63a21d3daa33bde1e888e63355d92fa2b3c36d8fb2cd
         023100f3aa443fb107745bf4bd77cb3891674632068a10ca67e3d45db2266fa7d1feebefdc63eccd1ac42ec0cb8668a4fa0ab0",
    );
}

/// Signs "sample" with a SEC1 key and expects a signature, which is the end of the message.
fn assert_signs_sample(sec1: &str, signature: &str) {
    let key = PrivateKey::read(&from_hex(sec1), None).unwrap();
    let certificate = Certificate::self_signed(Role::Signer, "RFC 6979", &key, 1).unwrap();
    let message = cms::sign_detached(b"sample", &Signer::new(key, certificate).unwrap()).unwrap();
    assert!(message.ends_with(&from_hex(signature)), "{message:02x?}");
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
