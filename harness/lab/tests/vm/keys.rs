//! Signers, and keyrings for the kernel to find them in.

use std::io;
use std::path::PathBuf;
use std::sync::{LazyLock, Once};

use bpfsig_loading::keyring;
use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Role, Signer, Usage};
use bpfsig_signing::key::{Algorithm, PrivateKey};

/// `KEY_SPEC_PROCESS_KEYRING`, and an option of `keyctl(2)`.
const PROCESS_KEYRING: i32 = -2;
const KEYCTL_LINK: i32 = 8;

fn read(name: &str) -> Signer {
    let directory = PathBuf::from(std::env::var_os("BPFSIG_TEST_KEYS").expect("BPFSIG_TEST_KEYS is not set"));
    let file = |extension| std::fs::read(directory.join(format!("{name}.{extension}"))).unwrap();
    let key = PrivateKey::read(&file("key"), None).unwrap();
    Signer::new(key, Certificate::read(&file("pem")).unwrap()).unwrap()
}

/// The CA in the builtin keyring.
pub fn ca() -> Signer {
    read("ca")
}

/// A signer in the secondary keyring, by a certificate that the CA has issued.
pub fn signer_of(algorithm: Algorithm) -> Signer {
    static TRUST: Once = Once::new();
    TRUST.call_once(|| {
        for algorithm in Algorithm::ALL {
            keyring::trust(read(&algorithm.to_string()).certificate().to_der()).unwrap();
        }
    });
    read(&algorithm.to_string())
}

/// The signer that most tests use: the one whose signatures the kernel checks fastest.
pub fn signer() -> &'static Signer {
    static SIGNER: LazyLock<Signer> = LazyLock::new(|| signer_of(Algorithm::Rsa2048));
    &SIGNER
}

/// A signer whom nobody trusts, whatever the certificate says.
pub fn stranger() -> Signer {
    stranger_of(Algorithm::P256)
}

/// The same with a key of another algorithm. (RSA keys take minutes to make here.)
pub fn stranger_of(algorithm: Algorithm) -> Signer {
    let key = PrivateKey::generate(algorithm).unwrap();
    let usage = Role::Signer.limited_to(&[Purpose::Program, Purpose::Attestation], DOCUMENTATION_PEN);
    let certificate = Certificate::self_signed(usage, "stranger", &key, 1).unwrap();
    Signer::new(key, certificate).unwrap()
}

/// A signer with a certificate for signing programs that the CA has issued, whom the kernel has not heard of.
pub fn issued(name: &str) -> Signer {
    issued_for(name, Role::Signer.limited_to(&[Purpose::Program], DOCUMENTATION_PEN))
}

/// An attester with a certificate that the CA has issued, whom the kernel has not heard of.
pub fn issued_attester(name: &str) -> Signer {
    issued_for(name, Role::Signer.limited_to(&[Purpose::Attestation], DOCUMENTATION_PEN))
}

/// Somebody with a certificate that the CA has issued.
pub fn issued_for(name: &str, usage: impl Into<Usage>) -> Signer {
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let certificate = Certificate::issued_by(&ca(), usage, name, &key.public_key(), 1).unwrap();
    Signer::new(key, certificate).unwrap()
}

/// A signer who is the same on all kernels, and whom none of them trusts.
pub fn portable() -> Signer {
    read("portable")
}

/// A new keyring of this process.
pub fn keyring(name: &std::ffi::CStr) -> i32 {
    // SAFETY: both strings end with a zero; a keyring has no payload.
    let serial = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            c"keyring".as_ptr(),
            name.as_ptr(),
            std::ptr::null::<u8>(),
            0usize,
            PROCESS_KEYRING,
        )
    };
    assert!(serial > 0, "{}", std::io::Error::last_os_error());
    serial as i32
}

/// Adds a signer's certificate to a keyring; returns the key's serial number.
pub fn add(signer: &Signer, keyring: i32) -> i32 {
    keyring::add_key(c"asymmetric", signer.certificate().to_der(), keyring).unwrap()
}

/// Revokes a key.
pub fn revoke(key: i32) {
    keyring::revoke(key).unwrap();
}

/// Lets a key expire in a number of seconds.
pub fn expire_in(key: i32, seconds: u32) {
    keyring::expire_in(key, seconds).unwrap();
}

/// Links a key to a keyring.
pub fn link(key: i32, keyring: i32) -> io::Result<()> {
    // SAFETY: this operation takes two numbers.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_LINK, key, keyring) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
