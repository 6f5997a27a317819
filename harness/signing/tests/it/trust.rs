//! Paths to a CA, on certificates that openssl has issued.

use std::time::{Duration, SystemTime};

use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Role, Signer};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use bpfsig_signing::trust::{self, ExpectedUsage, TrustError, certificates};

use crate::openssl::{self, Dir, chain};

const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn usage() -> ExpectedUsage {
    ExpectedUsage::new(Purpose::Program, DOCUMENTATION_PEN)
}

/// A root, an intermediate below it and what signers ask for.
struct Pki(Dir);

impl Pki {
    fn new(key: &str, hash: &str) -> Self {
        let pki = Self(Dir::new());
        pki.0.write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
        pki.0.openssl(&format!(
            "req -x509 -newkey {key} -{hash} -nodes -keyout root.key -out root.pem -days 30 -subj /CN=root \
             -addext keyUsage=keyCertSign"
        ));
        pki.issue("middle", "root", key, hash, "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign");
        pki
    }

    fn issue(&self, name: &str, issuer: &str, key: &str, hash: &str, extensions: &str) -> Certificate {
        self.0.write("ext", format!("subjectKeyIdentifier=hash\n{extensions}\n"));
        self.0.openssl(&format!(
            "req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.0.openssl(&format!(
            "x509 -req -in {name}.csr -{hash} -days 20 -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial \
             -extfile ext -out {name}.pem"
        ));
        self.read(name)
    }

    fn signer(&self, extensions: &str) -> Certificate {
        self.issue("signer", "middle", P256, "sha256", extensions)
    }

    fn read(&self, name: &str) -> Certificate {
        Certificate::read(&self.0.read(&format!("{name}.pem"))).unwrap()
    }

    fn check(&self, signer: &Certificate, now: SystemTime) -> Result<(), TrustError> {
        trust::check_path(signer, &[self.read("root")], &[self.read("middle")], &usage(), now)
    }
}

#[test]
fn paths_of_all_algorithms_are_found() {
    let ml_dsa = openssl::known().filter(openssl::is_ml_dsa);
    let ml_dsa: Vec<String> = ml_dsa.map(|algorithm| algorithm.to_string().to_uppercase()).collect();
    for (key, hash) in [
        ("rsa:2048", "sha256"),
        ("rsa:2048", "sha384"),
        ("rsa:3072", "sha512"),
        (P256, "sha256"),
        (P256, "sha384"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "sha384"),
    ]
    .into_iter()
    .chain(ml_dsa.iter().map(|name| (&**name, "sha256")))
    {
        let pki = Pki::new(key, hash);
        let signer = pki.signer("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature");
        pki.check(&signer, SystemTime::now()).unwrap_or_else(|error| panic!("{key} {hash}: {error}"));
        pki.0.openssl("verify -CAfile root.pem -untrusted middle.pem signer.pem");
    }
}

#[test]
fn our_own_certificates_are_accepted() {
    for algorithm in Algorithm::ALL {
        let chain = chain(algorithm);
        let cas = [chain.ca.certificate().clone()];
        trust::check_path(chain.signer.certificate(), &cas, &[], &usage(), SystemTime::now()).unwrap();
    }
}

#[test]
fn extended_key_usages_count_if_there_are_any() {
    let pki = Pki::new(P256, "sha256");
    for (usage, accepted) in [
        ("1.3.6.1.4.1.32473.1", true),
        ("codeSigning", true),
        ("serverAuth,1.3.6.1.4.1.32473.1", true),
        ("anyExtendedKeyUsage", true),
        ("serverAuth", false),
        ("1.3.6.1.4.1.32473.2", false),
        ("1.3.6.1.4.1.4711.1", false),
    ] {
        let signer = pki.signer(&format!("extendedKeyUsage={usage}"));
        let outcome = pki.check(&signer, SystemTime::now());
        match outcome {
            Ok(()) => assert!(accepted, "{usage}"),
            Err(error) => {
                assert!(!accepted, "{usage}: {error}");
                let is_said = match error {
                    TrustError::Pen { found: 4711, expected: DOCUMENTATION_PEN, .. } => {
                        usage.contains("4711")
                    }
                    TrustError::Purpose { .. } => !usage.contains("4711"),
                    _ => false,
                };
                assert!(is_said, "{error}");
            }
        }
    }
    let signer = pki.signer("keyUsage=keyEncipherment");
    assert!(matches!(pki.check(&signer, SystemTime::now()), Err(TrustError::Purpose { .. })));
}

#[test]
fn dates_count() {
    let pki = Pki::new(P256, "sha256");
    let signer = pki.signer("basicConstraints=CA:FALSE");
    let now = SystemTime::now();
    assert!(pki.check(&signer, now + 19 * DAY).is_ok());
    assert!(matches!(pki.check(&signer, now + 21 * DAY), Err(TrustError::Expired { .. })));
    assert!(matches!(pki.check(&signer, now - DAY), Err(TrustError::NotYetValid { .. })));
    assert!(matches!(trust::check(&signer, &usage(), now + 21 * DAY), Err(TrustError::Expired { .. })));

    // The CA's, too: webpki would trust it for ever.
    pki.0.openssl("x509 -in root.pem -signkey root.key -days 1 -out root.pem");
    let root = pki.read("root");
    assert!(root.not_after() < now + 2 * DAY);
    assert!(matches!(pki.check(&signer, now + 3 * DAY), Err(TrustError::Expired { .. })));
}

#[test]
fn what_is_no_path_is_none() {
    let pki = Pki::new(P256, "sha256");
    let other = Pki::new(P256, "sha256");
    let signer = pki.signer("basicConstraints=CA:FALSE");
    let roots = [pki.read("root")];
    let path = |signer: &Certificate, roots: &[Certificate], others: &[Certificate]| match trust::check_path(
        signer,
        roots,
        others,
        &usage(),
        SystemTime::now(),
    ) {
        Err(TrustError::Path { problem, .. }) => problem,
        other => panic!("not a problem with the path: {other:?}"),
    };
    assert_eq!(path(&signer, &[], &[]), "its issuer `CN=middle` is not among the CAs that are given: none");
    assert_eq!(
        path(&signer, &roots, &[]),
        "its issuer `CN=middle` is not among the CAs that are given: `CN=root`"
    );
    assert_eq!(
        path(&signer, &[signer.clone(), signer.clone()], &[pki.read("middle"), signer.clone()]),
        "`CN=root`, which has issued the certificate of `CN=middle`, is not among the CAs that are given: `CN=signer`, \
         `CN=signer`"
    );
    // Same names, other keys.
    let wrong =
        "a certificate has a wrong signature: it was changed, or its issuer is given with another key";
    assert_eq!(path(&signer, &[other.read("root")], &[pki.read("middle")]), wrong);
    assert_eq!(path(&signer, &roots, &[other.read("middle")]), wrong);

    // A signer that issues certificates.
    let below = pki.issue("below", "signer", P256, "sha256", "basicConstraints=CA:FALSE");
    assert_eq!(path(&below, &roots, &[pki.read("middle"), signer.clone()]), "an issuer is not a CA");
    // A CA that signs programs.
    let ca = pki.signer("basicConstraints=CA:TRUE");
    assert_eq!(path(&ca, &roots, &[pki.read("middle")]), "it is itself a CA's");
    // An issuer whose key is not for that, and one that is for another purpose.
    pki.issue("middle", "root", P256, "sha256", "basicConstraints=CA:TRUE\nkeyUsage=digitalSignature");
    let signer = pki.signer("basicConstraints=CA:FALSE");
    let error = trust::check_path(&signer, &roots, &[pki.read("middle")], &usage(), SystemTime::now());
    assert_eq!(
        error.unwrap_err().to_string(),
        "the certificate of `CN=middle` is not for issuing certificates"
    );
    // An intermediate whose purpose is numbered by another enterprise.
    let extensions = "basicConstraints=CA:TRUE\nextendedKeyUsage=1.3.6.1.4.1.4711.1";
    pki.issue("middle", "root", P256, "sha256", extensions);
    let signer = pki.signer("basicConstraints=CA:FALSE");
    let error = trust::check_path(&signer, &roots, &[pki.read("middle")], &usage(), SystemTime::now());
    assert!(matches!(error, Err(TrustError::Pen { found: 4711, .. })), "{error:?}");
    pki.issue("middle", "root", P256, "sha256", "basicConstraints=CA:TRUE\nextendedKeyUsage=serverAuth");
    let signer = pki.signer("basicConstraints=CA:FALSE");
    assert_eq!(
        path(&signer, &roots, &[pki.read("middle")]),
        "a certificate on the way is for something else"
    );
}

/// webpki would trust it for everything.
#[test]
fn a_ca_is_held_to_its_purposes() {
    let ca = |purpose| {
        let key = PrivateKey::generate(Algorithm::P256).unwrap();
        let usage = Role::Ca.limited_to(&[purpose], DOCUMENTATION_PEN);
        let certificate = Certificate::self_signed(usage, "ca", &key, 1).unwrap();
        Signer::new(key, certificate).unwrap()
    };
    for (purpose, accepted) in [(Purpose::Program, true), (Purpose::Code, true), (Purpose::Package, false)] {
        let ca = ca(purpose);
        let key = PrivateKey::generate(Algorithm::P256).unwrap().public_key();
        let signer = Certificate::issued_by(&ca, Role::Signer, "signer", &key, 1).unwrap();
        let cas = [ca.certificate().clone()];
        let outcome = trust::check_path(&signer, &cas, &[], &usage(), SystemTime::now());
        assert_eq!(outcome.is_ok(), accepted, "{purpose}");
        if let Err(error) = outcome {
            assert_eq!(error.to_string(), "the certificate of `CN=ca` is not for signing programs");
        }
    }
}

#[test]
fn a_file_has_many_certificates() {
    let pki = Pki::new(P256, "sha256");
    let (root, middle) = (pki.read("root"), pki.read("middle"));
    let text = format!("the root:\n{}\nand below it:\n{}", root.to_pem(), middle.to_pem());
    assert_eq!(certificates(text.as_bytes()).unwrap(), [root.clone(), middle]);
    assert_eq!(certificates(root.to_der()).unwrap(), [root]);
    assert!(certificates(b"").is_err());
    assert!(certificates(&pki.0.read("root.key")).is_err());
}
