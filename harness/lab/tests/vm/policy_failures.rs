//! What refused signatures may cost a user.

use std::thread;
use std::time::Duration;

use libc::{EBADMSG, EDQUOT, EKEYREJECTED, ENOKEY};

use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{load, program, sign, small};
use crate::machine::{as_user, set_sysctl, sysctl};

const LIMIT: &str = "bpf_signature_failures_us";

/// Sets the limit for as long as this lives.
pub struct Limit(String);

impl Limit {
    pub fn new(microseconds: &str) -> Limit {
        let before = sysctl(LIMIT);
        set_sysctl(LIMIT, microseconds).unwrap();
        Limit(before)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        set_sysctl(LIMIT, &self.0).unwrap();
    }
}

fn forged() -> Vec<u8> {
    let mut signature = sign(&small(), signer());
    *signature.last_mut().unwrap() ^= 1;
    signature
}

#[test]
#[ignore = "needs the patched kernel"]
fn of_one_user_do_not_concern_another() {
    let (good, forged) = (sign(&small(), signer()), forged());
    let _limit = Limit::new("1000");
    as_user(1001, || {
        // What is good takes nothing.
        for _ in 0..100 {
            load(&small(), Some(&good)).accepted();
        }
        // How often depends on the machine.
        let refused = |_: &usize| load(&small(), Some(&forged)).result.unwrap_err() == EKEYREJECTED;
        let failures = (0..100_000).take_while(refused).count();
        assert!((1..100_000).contains(&failures), "{failures}");
        let audit = Audit::listen();
        for signature in [&forged, &good] {
            load(&small(), Some(signature)).refused(EDQUOT, "too many refused from this user");
            audit.expect(&["op=REFUSE_LOAD", "err=-122 ", "reason=\"too many refused from this user\""]);
        }
        // Without a signature, there is nothing to check.
        load(&small(), None).accepted();
        as_user(1002, || load(&small(), Some(&good)).accepted());

        // The time comes back.
        let accepted = |_: &u32| {
            thread::sleep(Duration::from_secs(1));
            load(&small(), Some(&good)).result.is_ok()
        };
        assert!((0..60).any(|second| accepted(&second)));
    });
    load(&small(), Some(&good)).accepted();
}

/// Whatever it is that is wrong, wherever it is found out.
#[test]
#[ignore = "needs the patched kernel"]
fn of_all_kinds_are_counted() {
    let small = small();
    let (good, unknown) = (sign(&small, signer()), sign(&small, &keys::stranger()));
    // Of which there is none in a second.
    let _limit = Limit::new("1");
    let cases = [
        (&small, &unknown[..], ENOKEY),
        (&small, &[0x30; 100], EBADMSG),
        (&small, &forged(), EKEYREJECTED),
        (&program("straight-64"), &good, EKEYREJECTED),
    ];
    for (user, (program, signature, errno)) in (2000..).zip(cases) {
        as_user(user, || {
            load(program, Some(signature)).refused(errno, "");
            load(&small, Some(&good)).refused(EDQUOT, "");
        });
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn without_a_limit() {
    let forged = forged();
    let _limit = Limit::new("0");
    as_user(1004, || {
        for _ in 0..100 {
            load(&small(), Some(&forged)).refused(EKEYREJECTED, "");
        }
    });
}
