//! The keyring `.bpf`: who gets in, and what happens to programs when a key goes.

use std::os::fd::AsFd;

use bpfsig::bpf::ProgramInfo;
use bpfsig::bpf::keyring::{self, Keyring};
use bpfsig_signing::certificate::Signer;
use libc::{EKEYEXPIRED, EKEYREVOKED, ENOKEY, EOPNOTSUPP};

use crate::keys;
use crate::load::{Outcome, load_with, sign, small};

fn bpf_keyring() -> i32 {
    keyring::find(".bpf").unwrap().expect("there is no keyring .bpf")
}

fn load_by(signer: &Signer) -> Outcome {
    load_with(&small(), Some(&sign(&small(), signer)), |attr| attr.keyring_id = Keyring::BPF.0)
}

#[test]
#[ignore = "needs the patched kernel"]
fn takes_whom_the_ca_vouches_for() {
    let signer = keys::issued("newcomer");
    load_by(&signer).refused(ENOKEY, "signer is not in the keyring");
    keys::add(&signer, bpf_keyring());
    let program = load_by(&signer).accepted();
    let origin = ProgramInfo::of(program.as_fd()).unwrap().origin;
    assert!(format!("{origin:?}").contains("keyring_id: 3"), "{origin:?}");
    // It is trusted for nothing else.
    load_with(&small(), Some(&sign(&small(), &signer)), |attr| attr.keyring_id = Keyring::SECONDARY.0)
        .refused(ENOKEY, "signer is not in the keyring");
}

#[test]
#[ignore = "needs the patched kernel"]
fn takes_nobody_else() {
    let stranger = keys::stranger();
    let add = keyring::add_key(c"asymmetric", stranger.certificate().to_der(), bpf_keyring());
    assert_eq!(add.unwrap_err().raw_os_error(), Some(ENOKEY));

    // Nor by a detour.
    let own = keys::keyring(c"detour");
    let key = keys::add(&stranger, own);
    assert_eq!(keys::link(key, bpf_keyring()).unwrap_err().raw_os_error(), Some(ENOKEY));
    assert_eq!(keys::link(own, bpf_keyring()).unwrap_err().raw_os_error(), Some(EOPNOTSUPP));
    load_by(&stranger).refused(ENOKEY, "signer is not in the keyring");
}

/// The new key comes in, the old one goes out, without a reboot.
#[test]
#[ignore = "needs the patched kernel"]
fn rotation() {
    let (old, new) = (keys::issued("old"), keys::issued("new"));
    let old_key = keys::add(&old, bpf_keyring());
    let program = load_by(&old).accepted();

    keys::add(&new, bpf_keyring());
    load_by(&old).accepted();
    load_by(&new).accepted();

    keyring::unlink(old_key, bpf_keyring()).unwrap();
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
    let (revoked, expired) = (keys::issued("revoked"), keys::issued("expired"));
    let revoked_key = keys::add(&revoked, bpf_keyring());
    let expired_key = keys::add(&expired, bpf_keyring());
    keyring::possess(bpf_keyring()).unwrap();
    load_by(&revoked).accepted();
    load_by(&expired).accepted();

    keys::revoke(revoked_key);
    load_by(&revoked).refused(EKEYREVOKED, "signer's key is revoked");
    keys::expire_in(expired_key, 1);
    std::thread::sleep(std::time::Duration::from_secs(2));
    load_by(&expired).refused(EKEYEXPIRED, "signer's key has expired");
}
