//! The independent tool, and keys and certificates for it to judge.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use tempfile::TempDir;

/// A directory to run commands in.
pub struct Dir(TempDir);

impl Dir {
    pub fn new() -> Self {
        Dir(TempDir::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    /// Runs `openssl` with arguments that have no spaces in them.
    pub fn try_openssl(&self, arguments: &str) -> Output {
        Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .output()
            .expect("these tests need the `openssl` command")
    }

    /// Runs `openssl`, which must succeed, and returns what it prints.
    pub fn openssl(&self, arguments: &str) -> String {
        let output = self.try_openssl(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The algorithms that `openssl` knows.
pub fn known() -> impl Iterator<Item = Algorithm> {
    since((3, 5), "does not know ML-DSA")
}

/// Those that it makes messages of without signed attributes.
pub fn known_in_cms() -> impl Iterator<Item = Algorithm> {
    since((4, 0), "makes no ML-DSA messages without signed attributes")
}

/// All algorithms, but ML-DSA only of an `openssl` that is not older than this.
fn since(needed: (u32, u32), lack: &str) -> impl Iterator<Item = Algorithm> {
    let version = Dir::new().openssl("version");
    let mut numbers = version.split([' ', '.']).filter_map(|word| word.parse().ok());
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    let has_ml_dsa = version >= needed;
    if !has_ml_dsa {
        eprintln!("without ML-DSA: openssl {}.{} {lack}", version.0, version.1);
    }
    Algorithm::ALL.into_iter().filter(move |algorithm| has_ml_dsa || !is_ml_dsa(algorithm))
}

pub fn is_ml_dsa(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87)
}

/// A CA and a signer that it has issued a certificate for.
pub struct Chain {
    pub ca: Signer,
    pub ca_key: PrivateKey,
    pub signer: Signer,
    pub signer_key: PrivateKey,
}

/// The chain of an algorithm, made once.
pub fn chain(algorithm: Algorithm) -> &'static Chain {
    static CHAINS: [LazyLock<Chain>; Algorithm::ALL.len()] = [
        LazyLock::new(|| make_chain(Algorithm::Rsa2048)),
        LazyLock::new(|| make_chain(Algorithm::Rsa3072)),
        LazyLock::new(|| make_chain(Algorithm::Rsa4096)),
        LazyLock::new(|| make_chain(Algorithm::P256)),
        LazyLock::new(|| make_chain(Algorithm::P384)),
        LazyLock::new(|| make_chain(Algorithm::MlDsa44)),
        LazyLock::new(|| make_chain(Algorithm::MlDsa65)),
        LazyLock::new(|| make_chain(Algorithm::MlDsa87)),
    ];
    &CHAINS[Algorithm::ALL.iter().position(|other| *other == algorithm).unwrap()]
}

fn make_chain(algorithm: Algorithm) -> Chain {
    let ca_key = PrivateKey::generate(algorithm).unwrap();
    let certificate = Certificate::self_signed(Role::Ca, "Test CA", &ca_key, 30).unwrap();
    let ca = Signer::new(ca_key.clone(), certificate).unwrap();

    let signer_key = PrivateKey::generate(algorithm).unwrap();
    let certificate =
        Certificate::issued_by(&ca, Role::Signer, "Test signer", &signer_key.public_key(), 30).unwrap();
    Chain { signer: Signer::new(signer_key.clone(), certificate).unwrap(), signer_key, ca, ca_key }
}
