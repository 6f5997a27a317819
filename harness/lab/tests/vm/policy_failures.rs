//! What refused signatures may cost a user.

use std::thread;
use std::time::Duration;

use bpfsig_lab::jobs::message;
use bpfsig_loading::raw::ProgLoad;
use bpfsig_signing::insn::{self, Insn};
use bpfsig_signing::program::Program;
use libc::{EACCES, EBADMSG, EDQUOT, EFAULT, EINVAL, EKEYREJECTED, ENOKEY};

use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{load, load_with, program, sign, small};
use crate::machine::{as_user, set_sysctl, sysctl};
use crate::window::Window;

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

/// A message that is not by the signer whom it names.
pub fn forged() -> Vec<u8> {
    message::forged(sign(&small(), signer())).unwrap()
}

#[test]
#[ignore = "needs the patched kernel"]
fn of_one_user_do_not_concern_another() {
    let (good, forged) = (sign(&small(), signer()), forged());
    let _limit = Limit::new("1000");
    as_user(1001, || {
        // Good signatures cost nothing.
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

/// Whatever is wrong, and wherever it is found.
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

/// The message is good, but the load fails before it is known whether it lists the program.
#[test]
#[ignore = "needs the patched kernel"]
fn of_good_messages_are_counted() {
    let small = small();
    let good = sign(&small, signer());
    let _limit = Limit::new("1");
    type Change = fn(&mut ProgLoad);
    let cases: [(&str, Change, i32); 5] = [
        ("the instructions can't be read", |attr| attr.insns = 8, EFAULT),
        ("nor the license", |attr| attr.license = 8, EFAULT),
        ("nor the maps", |attr| (attr.fd_array, attr.fd_array_cnt) = (8, 1), EFAULT),
        ("there is no such BTF", |attr| (attr.prog_btf_fd, attr.func_info_cnt) = (9999, 1), EINVAL),
        ("there is no such target", |attr| attr.attach_btf_id = 1, EINVAL),
    ];
    for (user, (what, change, errno)) in (2100..).zip(cases) {
        as_user(user, || {
            let found = load_with(&small, Some(&good), change).result.unwrap_err();
            assert_eq!(found, errno, "{what}");
            let then = load(&small, Some(&good)).result.err();
            assert_eq!(then, Some(EDQUOT), "{what}");
        });
    }
}

/// A load that would fail without a signature, too, is not charged for its signature.
#[test]
#[ignore = "needs the patched kernel"]
fn of_listed_programs_are_not_counted() {
    let invalid = Program { insns: insn::encode([Insn::exit()]), ..small() };
    let (listed, good) = (sign(&invalid, signer()), sign(&small(), signer()));
    let _limit = Limit::new("1");
    as_user(2150, || {
        load(&invalid, Some(&listed)).refused(EACCES, "R0 !read_ok");
        load(&small(), Some(&good)).accepted();
    });
}

/// libbpf loads without a log first, and with one to hear why that has failed. That is one failure.
#[test]
#[ignore = "needs the patched kernel"]
fn of_a_second_attempt_with_a_log_are_not_counted_again() {
    let _limit = Limit::new("1");
    let forged = forged();
    as_user(2200, || {
        let silent = |attr: &mut ProgLoad| (attr.log_level, attr.log_size, attr.log_buf) = (0, 0, 0);
        // The same message at the same address.
        load_with(&small(), Some(&forged), silent).refused(EKEYREJECTED, "");
        load(&small(), Some(&forged)).refused(EKEYREJECTED, "not made by the signer's key");
        load(&small(), Some(&forged)).refused(EDQUOT, "");
    });
}

/// It is free up to the cost of the first attempt, not for any cost that somebody can cause.
#[test]
#[ignore = "needs the patched kernel"]
fn of_a_dearer_second_attempt_are_counted() {
    const MANY: usize = 100_000;
    let _limit = Limit::new("1000");
    let forged = forged();
    // At the same address.
    let mut message = forged.clone();
    let mut fails = |start: u8, has_log: bool| {
        message[0] = start;
        let change = |attr: &mut ProgLoad| {
            if !has_log {
                (attr.log_level, attr.log_size, attr.log_buf) = (0, 0, 0);
            }
        };
        load_with(&small(), Some(&message), change).result.unwrap_err() != EDQUOT
    };
    let cheap = as_user(2201, || (0..MANY).take_while(|_| fails(0, false)).count());
    let pairs = as_user(2202, || (0..MANY).take_while(|_| fails(0, false) && fails(forged[0], true)).count());
    assert!((1..MANY).contains(&cheap) && pairs < cheap / 2, "{cheap} cheap failures, {pairs} pairs");
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

/// Not when the caller has read why: then others could fail meanwhile, as many as there are threads.
#[test]
#[ignore = "needs the patched kernel"]
fn are_counted_before_the_caller_is_told() {
    let _limit = Limit::new("1");
    let forged = forged();
    as_user(2400, || {
        let log = Window::over(&[0]);
        let told = |attr: &mut ProgLoad| (attr.log_buf, attr.log_size) = (log.address(), 4096);
        log.during(
            || load_with(&small(), Some(&forged), told).result.unwrap_err(),
            || as_user(2400, || load(&small(), Some(&forged)).refused(EDQUOT, "")),
        );
    });
}
