use std::time::{Duration, SystemTime};

use bpfsig_signing::Error;
use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::key::{Algorithm, PrivateKey};

use crate::openssl::{self, Dir, chain};

fn key() -> &'static PrivateKey {
    &chain(Algorithm::P256).signer_key
}

#[test]
fn openssl_accepts_the_chain() {
    for algorithm in openssl::known() {
        let chain = chain(algorithm);
        let dir = Dir::new();
        dir.write("ca.pem", chain.ca.certificate().to_pem());
        dir.write("signer.pem", chain.signer.certificate().to_pem());
        let verdict = dir.openssl("verify -x509_strict -check_ss_sig -CAfile ca.pem signer.pem");
        assert_eq!(verdict, "signer.pem: OK\n", "{algorithm}");
        assert!(!dir.try_openssl("verify -CAfile signer.pem ca.pem").status.success());
    }
}

#[test]
fn certificates_say_what_the_kernel_looks_for() {
    let text = |certificate: &Certificate| {
        let dir = Dir::new();
        dir.write("certificate.der", certificate.to_der());
        dir.openssl("x509 -inform DER -in certificate.der -noout -text")
    };
    for algorithm in openssl::known() {
        let chain = chain(algorithm);
        let hash = match algorithm {
            Algorithm::P256 | Algorithm::P384 => "Signature Algorithm: ecdsa-with-SHA256",
            Algorithm::MlDsa44 => "Signature Algorithm: ML-DSA-44",
            Algorithm::MlDsa65 => "Signature Algorithm: ML-DSA-65",
            Algorithm::MlDsa87 => "Signature Algorithm: ML-DSA-87",
            _ => "Signature Algorithm: sha256WithRSAEncryption",
        };

        let ca = text(chain.ca.certificate());
        for line in ["Subject: CN = Test CA", "Issuer: CN = Test CA", "CA:TRUE", "Certificate Sign", hash] {
            assert!(ca.contains(line), "{line}: {ca}");
        }
        assert!(!ca.contains("Digital Signature"), "{ca}");

        let signer = text(chain.signer.certificate());
        for line in
            ["Subject: CN = Test signer", "Issuer: CN = Test CA", "CA:FALSE", "Digital Signature", hash]
        {
            assert!(signer.contains(line), "{line}: {signer}");
        }
        assert!(!signer.contains("Certificate Sign"), "{signer}");
    }
}

#[test]
fn key_identifiers_are_those_that_openssl_computes() {
    for algorithm in openssl::known() {
        let chain = chain(algorithm);
        let key_id_by_openssl = |key: &PrivateKey| {
            let dir = Dir::new();
            dir.write("key.pem", key.to_pem().unwrap().as_bytes());
            dir.openssl(
                "req -x509 -key key.pem -subj /CN=x -addext subjectKeyIdentifier=hash -out openssl.pem",
            );
            Certificate::read(&dir.read("openssl.pem")).unwrap().subject_key_id().clone()
        };
        let (ca, signer) = (key_id_by_openssl(&chain.ca_key), key_id_by_openssl(&chain.signer_key));
        assert_eq!(chain.ca.certificate().subject_key_id(), &ca);
        assert_eq!(chain.signer.certificate().subject_key_id(), &signer);

        let dir = Dir::new();
        dir.write("signer.pem", chain.signer.certificate().to_pem());
        let authority = dir.openssl("x509 -in signer.pem -noout -ext authorityKeyIdentifier");
        assert!(authority.replace(':', "").to_lowercase().contains(&ca.to_string()), "{authority}");
    }
}

#[test]
fn the_issuer_is_named_as_it_names_itself() {
    let dir = Dir::new();
    dir.openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /O=Own/CN=CA \
         -addext subjectKeyIdentifier=0102030405 -addext authorityKeyIdentifier=none",
    );
    let ca = Signer::new(
        PrivateKey::read(&dir.read("ca.key"), None).unwrap(),
        Certificate::read(&dir.read("ca.pem")).unwrap(),
    );
    let signer =
        Certificate::issued_by(&ca.unwrap(), Role::Signer, "signer", &key().public_key(), 1).unwrap();
    dir.write("signer.pem", signer.to_pem());
    assert_eq!(dir.openssl("verify -CAfile ca.pem signer.pem"), "signer.pem: OK\n");
    assert!(dir.openssl("x509 -in signer.pem -noout -text").contains("01:02:03:04:05"));
}

#[test]
fn a_signer_may_sign_its_own_certificate() {
    let certificate = Certificate::self_signed(Role::Signer, "alone", key(), 1).unwrap();
    assert!(certificate.matches(key()));
    let dir = Dir::new();
    dir.write("alone.pem", certificate.to_pem());
    assert_eq!(dir.openssl("verify -check_ss_sig -CAfile alone.pem alone.pem"), "alone.pem: OK\n");
}

#[test]
fn certificates_are_read_back() {
    let dir = Dir::new();
    let certificate = chain(Algorithm::Rsa2048).signer.certificate();
    dir.write("certificate.pem", certificate.to_pem());
    let dump = dir.openssl("x509 -in certificate.pem -text");
    for file in [certificate.to_der(), certificate.to_pem().as_bytes(), dump.as_bytes()] {
        assert_eq!(&Certificate::read(file).unwrap(), certificate);
    }
    assert_eq!(certificate.subject(), "CN=Test signer");
}

#[test]
fn serial_numbers_are_random() {
    let serial = || {
        let dir = Dir::new();
        dir.write("a.pem", Certificate::self_signed(Role::Signer, "a", key(), 1).unwrap().to_pem());
        dir.openssl("x509 -in a.pem -noout -serial").trim().to_owned()
    };
    let (one, other) = (serial(), serial());
    assert_ne!(one, other);
    assert_eq!(one.len(), "serial=".len() + 32);
}

#[test]
fn validity_is_as_long_as_asked_for() {
    let in_days = |days| Certificate::self_signed(Role::Ca, "CA", key(), days);
    let left = in_days(10).unwrap().not_after().duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_secs(10 * 86_400) && left > Duration::from_secs(10 * 86_400 - 60));

    let dir = Dir::new();
    for (days, form) in [(1, "UTCTIME"), (36_500, "GENERALIZEDTIME")] {
        dir.write("certificate.der", in_days(days).unwrap().to_der());
        assert!(dir.openssl("asn1parse -inform DER -in certificate.der").contains(form));
    }
    for days in [0, 4_000_000, u32::MAX] {
        assert!(matches!(in_days(days), Err(Error::Validity(refused)) if refused == days));
    }
}

#[test]
fn common_names_are_taken_literally() {
    let named = |name: &str| Certificate::self_signed(Role::Signer, name, key(), 1);
    let dir = Dir::new();
    for name in ["a, CN=b + \\ / \"c\"", "  Käse #1 ", &"x".repeat(64)] {
        dir.write("a.pem", named(name).unwrap().to_pem());
        let subject = dir.openssl("x509 -in a.pem -noout -subject -nameopt sep_multiline,utf8,sname");
        assert_eq!(subject, format!("subject=\n    CN={name}\n"));
    }
    assert!(matches!(named(""), Err(Error::CommonName(0))));
    assert!(matches!(named(&"x".repeat(65)), Err(Error::CommonName(65))));
}

#[test]
fn only_a_ca_issues() {
    let signer = &chain(Algorithm::P256).signer;
    let error = Certificate::issued_by(signer, Role::Signer, "x", &key().public_key(), 1).unwrap_err();
    assert_eq!(error.to_string(), "`CN=Test signer` can't issue certificates: it is not a CA");
}

#[test]
fn a_certificate_belongs_to_one_key() {
    let chain = chain(Algorithm::P256);
    let error = Signer::new(chain.ca_key.clone(), chain.signer.certificate().clone()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "key and certificate don't belong together: the certificate of `CN=Test signer` is for another key"
    );
}

#[test]
fn certificates_that_the_kernel_can_not_use_are_refused() {
    let refuse = |options: &str| {
        let dir = Dir::new();
        dir.openssl(&format!("req -x509 -nodes -keyout key.pem -subj /CN=x -out x.pem {options}"));
        Certificate::read(&dir.read("x.pem")).unwrap_err()
    };
    let nameless = refuse("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -addext subjectKeyIdentifier=none");
    assert!(matches!(nameless, Error::CertificateKeyId), "{nameless}");
    let ed25519 = refuse("-newkey ed25519");
    assert!(matches!(ed25519, Error::KeyUnsupported(_)), "{ed25519}");
    let short = refuse("-newkey rsa:1024");
    assert!(matches!(short, Error::KeyUnsupported(_)), "{short}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let key = key().to_pem().unwrap();
    let der = chain(Algorithm::P256).signer.certificate().to_der();
    assert!(matches!(Certificate::read(b"no certificate"), Err(Error::CertificateEncoding(_))));
    assert!(matches!(Certificate::read(&[der, der].concat()), Err(Error::CertificateFollowed)));
    for (file, holds) in [(b"".as_slice(), "nothing"), (key.as_bytes(), "a private key")] {
        let error = Certificate::read(file).unwrap_err().to_string();
        assert_eq!(error, format!("it holds {holds}, but a certificate is needed here"));
    }
    for length in 0..der.len() {
        assert!(Certificate::read(&der[..length]).is_err(), "{length}");
    }
}

/// Any answer will do, as long as there is one.
#[test]
fn damaged_certificates_are_survived() {
    let der = chain(Algorithm::P256).signer.certificate().to_der();
    for at in 0..der.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = der.to_vec();
            damaged[at] ^= mask;
            let _ = Certificate::read(&damaged);
        }
    }
}
