//! The keyring `.bpf`: who gets in, and what happens to programs when a key goes.

use bpfsig_loading::ProgramInfo;
use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Role, Signer};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use libc::{EKEYEXPIRED, EKEYREJECTED, EKEYREVOKED, ENOENT, ENOKEY, EOPNOTSUPP};
use std::os::fd::AsFd;

use crate::keys;
use crate::load::{Outcome, load_with, sign, small};

/// The keyring, without what other tests have left there.
pub fn bpf_keyring() -> i32 {
    let keyring = keyring::find(".bpf").unwrap().expect("there is no keyring .bpf");
    for key in keyring::serials(keyring).unwrap() {
        if let Err(error) = keyring::unlink(key, keyring) {
            // The kernel has removed a revoked one by itself.
            assert_eq!(error.raw_os_error(), Some(ENOENT));
        }
    }
    keyring
}

fn load_by(signer: &Signer) -> Outcome {
    load_with(&small(), Some(&sign(&small(), signer)), |attr| attr.keyring_id = Keyring::BPF.0)
}

#[test]
#[ignore = "needs the patched kernel"]
fn takes_whom_the_ca_vouches_for() {
    let keyring = bpf_keyring();
    let signer = keys::issued("newcomer");
    load_by(&signer).refused(ENOKEY, "signer is not in the keyring");
    keys::add(&signer, keyring);
    let program = load_by(&signer).accepted();
    let origin = ProgramInfo::of(program.as_fd()).unwrap().origin;
    assert!(format!("{origin:?}").contains("keyring_id: 3"), "{origin:?}");
    // It is trusted for nothing else.
    load_with(&small(), Some(&sign(&small(), &signer)), |attr| attr.keyring_id = Keyring::SECONDARY.0)
        .refused(ENOKEY, "signer is not in the keyring");
}

#[test]
#[ignore = "needs the patched kernel"]
fn takes_keys_of_each_algorithm() {
    let keyring = bpf_keyring();
    for algorithm in Algorithm::ALL {
        let signer = keys::signer_of(algorithm);
        keys::add(&signer, keyring);
        load_by(&signer).accepted();
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn takes_nobody_else() {
    let keyring = bpf_keyring();
    let stranger = keys::stranger();
    let add = keyring::add_key(c"asymmetric", stranger.certificate().to_der(), keyring);
    assert_eq!(add.unwrap_err().raw_os_error(), Some(ENOKEY));

    // Nor by a detour.
    let own = keys::keyring(c"detour");
    let key = keys::add(&stranger, own);
    assert_eq!(keys::link(key, keyring).unwrap_err().raw_os_error(), Some(ENOKEY));
    assert_eq!(keys::link(own, keyring).unwrap_err().raw_os_error(), Some(EOPNOTSUPP));
    load_by(&stranger).refused(ENOKEY, "signer is not in the keyring");
}

/// A key of the kernel's has issued the certificate, but not for signing programs.
#[test]
#[ignore = "needs the patched kernel"]
fn takes_certificates_for_this_purpose_only() {
    let keyring = bpf_keyring();
    let attester_too = Role::Signer.limited_to(&[Purpose::Attestation, Purpose::Program], DOCUMENTATION_PEN);
    keys::add(&keys::issued_for("both", attester_too), keyring);
    let other_pen = Role::Signer.limited_to(&[Purpose::Program], DOCUMENTATION_PEN + 1);
    let issuer = Role::Ca.limited_to(&[Purpose::Program], DOCUMENTATION_PEN);
    for other in [
        keys::ca(),
        keys::issued_attester("attester"),
        keys::issued_for("anything", Role::Signer),
        keys::issued_for("of another number", other_pen),
        keys::issued_for("issuer", issuer),
    ] {
        let add = keyring::add_key(c"asymmetric", other.certificate().to_der(), keyring);
        assert!([EKEYREJECTED, ENOKEY].contains(&add.unwrap_err().raw_os_error().unwrap()));
    }
}

/// Nor does what root puts into the secondary keyring sign programs if it is for something else. What is built in does.
#[test]
#[ignore = "needs the patched kernel"]
fn takes_the_same_from_the_secondary_keyring() {
    let load_by = |signer: &Signer| {
        load_with(&small(), Some(&sign(&small(), signer)), |attr| attr.keyring_id = Keyring::SECONDARY.0)
    };
    for other in [keys::issued_attester("attester"), keys::issued_for("anything", Role::Signer)] {
        keyring::trust(other.certificate().to_der()).unwrap();
        load_by(&other).refused(EKEYREJECTED, "signer's certificate is not for programs");
    }
    let signer = keys::issued("newcomer");
    keyring::trust(signer.certificate().to_der()).unwrap();
    load_by(&signer).accepted();
    load_by(&keys::ca()).accepted();
}

/// Root can put any certificate by the authority into the secondary keyring, and its key can issue others. These count only
/// if it is a CA's, all the way up.
#[test]
#[ignore = "needs the patched kernel"]
fn takes_nobody_whom_a_signer_has_issued() {
    let keyring = bpf_keyring();
    let usage = || Role::Signer.limited_to(&[Purpose::Program], DOCUMENTATION_PEN);
    let below = |issuer: &Signer| {
        let key = PrivateKey::generate(Algorithm::P256).unwrap();
        let certificate = Certificate::issued_by(issuer, usage(), "below", &key.public_key(), 1).unwrap();
        Signer::new(key, certificate).unwrap()
    };
    let add = |signer: &Signer| keyring::add_key(c"asymmetric", signer.certificate().to_der(), keyring);
    let refused = |signer: &Signer| assert_eq!(add(signer).unwrap_err().raw_os_error(), Some(EKEYREJECTED));

    // The same key and name with another certificate, so that ours issues what it must not.
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let leaf = Certificate::issued_by(&keys::ca(), Role::Signer, "leaf", &key.public_key(), 1).unwrap();
    let as_ca = Certificate::self_signed(Role::Ca, "leaf", &key, 1).unwrap();
    let leaf_as_ca = Signer::new(key, as_ca).unwrap();
    keyring::trust(leaf.to_der()).unwrap();
    let newcomer = below(&leaf_as_ca);
    refused(&newcomer);
    keyring::trust(newcomer.certificate().to_der()).unwrap();
    load_with(&small(), Some(&sign(&small(), &newcomer)), |attr| attr.keyring_id = Keyring::SECONDARY.0)
        .refused(EKEYREJECTED, "signer's certificate is not for programs");

    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let own_ca = Certificate::issued_by(&leaf_as_ca, Role::Ca, "of a leaf", &key.public_key(), 1).unwrap();
    keyring::trust(own_ca.to_der()).unwrap();
    refused(&below(&Signer::new(key, own_ca).unwrap()));

    let ca = keys::issued_for("between", Role::Ca);
    keyring::trust(ca.certificate().to_der()).unwrap();
    let signer = below(&ca);
    add(&signer).unwrap();
    load_by(&signer).accepted();
}

/// The new key comes in, the old one goes out, without a reboot.
#[test]
#[ignore = "needs the patched kernel"]
fn rotation() {
    let keyring = bpf_keyring();
    let (old, new) = (keys::issued("old"), keys::issued("new"));
    let old_key = keys::add(&old, keyring);
    let program = load_by(&old).accepted();

    keys::add(&new, keyring);
    load_by(&old).accepted();
    load_by(&new).accepted();

    keyring::unlink(old_key, keyring).unwrap();
    load_by(&old).refused(ENOKEY, "signer is not in the keyring");
    load_by(&new).accepted();
    // What is loaded stays, and can be found.
    let origin = ProgramInfo::of(program.as_fd()).unwrap().origin;
    let id = old.certificate().subject_key_id();
    assert!(format!("{origin:?}").contains(&format!("{id:?}")), "{origin:?}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn revoked_and_expired_keys() {
    let keyring = bpf_keyring();
    let (revoked, expired) = (keys::issued("revoked"), keys::issued("expired"));
    let revoked_key = keys::add(&revoked, keyring);
    let expired_key = keys::add(&expired, keyring);
    keyring::possess(keyring).unwrap();
    load_by(&revoked).accepted();
    load_by(&expired).accepted();

    keys::revoke(revoked_key);
    load_by(&revoked).refused(EKEYREVOKED, "signer's key is revoked");
    // That says nothing about anybody else.
    load_by(&keys::issued("unknown")).refused(ENOKEY, "signer is not in the keyring");
    keyring::unlink(revoked_key, keyring).unwrap();
    keys::expire_in(expired_key, 1);
    std::thread::sleep(std::time::Duration::from_secs(2));
    load_by(&expired).refused(EKEYEXPIRED, "signer's key has expired");
}
