//! Loads in which something fails: one allocation, or one access to the caller's memory, each in turn. None is accepted
//! that would be refused otherwise, what is loaded is what was signed, and nothing is leaked.
//!
//! Fault injection is described in `Documentation/fault-injection/fault-injection.rst`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use bpfsig_loading::{Attested, Origin, ProgramInfo};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::Statement;

use crate::attested::{Subject, SwitchedOn, attest, attester, give};
use crate::keys::{self, signer};
use crate::load::{Outcome, program, sign, small, statement};
use crate::machine::Mount;

/// The fault that the next system calls of this thread come to.
struct Fault(File);

impl Fault {
    fn new() -> Fault {
        let file = File::options().read(true).write(true).open("/proc/thread-self/fail-nth");
        Fault(file.expect("a kernel with fault injection"))
    }

    /// The `nth` thing from now on that can fail does.
    fn arm(&self, nth: u32) {
        self.0.write_all_at(nth.to_string().as_bytes(), 0).unwrap();
    }

    /// Whether it has come to that. Finding out can fail as well, if it was this thing's turn.
    fn has_struck(&self) -> bool {
        let mut text = [0; 16];
        let has_struck = match self.0.read_at(&mut text, 0) {
            Ok(_) => text.starts_with(b"0"),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
                false
            }
        };
        while let Err(error) = self.0.write_all_at(b"0", 0) {
            assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
        }
        has_struck
    }
}

/// Has allocations fail that may wait for memory, without a word of each.
fn prepare(debugfs: &Path) {
    let set = |path: &str, value: &str| fs::write(debugfs.join(path), value).expect(path);
    for kind in ["failslab", "fail_page_alloc", "fail_usercopy"] {
        set(&format!("{kind}/verbose"), "0");
    }
    set("failslab/ignore-gfp-wait", "N");
    set("fail_page_alloc/ignore-gfp-wait", "N");
    set("fail_page_alloc/ignore-gfp-highmem", "N");
    set("fail_page_alloc/min-order", "0");
}

/// What the kernel has lost, as it says itself. It looks twice, as some of what it finds at first is about to be freed.
fn leaks(debugfs: &Path) -> String {
    let file = debugfs.join("kmemleak");
    for _ in 0..2 {
        // Younger objects are not reported.
        sleep(Duration::from_secs(6));
        fs::write(&file, "scan").unwrap();
    }
    fs::read_to_string(file).unwrap()
}

/// Loads a program, and has the nth thing fail meanwhile.
type Load = dyn Fn(&Fault, u32) -> Outcome;

/// A load that is tried with each fault.
struct Case {
    name: &'static str,
    /// Whether it has to be accepted if nothing fails.
    is_good: bool,
    /// Whether facts are taken then.
    is_attested: bool,
    load: Box<Load>,
    program: Program,
}

/// What became of the loads of a case.
#[derive(Default)]
struct Tally {
    faults: u32,
    /// With a fault, by errno; 0 if the program was loaded all the same.
    outcomes: BTreeMap<i32, u32>,
}

impl Case {
    /// What has been loaded must be what was signed.
    fn check(&self, program: &OwnedFd) {
        assert!(self.is_good, "{}: accepted", self.name);
        match ProgramInfo::of(program.as_fd()).unwrap().origin {
            Some(Origin::Verified(signature)) if signature.statement.is_some() => {
                assert_eq!(signature.program, Manifest::of(&self.program).unwrap().digest(), "{}", self.name);
                let is_attested = matches!(signature.attested, Attested::Attested { .. });
                assert_eq!(is_attested, self.is_attested, "{}", self.name);
            }
            Some(Origin::Verified(_)) => {}
            origin => panic!("{}: {origin:?}", self.name),
        }
    }

    fn run(&self, fault: &Fault) -> Tally {
        let mut tally = Tally::default();
        loop {
            let nth = tally.faults + 1;
            let outcome = (self.load)(fault, nth);
            let has_struck = fault.has_struck();
            if let Ok(program) = &outcome.result {
                self.check(program);
            }
            if !has_struck {
                assert_eq!(outcome.result.is_ok(), self.is_good, "{}: {outcome:?}", self.name);
                return tally;
            }
            tally.faults = nth;
            *tally.outcomes.entry(outcome.result.err().unwrap_or(0)).or_default() += 1;
        }
    }
}

/// A message that the kernel has not seen, of a statement that expires at its own time.
fn fresh(program: &Program, signer: &Signer, number: u32) -> Vec<u8> {
    let statement = Statement { expiry: u64::MAX - 2_000_000 - u64::from(number), ..statement(program) };
    cms::sign_attached(&statement.encode().unwrap(), signer).unwrap()
}

fn case(
    name: &'static str,
    is_good: bool,
    program: Program,
    message: impl Fn(&Program, u32) -> Vec<u8> + 'static,
) -> Case {
    let subject = Subject::new(program.clone());
    let load =
        move |fault: &Fault, nth| subject.load_signed(&message(&subject.program, nth), |_| fault.arm(nth));
    Case { name, is_good, is_attested: false, load: Box::new(load), program }
}

/// Loads with facts: they are taken instead of exploring the program.
fn attested(program: Program) -> Case {
    let subject = Subject::new(program.clone());
    let facts = subject.facts().encode();
    let message = attest(&program, &facts, attester());
    let load = move |fault: &Fault, nth| {
        subject.load(|attr| {
            give(attr, &facts, &message);
            fault.arm(nth);
        })
    };
    Case { name: "attested", is_good: true, is_attested: true, load: Box::new(load), program }
}

fn cases() -> Vec<Case> {
    let p256 = keys::signer_of(Algorithm::P256);
    let ml_dsa = keys::signer_of(Algorithm::MlDsa44);
    let stranger = keys::stranger();
    let named = |name: &str| program(name);
    vec![
        case("signed, RSA", true, small(), |program, n| fresh(program, signer(), n)),
        case("signed, ECDSA", true, small(), move |program, n| fresh(program, &p256, n)),
        case("signed, ML-DSA", true, small(), move |program, n| fresh(program, &ml_dsa, n)),
        case("repeated", true, small(), |program, _| sign(program, signer())),
        case("detached", true, small(), |program, _| cms::sign_detached(&program.insns, signer()).unwrap()),
        case("constants and CO-RE", true, named("xdp_lb"), |program, _| sign(program, signer())),
        case("kernel functions by name", true, named("kfunc_affinity"), |program, _| sign(program, signer())),
        case("forged", false, small(), |program, n| {
            let mut message = fresh(program, signer(), n);
            *message.last_mut().unwrap() ^= 1;
            message
        }),
        case("unknown signer", false, small(), move |program, _| sign(program, &stranger)),
        case("another program", false, small(), |_, _| sign(&program("straight-64"), signer())),
        case("of another program, constants and CO-RE", false, named("xdp_lb"), |_, _| {
            sign(&small(), signer())
        }),
        attested(named("xdp_lb")),
    ]
}

#[test]
#[ignore = "needs the kernel variant `sanitized`"]
fn each_in_turn() {
    let debugfs = Mount::new(c"debugfs");
    prepare(debugfs.path());
    let _on = SwitchedOn::new();
    let fault = Fault::new();
    let cases = cases();
    fs::write(debugfs.path().join("kmemleak"), "clear").unwrap();
    let mut total = 0;
    for case in &cases {
        let tally = case.run(&fault);
        let outcomes: Vec<_> = tally
            .outcomes
            .iter()
            .map(|(errno, count)| match errno {
                0 => format!("{count} loaded"),
                errno => format!("{count} {}", io::Error::from_raw_os_error(*errno)),
            })
            .collect();
        println!("{}: {} faults: {}", case.name, tally.faults, outcomes.join(", "));
        assert!(tally.faults > 0, "{}: nothing has failed", case.name);
        total += tally.faults;
    }
    println!("{total} faults in all");
    drop(cases);
    assert_eq!(leaks(debugfs.path()), "");
}
