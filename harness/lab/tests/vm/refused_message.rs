//! Messages and statements that the kernel refuses.

use std::process::Command;

use bpfsig_signing::cms;
use libc::{EBADMSG, EFAULT, EINVAL, EKEYEXPIRED, EKEYREJECTED, ENOPKG};

use crate::keys::{self, signer};
use crate::load::{load, load_with, sign, small, statement};

/// What is not a bare message with a statement in it is for mainline's check to refuse.
const NO_STATEMENT: &str = "signature verification failed: -74";

#[test]
#[ignore = "needs the patched kernel"]
fn sizes_out_of_range() {
    let signature = sign(&small(), signer());
    load_with(&small(), Some(&signature), |attr| attr.signature_size = 0)
        .refused(EINVAL, "size is not in 1..16384");
    load_with(&small(), Some(&signature), |attr| attr.signature_size = 16385)
        .refused(EINVAL, "size is not in 1..16384");
}

#[test]
#[ignore = "needs the patched kernel"]
fn unreadable_memory() {
    let signature = sign(&small(), signer());
    load_with(&small(), Some(&signature), |attr| attr.signature = 8).refused(EFAULT, "");
    load_with(&small(), Some(&signature), |attr| attr.insns = 8).refused(EFAULT, "");
}

#[test]
#[ignore = "needs the patched kernel"]
fn no_message() {
    for bytes in [&[0u8][..], &[0x30, 0x80], &[0xff; 8192], &[0x30; 8192]] {
        load(&small(), Some(bytes)).refused(EBADMSG, NO_STATEMENT);
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn message_cut_off_anywhere() {
    let small = small();
    let signature = sign(&small, signer());
    for length in 1..signature.len() {
        load(&small, Some(&signature[..length])).refused(EBADMSG, NO_STATEMENT);
    }
}

/// A message that OpenSSL makes, by the CA, with the statement as content.
fn openssl_message(arguments: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let content = directory.path().join("content");
    std::fs::write(&content, statement(&small()).encode().unwrap()).unwrap();
    let keys = std::env::var("BPFSIG_TEST_KEYS").unwrap();
    let output = Command::new("openssl")
        .args(["cms", "-sign", "-binary", "-nodetach", "-keyid", "-outform", "DER"])
        .args(arguments.replace("KEYS", &keys).split_whitespace())
        .args(["-signer", &format!("{keys}/ca.pem"), "-inkey", &format!("{keys}/ca.key"), "-in"])
        .arg(content)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
#[ignore = "needs the patched kernel"]
fn message_in_the_profile_by_openssl_is_accepted() {
    load(&small(), Some(&openssl_message("-noattr -nocerts -md sha256"))).accepted();
}

#[test]
#[ignore = "needs the patched kernel"]
fn message_that_is_no_bare_signature() {
    for arguments in [
        "-noattr -md sha256",  // with the certificate
        "-nocerts -md sha256", // with signed attributes
        "-noattr -nocerts -md sha256 -signer KEYS/p-256.pem -inkey KEYS/p-256.key", // two signers
        "-noattr -nocerts -md sha256 -econtent_type 1.2.840.113549.1.7.5", // content that is not data
    ] {
        let outcome = load(&small(), Some(&openssl_message(arguments)));
        assert!(outcome.log.contains("signature verification failed"), "{arguments}: {outcome:?}");
        let errno = outcome.result.unwrap_err();
        assert!([EBADMSG, EKEYREJECTED, EINVAL].contains(&errno), "{arguments}: {errno}");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn unsupported_digest() {
    load(&small(), Some(&openssl_message("-noattr -nocerts -md sha512")))
        .refused(ENOPKG, "digest is not SHA-256");
}

/// A statement with one change, properly signed.
fn load_changed_statement(change: impl FnOnce(&mut Vec<u8>)) -> crate::load::Outcome {
    let mut statement = statement(&small()).encode().unwrap();
    change(&mut statement);
    load(&small(), Some(&cms::sign_attached(&statement, signer()).unwrap()))
}

#[test]
#[ignore = "needs the patched kernel"]
fn malformed_statement() {
    load_changed_statement(|_| {}).accepted();
    load_changed_statement(|bytes| bytes.clear()).refused(EBADMSG, "no statement of version 1");
    load_changed_statement(|bytes| bytes.truncate(31)).refused(EBADMSG, "no statement of version 1");
    load_changed_statement(|bytes| bytes[0] ^= 1).refused(EBADMSG, "no statement of version 1");
    load_changed_statement(|bytes| bytes[8] = 2).refused(EBADMSG, "no statement of version 1");
    load_changed_statement(|bytes| bytes[12] = 0).refused(EBADMSG, "malformed statement");
    load_changed_statement(|bytes| bytes[12] = 2).refused(EBADMSG, "malformed statement");
    // 32 + 36 × count would be right if the product were cut off at 32 bits.
    load_changed_statement(|bytes| bytes[15] = 0x40).refused(EBADMSG, "malformed statement");
    load_changed_statement(|bytes| bytes.push(0)).refused(EBADMSG, "malformed statement");
    load_changed_statement(|bytes| bytes.truncate(67)).refused(EBADMSG, "malformed statement");
    load_changed_statement(|bytes| bytes[31] = 1).refused(EBADMSG, "malformed statement");
}

#[test]
#[ignore = "needs the patched kernel"]
fn statement_with_unsupported_digests() {
    load_changed_statement(|bytes| bytes[10] = 2).refused(ENOPKG, "statement's digests are not SHA-256");
}

#[test]
#[ignore = "needs the patched kernel"]
fn expired_statement() {
    load_changed_statement(|bytes| bytes[16] = 1).refused(EKEYEXPIRED, "statement has expired");
}

/// The reason fits the log or is cut off; either way the error stays the same.
#[test]
#[ignore = "needs the patched kernel"]
fn short_log() {
    let signature = sign(&small(), &keys::stranger());
    for size in [1, 20] {
        load_with(&small(), Some(&signature), |attr| attr.log_size = size).refused(libc::ENOKEY, "");
    }
    load_with(&small(), Some(&signature), |attr| attr.log_level = 1024).refused(EINVAL, "");
}
