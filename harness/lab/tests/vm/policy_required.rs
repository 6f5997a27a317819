//! Required mode, from the kernel's command line: `bpf_signature=required`.

use std::os::fd::{AsFd, AsRawFd};

use bpfsig_lab::loader::Loader;
use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_loading::raw::Log;
use bpfsig_loading::{Origin, ProgramInfo};
use bpfsig_signing::certificate::Purpose;
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;
use libc::{EBADMSG, EINVAL, EKEYREJECTED, EPERM};

use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{load, load_with, program, sign, small};
use crate::loaded_object::bytes;
use crate::loader::{light_skeleton, loader, run};
use crate::machine::{as_user, set_sysctl, sysctl};
use crate::policy_commands::json;
use crate::policy_granted::{Attached, PolicySigner};
use crate::token;

const REASON: &str = "a statement is required, and there is none";

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn from_the_beginning() {
    assert_eq!(sysctl("bpf_signature"), "1");
    assert_eq!(set_sysctl("bpf_signature", "0").unwrap_err().raw_os_error(), Some(EINVAL));
    assert_eq!(sysctl("bpf_signature"), "1");
    load(&small(), None).refused(EKEYREJECTED, REASON);
    for command in ["show", "require"] {
        assert_eq!(json(&["policy", command, "--json"])["mode"], "required");
    }
}

/// Else root could make an attester of somebody who only signs.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn attestation_stays_switched_off() {
    assert_eq!(sysctl("bpf_attestation"), "0");
    assert_eq!(set_sysctl("bpf_attestation", "1").unwrap_err().raw_os_error(), Some(EPERM));
}

/// The instructions are at an address where there is nothing: they are not looked at.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_before_the_program_is_copied() {
    load_with(&small(), None, |attr| attr.insns = 8).refused(EKEYREJECTED, REASON);
}

/// Extensions (`BPF_PROG_TYPE_EXT`) and loader programs among them.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_each_type_of_program() {
    let other = load(&small(), Some(&sign(&small(), signer()))).accepted();
    for prog_type in 1..33 {
        load_with(&small(), None, |attr| attr.prog_type = prog_type).refused(EKEYREJECTED, REASON);
        load_with(&small(), None, |attr| {
            attr.prog_type = prog_type;
            attr.attach_object_fd = other.as_raw_fd() as u32;
            attr.attach_btf_id = 1;
        })
        .refused(EKEYREJECTED, REASON);
    }
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_each_user() {
    load(&small(), None).refused(EKEYREJECTED, REASON);
    std::thread::scope(|scope| {
        scope.spawn(|| load(&small(), None).refused(EKEYREJECTED, REASON));
    });
    let audit = Audit::listen();
    as_user(1000, || load(&small(), None).refused(EKEYREJECTED, REASON));
    audit.expect(&["op=REFUSE_LOAD", "err=-129 ", &format!("reason=\"{REASON}\"")]);
    assert_eq!(token::load_unsigned(), EKEYREJECTED);
    audit.expect(&["op=REFUSE_LOAD", "err=-129 ", &format!("reason=\"{REASON}\"")]);
}

/// An attribute that has to do with signatures is none.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_what_only_looks_signed() {
    load_with(&small(), None, |attr| attr.signature_size = 100).refused(EKEYREJECTED, REASON);
    load_with(&small(), None, |attr| attr.keyring_id = 1).refused(EKEYREJECTED, REASON);
    load_with(&small(), None, |attr| attr.signature = 8).refused(EINVAL, "signature: size");
    // Without a log, the error is the same.
    load_with(&small(), None, |attr| (attr.log_level, attr.log_size, attr.log_buf) = (0, 0, 0))
        .refused(EKEYREJECTED, "");
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn accepts_system_keyrings_but_the_platform_s() {
    let by_ca = sign(&small(), &keys::ca());
    for keyring in [Keyring::BUILTIN, Keyring::SECONDARY] {
        load_with(&small(), Some(&by_ca), |attr| attr.keyring_id = keyring.0).accepted();
    }
    let newcomer = keys::issued("required");
    keys::add(&newcomer, keyring::find(".bpf").unwrap().unwrap());
    load_with(&small(), Some(&sign(&small(), &newcomer)), |attr| attr.keyring_id = Keyring::BPF.0).accepted();

    // Not even if the CA is in there: it is root's.
    let own = keys::keyring(c"required");
    let key = keys::add(&keys::ca(), own);
    let audit = Audit::listen();
    for serial in [own, key, -1, -2, i32::MAX, Keyring::PLATFORM.0] {
        let reason = format!("keyring {serial} does not count, as signatures are required");
        load_with(&small(), Some(&by_ca), |attr| attr.keyring_id = serial).refused(EPERM, &reason);
        audit.expect(&["op=REFUSE_LOAD", "err=-1 ", &reason]);
    }
}

/// Mainline's signatures bind neither the type of a program nor what it attaches to.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_detached_signatures() {
    let signature = cms::sign_detached(&small().insns, &keys::ca()).unwrap();
    load(&small(), Some(&signature)).refused(EBADMSG, "no bare PKCS#7 message with a statement");
}

/// Whoever makes a load, it needs a statement: a verified program can be made to load something other than it was made for.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_loads_by_verified_programs() {
    for frozen in [true, false] {
        let verified = load(&loader(frozen), Some(&sign(&loader(frozen), signer()))).accepted();
        assert_eq!(run(verified.as_fd()).unwrap_err(), EKEYREJECTED);
    }
    load(&loader(true), None).refused(EKEYREJECTED, REASON);
}

/// Fails closed: what the policy does not name is refused, and so is everything once it is detached.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn accepts_what_a_policy_grants() {
    let signer = PolicySigner::new(&[Purpose::Program, Purpose::Policy]);
    let digest = Manifest::of(&small()).unwrap().digest().to_string();
    load(&small(), None).refused(EKEYREJECTED, REASON);
    {
        let _policy = Attached::new(&signer.sign(1, &digest));
        let granted = load(&small(), None).accepted();
        let origin = ProgramInfo::of(granted.as_fd()).unwrap().origin;
        assert!(matches!(origin, Some(Origin::Granted(_))), "{origin:?}");
        load(&program("straight-64"), None).refused(EKEYREJECTED, "no policy grants it");
        let renamed = Program { name: "another".into(), ..small() };
        load(&renamed, None).refused(EKEYREJECTED, "no policy grants it");
    }
    load(&small(), None).refused(EKEYREJECTED, REASON);
}

/// As libbpf makes it.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_light_skeletons() {
    let made = Loader::of(bytes("xdp_icmp_echo"), &["xdp_icmp_echo"]).unwrap();
    let skeleton = light_skeleton(&made, true);
    let loader = load(&skeleton, Some(&sign(&skeleton, signer()))).accepted();
    let error = made.run(loader.as_fd(), &mut Log::default()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EKEYREJECTED));
}
