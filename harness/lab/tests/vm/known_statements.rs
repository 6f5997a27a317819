//! Statements whose signature the kernel need not check again, and what it checks all the same.

use std::thread;
use std::time::{Duration, SystemTime};

use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::statement::Statement;
use libc::{EKEYEXPIRED, EKEYREJECTED, EKEYREVOKED, ENOKEY};

use crate::keys::{self, signer};
use crate::load::{Outcome, load, load_with, program, sign, small, statement};
use crate::policy_keyring::bpf_keyring;

/// A message that no other test has shown to the kernel: one that expires at its own time.
fn message(signer: &Signer, number: u64) -> Vec<u8> {
    let statement = Statement { expiry: u64::MAX - 1_000_000 - number, ..statement(&small()) };
    cms::sign_attached(&statement.encode().unwrap(), signer).unwrap()
}

/// Whether there was a public-key operation; the load must have been accepted.
#[track_caller]
fn was_checked(outcome: Outcome) -> bool {
    let log = outcome.log.clone();
    outcome.accepted();
    let (_, public_key) = log.split_once(", public key ").unwrap();
    !public_key.starts_with("0,")
}

#[test]
#[ignore = "needs the patched kernel"]
fn are_checked_once() {
    let message = message(signer(), 0);
    assert!(was_checked(load(&small(), Some(&message))));
    assert!(!was_checked(load(&small(), Some(&message))));
    // Nothing else is taken for it.
    let mut forged = message.clone();
    *forged.last_mut().unwrap() ^= 1;
    load(&small(), Some(&forged)).refused(EKEYREJECTED, "not made by the signer's key");
    load(&program("straight-64"), Some(&message)).refused(EKEYREJECTED, "does not list program");
    assert!(!was_checked(load(&small(), Some(&message))));
}

/// What was refused is not remembered.
#[test]
#[ignore = "needs the patched kernel"]
fn forged_ones_stay_refused() {
    let good = message(signer(), 1);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    for _ in 0..3 {
        load(&small(), Some(&forged)).refused(EKEYREJECTED, "not made by the signer's key");
    }
    assert!(was_checked(load(&small(), Some(&good))));
}

#[test]
#[ignore = "needs the patched kernel"]
fn give_way_to_others() {
    let first = message(signer(), 100);
    assert!(was_checked(load(&small(), Some(&first))));
    for number in 101..163 {
        assert!(was_checked(load(&small(), Some(&message(signer(), number)))));
    }
    // 63 now; this one is used again, so that others are older.
    assert!(!was_checked(load(&small(), Some(&first))));
    for number in 163..226 {
        assert!(was_checked(load(&small(), Some(&message(signer(), number)))));
    }
    assert!(!was_checked(load(&small(), Some(&first))));
    assert!(!was_checked(load(&small(), Some(&message(signer(), 225)))));
    assert!(was_checked(load(&small(), Some(&message(signer(), 101)))));
}

#[test]
#[ignore = "needs the patched kernel"]
fn need_their_signer() {
    let keyring = bpf_keyring();
    let (gone, revoked, expired) = (keys::issued("gone"), keys::issued("revoked"), keys::issued("expired"));
    let [gone_key, revoked_key, expired_key] = [&gone, &revoked, &expired].map(|who| keys::add(who, keyring));
    keyring::possess(keyring).unwrap();
    let messages = [&gone, &revoked, &expired].map(|who| sign(&small(), who));
    let load = |message: &[u8]| load_with(&small(), Some(message), |attr| attr.keyring_id = Keyring::BPF.0);
    for message in &messages {
        assert!(was_checked(load(message)));
        assert!(!was_checked(load(message)));
    }

    keyring::unlink(gone_key, keyring).unwrap();
    load(&messages[0]).refused(ENOKEY, "signer is not in the keyring");
    // The same certificate is another key.
    keys::add(&gone, keyring);
    assert!(was_checked(load(&messages[0])));

    keys::revoke(revoked_key);
    load(&messages[1]).refused(EKEYREVOKED, "signer's key is revoked");
    keyring::unlink(revoked_key, keyring).unwrap();
    keys::expire_in(expired_key, 1);
    thread::sleep(Duration::from_secs(2));
    load(&messages[2]).refused(EKEYEXPIRED, "signer's key has expired");
}

/// Its signer is in one keyring, and not therefore in another.
#[test]
#[ignore = "needs the patched kernel"]
fn count_only_in_the_keyring_of_their_signer() {
    let message = message(signer(), 2);
    load(&small(), Some(&message)).accepted();
    load_with(&small(), Some(&message), |attr| attr.keyring_id = Keyring::BUILTIN.0)
        .refused(ENOKEY, "signer is not in the keyring");
}

#[test]
#[ignore = "needs the patched kernel"]
fn expire() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let statement = Statement { expiry: now + 2, ..statement(&small()) };
    let message = cms::sign_attached(&statement.encode().unwrap(), signer()).unwrap();
    load(&small(), Some(&message)).accepted();
    thread::sleep(Duration::from_secs(4));
    load(&small(), Some(&message)).refused(EKEYEXPIRED, "statement has expired");
}

/// Users would push out what others need.
#[test]
#[ignore = "needs the patched kernel"]
fn of_signers_in_other_keyrings_are_not_remembered() {
    let stranger = keys::stranger();
    let keyring = keys::keyring(c"own");
    keys::add(&stranger, keyring);
    let message = message(&stranger, 3);
    for _ in 0..2 {
        assert!(was_checked(load_with(&small(), Some(&message), |attr| attr.keyring_id = keyring)));
    }
}
