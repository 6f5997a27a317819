//! Programs that are withdrawn although their signer is trusted.

use std::os::fd::AsFd;

use bpfsig_loading::{self as bpf, ProgramInfo, keyring};
use bpfsig_signing::Digest;
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;
use libc::EKEYREJECTED;

use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{load, sign, small};

fn named(name: &str) -> Program {
    Program { name: name.into(), ..small() }
}

fn deny(digest: Digest, signer: &Signer) -> anyhow::Result<()> {
    let digest = digest.to_string();
    Ok(keyring::deny(&digest, &cms::sign_detached(keyring::denial(&digest).as_bytes(), signer)?)?)
}

#[test]
#[ignore = "needs the patched kernel"]
fn one_program_of_a_signer() {
    let (faulty, other) = (named("faulty"), named("other"));
    let signature = sign(&faulty, signer());
    let loaded = load(&faulty, Some(&signature)).accepted();

    let digest = Manifest::of(&faulty).unwrap().digest();
    assert!(!keyring::is_denied(&digest.to_string()).unwrap());
    deny(digest, &keys::ca()).unwrap();
    assert!(keyring::is_denied(&digest.to_string()).unwrap());
    let reason = format!("program {digest} is blacklisted");
    let audit = Audit::listen();
    load(&faulty, Some(&signature)).refused(EKEYREJECTED, &reason);
    audit.expect(&["op=REFUSE_LOAD", "err=-129 ", &format!("reason=\"{reason}\"")]);
    // Under another signature too.
    let again = sign(&faulty, &keys::ca());
    load(&faulty, Some(&again)).refused(EKEYREJECTED, "is blacklisted");
    load(&other, Some(&sign(&other, signer()))).accepted();
    // What is loaded stays, and is listed.
    let info = ProgramInfo::of(loaded.as_fd()).unwrap();
    assert!(bpf::programs().unwrap().contains(&info));
}

#[test]
#[ignore = "needs the patched kernel"]
fn by_a_builtin_key_only() {
    let program = named("innocent");
    let digest = Manifest::of(&program).unwrap().digest();
    let signature = sign(&program, signer());
    deny(digest, signer()).unwrap_err();
    deny(digest, &keys::stranger()).unwrap_err();
    keyring::deny(&digest.to_string(), b"").unwrap_err();
    load(&program, Some(&signature)).accepted();
}

/// Root can't take back what the holder of the builtin key has decided.
#[test]
#[ignore = "needs the patched kernel"]
fn for_good() {
    let program = named("gone");
    let digest = Manifest::of(&program).unwrap().digest();
    let signature = sign(&program, signer());
    deny(digest, &keys::ca()).unwrap();

    let blacklist = keyring::find(".blacklist").unwrap().unwrap();
    for key in keyring::serials(blacklist).unwrap() {
        keyring::unlink(key, blacklist).unwrap_err();
        keyring::revoke(key).unwrap_err();
    }
    load(&program, Some(&signature)).refused(EKEYREJECTED, "is blacklisted");
}
