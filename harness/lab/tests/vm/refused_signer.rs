//! Signers and signatures that the kernel refuses.

use std::thread;
use std::time::Duration;

use bpfsig_lab::jobs::message;
use bpfsig_loading::keyring;
use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Role, Signer};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use libc::{EFAULT, EKEYEXPIRED, EKEYREJECTED, EKEYREVOKED, ENOKEY};

use crate::keys::{self, signer};
use crate::load::{load, load_with, sign, small};

#[test]
#[ignore = "needs the patched kernel"]
fn unknown_signer() {
    for algorithm in [Algorithm::P256, Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87] {
        let signature = sign(&small(), &keys::stranger_of(algorithm));
        load(&small(), Some(&signature)).refused(ENOKEY, "signer is not in the keyring");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn signer_in_another_keyring() {
    let signature = sign(&small(), signer());
    for keyring in [0, 2] {
        load_with(&small(), Some(&signature), |attr| attr.keyring_id = keyring)
            .refused(ENOKEY, "signer is not in the keyring");
    }
    let key = keys::add(&keys::stranger(), keys::keyring(c"another"));
    load_with(&small(), Some(&signature), |attr| attr.keyring_id = key)
        .refused(ENOKEY, "signer is not in the keyring");
}

#[test]
#[ignore = "needs the patched kernel"]
fn no_keyring() {
    let signature = sign(&small(), signer());
    load_with(&small(), Some(&signature), |attr| attr.keyring_id = i32::MAX)
        .refused(ENOKEY, "no keyring 2147483647");
}

#[test]
#[ignore = "needs the patched kernel"]
fn revoked_and_expired_keys() {
    let stranger = keys::stranger();
    let signature = sign(&small(), &stranger);
    let keyring = keys::keyring(c"revoked");
    let key = keys::add(&stranger, keyring);
    let load = || load_with(&small(), Some(&signature), |attr| attr.keyring_id = keyring);
    load().accepted();
    keys::expire_in(key, 1);
    thread::sleep(Duration::from_secs(2));
    load().refused(EKEYEXPIRED, "signer's key has expired");

    let keyring = keys::keyring(c"expired");
    let key = keys::add(&stranger, keyring);
    let load = || load_with(&small(), Some(&signature), |attr| attr.keyring_id = keyring);
    load().accepted();
    keys::revoke(key);
    load().refused(EKEYREVOKED, "signer's key is revoked");
}

/// A certificate that is issued again for the same key takes the place of the one that has expired.
#[test]
#[ignore = "needs the patched kernel"]
fn renewed_certificate() {
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let usage = || Role::Signer.limited_to(&[Purpose::Program], DOCUMENTATION_PEN);
    let issue = || Certificate::issued_by(&keys::ca(), usage(), "renewed", &key.public_key(), 1).unwrap();
    let (first, second) = (issue(), issue());
    let signer = Signer::new(key, first).unwrap();
    let signature = sign(&small(), &signer);
    let keyring = keys::keyring(c"renewed");
    let load = || load_with(&small(), Some(&signature), |attr| attr.keyring_id = keyring);

    keys::expire_in(keys::add(&signer, keyring), 1);
    thread::sleep(Duration::from_secs(2));
    load().refused(EKEYEXPIRED, "signer's key has expired");
    keyring::add_key(c"asymmetric", second.to_der(), keyring).unwrap();
    load().accepted();
}

#[test]
#[ignore = "needs the patched kernel"]
fn forged_signature() {
    for algorithm in Algorithm::ALL {
        let signature = message::forged(sign(&small(), &keys::signer_of(algorithm))).unwrap();
        load(&small(), Some(&signature)).refused(EKEYREJECTED, "not made by the signer's key");
    }
}

/// The content is what is signed.
#[test]
#[ignore = "needs the patched kernel"]
fn changed_content() {
    for algorithm in Algorithm::ALL {
        let mut signature = sign(&small(), &keys::signer_of(algorithm));
        let content = signature.windows(8).position(|bytes| bytes == b"BPFSIGST").unwrap();
        signature[content + 40] ^= 1;
        load(&small(), Some(&signature)).refused(EKEYREJECTED, "not made by the signer's key");
    }
}

/// The signature is checked before the program is looked at: these programs could not even be copied.
#[test]
#[ignore = "needs the patched kernel"]
fn before_the_instructions_are_copied() {
    let forged = message::forged(sign(&small(), signer())).unwrap();
    load_with(&small(), Some(&forged), |attr| attr.insns = 8).refused(EKEYREJECTED, "");
    let unknown = sign(&small(), &keys::stranger());
    load_with(&small(), Some(&unknown), |attr| attr.insns = 8).refused(ENOKEY, "");
    let good = sign(&small(), signer());
    load_with(&small(), Some(&good), |attr| attr.insns = 8).refused(EFAULT, "");
}
