//! How many wrong signatures a user may cause to be checked.

use libc::{EDQUOT, EKEYREJECTED, ENOKEY};

use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{load, sign, small};
use crate::machine::{as_user, set_sysctl, sysctl};

const LIMIT: &str = "bpf_signature_failures";

/// Sets the limit for as long as this lives.
struct Limit(String);

impl Limit {
    fn new(failures: &str) -> Limit {
        let before = sysctl(LIMIT);
        set_sysctl(LIMIT, failures).unwrap();
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
    let (good, forged, unknown) = (sign(&small(), signer()), forged(), sign(&small(), &keys::stranger()));
    let _limit = Limit::new("3");
    let audit = Audit::listen();
    as_user(1001, || {
        // What is good takes nothing, and what is refused before the public-key operation neither.
        for _ in 0..5 {
            load(&small(), Some(&good)).accepted();
            load(&small(), Some(&unknown)).refused(ENOKEY, "");
        }
        for _ in 0..3 {
            load(&small(), Some(&forged)).refused(EKEYREJECTED, "not made by the signer's key");
        }
        for signature in [&forged, &good] {
            load(&small(), Some(signature)).refused(EDQUOT, "too many wrong ones from this user");
            audit.expect(&["op=REFUSE_LOAD", "err=-122 ", "reason=\"too many wrong ones from this user\""]);
        }
        // Without a signature, there is no public-key operation.
        load(&small(), None).accepted();
        as_user(1002, || load(&small(), Some(&good)).accepted());

        // A third of a minute later, one more is allowed.
        std::thread::sleep(std::time::Duration::from_secs(21));
        load(&small(), Some(&good)).accepted();
        load(&small(), Some(&forged)).refused(EKEYREJECTED, "");
        load(&small(), Some(&forged)).refused(EDQUOT, "");
    });
    load(&small(), Some(&good)).accepted();
}

#[test]
#[ignore = "needs the patched kernel"]
fn without_a_limit() {
    let forged = forged();
    let _limit = Limit::new("0");
    as_user(1003, || {
        for _ in 0..5 {
            load(&small(), Some(&forged)).refused(EKEYREJECTED, "");
        }
    });
}
