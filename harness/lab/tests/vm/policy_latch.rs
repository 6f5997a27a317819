//! Required mode, entered at run time. There is no way back, so this one test has a machine for itself.

use std::os::fd::AsFd;

use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{Attested, Origin, ProgramInfo};
use libc::{EINVAL, EKEYREJECTED, EPERM};

use crate::attested::Subject;
use crate::keys::{self, signer};
use crate::load::{load, load_with, sign, small};
use crate::loader::{loader, run};
use crate::machine::{Mount, set_sysctl, sysctl};
use crate::policy_commands::bpfsig;
use crate::token;
use crate::window::Window;

const MODE: &str = "bpf_signature";
const ATTESTATION: &str = "bpf_attestation";

/// Nothing that root has prepared before is of use afterwards, except what is loaded already.
#[test]
#[ignore = "needs the patched kernel, booted without bpf_signature=required"]
fn cannot_be_taken_back() {
    assert_eq!(sysctl(MODE), "0");
    for value in ["0", "2", "-1", "x", "4294967296"] {
        assert_eq!(set_sysctl(MODE, value).unwrap_err().raw_os_error(), Some(EINVAL), "{value}");
    }

    // Loaders: unsigned, signed by somebody whom only root trusts, signed.
    let stranger = keys::stranger();
    let keyring = keys::keyring(c"latch");
    keys::add(&stranger, keyring);
    let by_stranger = sign(&loader(true), &stranger);
    let loaders = [
        load(&loader(true), None).accepted(),
        load_with(&loader(true), Some(&by_stranger), |attr| attr.keyring_id = keyring).accepted(),
        load(&loader(true), Some(&sign(&loader(true), signer()))).accepted(),
    ];
    for loader in &loaders {
        let target = run(loader.as_fd()).unwrap();
        assert_eq!(ProgramInfo::of(target.as_fd()).unwrap().origin, Some(Origin::Unsigned));
    }
    assert_eq!(token::load_unsigned(), 0);
    let bpffs = Mount::new(c"bpf");
    let program = load(&small(), None).accepted();

    set_sysctl(ATTESTATION, "1").unwrap();

    // Loads that have begun before end by the rules that hold then.
    let stranger_signature = sign(&small(), &stranger);
    let (window, other_window) = (Window::over(&small().insns), Window::over(&small().insns));
    let unsigned = || load_with(&small(), None, |attr| attr.insns = window.address());
    let by_stranger = || {
        load_with(&small(), Some(&stranger_signature), |attr| {
            attr.insns = other_window.address();
            attr.keyring_id = keyring;
        })
    };
    let mut said = None;
    let raise = || said = Some(bpfsig(&["policy", "require", "--yes"]));
    let mut other_outcome = None;
    let outcome = window.during(unsigned, || other_outcome = Some(other_window.during(by_stranger, raise)));
    outcome.refused(EKEYREJECTED, "");
    other_outcome.unwrap().refused(EKEYREJECTED, "");
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    assert!(said.starts_with("Unsigned programs now loaded."), "{said}");
    assert!(said.contains("signatures  required, until the next boot\n"), "{said}");

    assert_eq!(sysctl(MODE), "1");
    for value in ["0", "2", "-1", "00"] {
        assert_eq!(set_sysctl(MODE, value).unwrap_err().raw_os_error(), Some(EINVAL), "{value}");
    }
    bpffs.remount(c"bpf");
    let proc = Mount::new(c"proc");
    std::fs::write(proc.path().join("sys/kernel/bpf_signature"), "0").unwrap_err();
    load(&small(), None).refused(EKEYREJECTED, "signature: a statement is required, and there is none");
    for loader in &loaders {
        assert_eq!(run(loader.as_fd()).unwrap_err(), EKEYREJECTED);
    }
    assert_eq!(token::load_unsigned(), EKEYREJECTED);

    // What is loaded stays, and what has a statement is loaded.
    assert_eq!(ProgramInfo::of(program.as_fd()).unwrap().origin, Some(Origin::Unsigned));
    load(&small(), Some(&sign(&small(), signer()))).accepted();
    let signature = sign(&small(), &keys::ca());
    load_with(&small(), Some(&signature), |attr| attr.keyring_id = Keyring::BUILTIN.0).accepted();
    assert_eq!(sysctl(MODE), "1");

    // Attesters who were trusted before are, until that is taken back.
    let subject = Subject::new(small());
    let attested = subject.load_attested(&subject.facts().encode()).accepted();
    assert!(matches!(crate::attested::attested(attested.as_fd()), Attested::Attested { .. }));
    set_sysctl(ATTESTATION, "0").unwrap();
    assert_eq!(set_sysctl(ATTESTATION, "1").unwrap_err().raw_os_error(), Some(EPERM));
}
