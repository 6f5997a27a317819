//! Required mode, from the kernel's command line: `bpf_signature=required`.

use std::os::fd::{AsFd, AsRawFd};

use bpfsig_lab::loader::Loader;
use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_loading::raw::Log;
use bpfsig_loading::{Attested, Origin, ProgramInfo};
use libc::{EINVAL, EKEYREJECTED, EPERM};

use crate::attested::{Subject, SwitchedOn, attested};
use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{load, load_with, sign, small};
use crate::loaded_object::bytes;
use crate::loader::{light_skeleton, loader, run};
use crate::machine::{as_user, set_sysctl, sysctl};
use crate::policy_commands::json;
use crate::token;

const NONE: &str = "signature: required, and there is none";

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn from_the_beginning() {
    assert_eq!(sysctl("bpf_signature"), "1");
    assert_eq!(set_sysctl("bpf_signature", "0").unwrap_err().raw_os_error(), Some(EINVAL));
    assert_eq!(sysctl("bpf_signature"), "1");
    load(&small(), None).refused(EKEYREJECTED, NONE);
    for command in ["show", "require"] {
        assert_eq!(json(&["policy", command, "--json"])["mode"], "required");
    }
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn takes_attested_facts() {
    let _on = SwitchedOn::new();
    let subject = Subject::new(small());
    let program = subject.load_attested(&subject.facts().encode()).accepted();
    assert!(matches!(attested(program.as_fd()), Attested::Attested { .. }));
}

/// The instructions are at an address where there is nothing: they are not looked at.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_before_the_program_is_copied() {
    load_with(&small(), None, |attr| attr.insns = 8).refused(EKEYREJECTED, NONE);
}

/// Extensions (`BPF_PROG_TYPE_EXT`) and loader programs among them.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_each_type_of_program() {
    let other = load(&small(), Some(&sign(&small(), signer()))).accepted();
    for prog_type in 1..33 {
        load_with(&small(), None, |attr| attr.prog_type = prog_type).refused(EKEYREJECTED, NONE);
        load_with(&small(), None, |attr| {
            attr.prog_type = prog_type;
            attr.attach_object_fd = other.as_raw_fd() as u32;
            attr.attach_btf_id = 1;
        })
        .refused(EKEYREJECTED, NONE);
    }
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_each_user() {
    load(&small(), None).refused(EKEYREJECTED, NONE);
    std::thread::scope(|scope| {
        scope.spawn(|| load(&small(), None).refused(EKEYREJECTED, NONE));
    });
    let audit = Audit::listen();
    as_user(1000, || load(&small(), None).refused(EKEYREJECTED, NONE));
    audit.expect(&["op=REFUSE_LOAD", "err=-129 ", "reason=\"required, and there is none\""]);
    assert_eq!(token::load_unsigned(), EKEYREJECTED);
    audit.expect(&["op=REFUSE_LOAD", "err=-129 ", "reason=\"required, and there is none\""]);
}

/// An attribute that has to do with signatures is none.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn refuses_what_only_looks_signed() {
    load_with(&small(), None, |attr| attr.signature_size = 100).refused(EINVAL, "");
    load_with(&small(), None, |attr| attr.keyring_id = 1).refused(EINVAL, "");
    load_with(&small(), None, |attr| attr.signature = 8).refused(EINVAL, "signature: size");
    // Without a log, the error is the same.
    load_with(&small(), None, |attr| (attr.log_level, attr.log_size, attr.log_buf) = (0, 0, 0))
        .refused(EKEYREJECTED, "");
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn accepts_system_keyrings_only() {
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
    for serial in [own, key, -1, -2, i32::MAX] {
        let reason = format!("keyring {serial} is none of the system's, which are required");
        load_with(&small(), Some(&by_ca), |attr| attr.keyring_id = serial).refused(EPERM, &reason);
        audit.expect(&["op=REFUSE_LOAD", "err=-1 ", &reason]);
    }
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn loads_by_a_verified_program() {
    let verified = load(&loader(true), Some(&sign(&loader(true), signer()))).accepted();
    let target = run(verified.as_fd()).unwrap();
    assert_eq!(ProgramInfo::of(target.as_fd()).unwrap().origin, Some(Origin::ByLoader));

    // What is in the map is root's word.
    let open = load(&loader(false), Some(&sign(&loader(false), signer()))).accepted();
    assert_eq!(run(open.as_fd()).unwrap_err(), EKEYREJECTED);
    load(&loader(true), None).refused(EKEYREJECTED, NONE);
}

/// As libbpf makes it, and as a loader has to prepare it here: its map is frozen, and that is signed.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn light_skeletons() {
    let made = Loader::of(bytes("xdp_icmp_echo"), &["xdp_icmp_echo"]).unwrap();
    let run = |frozen| {
        let loader = light_skeleton(&made, frozen);
        let loader = load(&loader, Some(&sign(&loader, signer()))).accepted();
        made.run(loader.as_fd(), &mut Log::default())
    };
    let target = run(true).unwrap().programs.remove(0);
    let info = ProgramInfo::of(target.as_fd()).unwrap();
    assert_eq!((&info.prog_type[..], info.origin), ("xdp", Some(Origin::ByLoader)));

    assert_eq!(run(false).unwrap_err().raw_os_error(), Some(EKEYREJECTED));
    load(&light_skeleton(&made, true), None).refused(EKEYREJECTED, NONE);
}
