//! Facts that the kernel does not take: those that are not attested refuse the load, all others are verified.

use std::os::fd::AsFd;
use std::time::{SystemTime, UNIX_EPOCH};

use bpfsig_lab::jobs::message;
use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{self as bpf, Attested};
use bpfsig_signing::certificate::{Role, Signer};
use bpfsig_signing::cms;
use bpfsig_signing::facts::{Fact, Facts, Kind};
use bpfsig_signing::insn::{self, AluOp, Insn, JumpOp, PSEUDO_CALL};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::Program;
use libbpf_rs::libbpf_sys::BPF_FUNC_get_prandom_u32;
use libc::{EBADMSG, EINVAL, EKEYEXPIRED, EKEYREJECTED, ENOKEY};

use super::{EXPORT, Subject, SwitchedOn, attest, attest_until, attested, attester, give};
use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{Outcome, load_with, program, sign, small};

/// The kernel must have verified the program, for this reason.
#[track_caller]
fn verified(outcome: Outcome, because: Attested, reason: &str) {
    let log = outcome.log.clone();
    let program = outcome.accepted();
    assert_eq!(attested(program.as_fd()), because, "{log}");
    assert!(log.contains(&format!("attestation: {reason}")), "{log}");
    assert!(!log.contains("processed 0 insns"), "{log}");
}

/// A program of the corpus with facts about its context, packets and maps.
fn filter() -> Subject {
    Subject::new(program("xdp_lb"))
}

#[test]
#[ignore = "needs the patched kernel"]
fn while_it_is_switched_off() {
    let subject = filter();
    let facts = subject.facts().encode();
    verified(subject.load_attested(&facts), Attested::SwitchedOff, "switched off");
    // Nobody looks at them.
    verified(subject.load_with(b"facts", b"message"), Attested::SwitchedOff, "switched off");
}

#[test]
#[ignore = "needs the patched kernel"]
fn of_elsewhere() {
    let _on = SwitchedOn::new();
    let subject = filter();
    let load = |change: fn(&mut Facts)| {
        let mut facts = subject.facts();
        change(&mut facts);
        subject.load_attested(&facts.encode())
    };
    verified(load(|facts| facts.identity.build_id.0[0] ^= 1), Attested::OtherKernel, "of another kernel");
    verified(load(|facts| facts.identity.build_id.0[19] ^= 1), Attested::OtherKernel, "of another kernel");
    verified(
        load(|facts| facts.identity.switches ^= 1 << 2),
        Attested::OtherSwitches,
        "the verifier is set up differently",
    );
    verified(
        load(|facts| facts.identity.cpus += 1),
        Attested::OtherSwitches,
        "the verifier is set up differently",
    );
    verified(
        load(|facts| facts.identity.modules_sha256.0[0] ^= 1),
        Attested::OtherModules,
        "the modules are others",
    );
    verified(
        load(|facts| facts.identity.insns_sha256.0[0] ^= 1),
        Attested::OtherInstructions,
        "loading made other instructions of the program",
    );
}

/// Nothing in another kernel's attestation is looked at.
#[test]
#[ignore = "needs the patched kernel"]
fn of_another_kernel_by_anyone() {
    let _on = SwitchedOn::new();
    let subject = filter();
    let mut facts = subject.facts();
    facts.identity.build_id.0[0] ^= 1;
    let facts = facts.encode();
    let message = attest(&subject.program, &facts, &keys::stranger());
    verified(subject.load_with(&facts, &message), Attested::OtherKernel, "of another kernel");
}

/// The attester's word is on them, but they don't fit.
#[test]
#[ignore = "needs the patched kernel"]
fn that_do_not_fit() {
    let _on = SwitchedOn::new();
    let subject = filter();
    let taken = subject.load_attested(&subject.facts().encode()).accepted();
    assert!(matches!(attested(taken.as_fd()), Attested::Attested { .. }));

    let changes: [fn(&mut Facts); 14] = [
        |facts| facts.insn_cnt -= 1,
        |facts| facts.flags |= 1 << 31,
        |facts| facts.facts.retain(|fact| fact.kind != Kind::MAP),
        |facts| facts.facts[0].kind = Kind(15),
        |facts| facts.facts[0].kind = Kind(0xffff),
        |facts| facts.facts[0].insn = u32::MAX,
        |facts| facts.facts.swap(0, 1),
        |facts| first(facts, Kind::ACCESS).arg = 99,
        |facts| first(facts, Kind::ACCESS).arg = 7,
        |facts| first(facts, Kind::MAP).value = 64,
        |facts| first(facts, Kind::MAP).arg = 2,
        |facts| facts.subprograms[0].start = 1,
        |facts| facts.subprograms[0].stack_depth = 520,
        |facts| facts.facts.insert(0, Fact { insn: 0, kind: Kind::DEAD, arg: 0, value: u32::MAX }),
    ];
    for (index, change) in changes.iter().enumerate() {
        println!("change {index}");
        let mut facts = subject.facts();
        change(&mut facts);
        verified(
            subject.load_attested(&facts.encode()),
            Attested::Malformed,
            "the facts do not fit the program",
        );
    }
    let facts = subject.facts().encode();
    let load = |facts: &[u8]| subject.load_attested(facts);
    verified(load(&facts[..facts.len() - 1]), Attested::Malformed, "the facts do not fit the program");
    verified(load(&[&*facts, &[0]].concat()), Attested::Malformed, "the facts do not fit the program");
    load(&facts[..139]).refused(EINVAL, "bytes of facts for");
    load(&[0; 1 << 20]).refused(EINVAL, "bytes of facts for");
    for changed in [0, 8] {
        let mut facts = facts.clone();
        facts[changed] ^= 1;
        verified(load(&facts), Attested::Malformed, "the facts do not fit the program");
    }
}

/// The kernel removes what is dead, and has to find the beginning of each function afterwards.
#[test]
#[ignore = "needs the patched kernel"]
fn that_leave_the_rest_of_a_function() {
    let _on = SwitchedOn::new();
    let zero = Insn::alu64_imm(AluOp::Mov, 0, 0);
    let random = Insn { code: insn::CALL, imm: BPF_FUNC_get_prandom_u32 as i32, ..Insn::default() };
    let call = Insn { code: insn::CALL, src: PSEUDO_CALL, imm: 1, ..Insn::default() };
    let branch = Insn::jump_imm(JumpOp::Eq, 0, 0, 1);
    let insns = [random, branch, Insn::exit(), call, Insn::exit(), zero, zero, Insn::exit()];
    let subject = Subject::new(Program { insns: insn::encode(insns), ..small() });
    let mut facts = subject.facts();
    assert_eq!(facts.subprograms.len(), 2);
    let taken = subject.load_attested(&facts.encode()).accepted();
    assert!(matches!(attested(taken.as_fd()), Attested::Attested { .. }));
    // The call, the end of the function that it is in, and the first instruction of the one that is called.
    facts.facts.push(Fact { insn: 3, kind: Kind::DEAD, arg: 0, value: 3 });
    facts.facts.sort_by_key(|fact| fact.insn);
    verified(subject.load_attested(&facts.encode()), Attested::Malformed, "the facts do not fit the program");
}

fn first(facts: &mut Facts, kind: Kind) -> &mut Fact {
    facts.facts.iter_mut().find(|fact| fact.kind == kind).unwrap()
}

/// The attester says of one program what is true of another.
#[test]
#[ignore = "needs the patched kernel"]
fn of_another_program() {
    let _on = SwitchedOn::new();
    let facts = Subject::new(program("straight-64")).facts().encode();
    let subject = Subject::new(small());
    verified(subject.load_attested(&facts), Attested::Malformed, "the facts do not fit the program");
    let message = attest(&program("straight-64"), &facts, attester());
    subject
        .load_with(&facts, &message)
        .refused(EKEYREJECTED, "attestation: not of these facts of this program");
}

/// The same program with a map that is larger.
#[test]
#[ignore = "needs the patched kernel"]
fn of_another_map() {
    let _on = SwitchedOn::new();
    let subject = filter();
    let facts = subject.facts().encode();
    let message = attest(&subject.program, &facts, attester());
    let mut other: Program = subject.program.clone();
    let map = &mut other.slots[0];
    *map = MapDefinition { max_entries: map.max_entries + 1, ..(**map).clone() }.into();
    Subject::new(other)
        .load_with(&facts, &message)
        .refused(EKEYREJECTED, "attestation: not of these facts of this program");
}

#[test]
#[ignore = "needs the patched kernel"]
fn that_nobody_attests() {
    let _on = SwitchedOn::new();
    let subject = filter();
    let facts = subject.facts().encode();
    let message = attest(&subject.program, &facts, attester());
    subject
        .load(|attr| (attr.facts, attr.facts_size) = (facts.as_ptr() as u64, facts.len() as u32))
        .refused(EINVAL, "");
    subject
        .load(|attr| {
            (attr.attestation, attr.attestation_size) = (message.as_ptr() as u64, message.len() as u32);
        })
        .refused(EINVAL, "");

    let mut changed = facts.clone();
    *changed.last_mut().unwrap() ^= 1;
    subject
        .load_with(&changed, &message)
        .refused(EKEYREJECTED, "attestation: not of these facts of this program");
    let forged = message::forged(message.clone()).unwrap();
    subject.load_with(&facts, &forged).refused(EKEYREJECTED, "attestation: not made by the signer's key");
    subject.load_with(&facts, b"message").refused(EBADMSG, "attestation: ");
    let detached = cms::sign_detached(&facts, attester()).unwrap();
    subject.load_with(&facts, &detached).refused(EBADMSG, "attestation: no statement");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expired = attest_until(&subject.program, &facts, attester(), now - 10);
    subject.load_with(&facts, &expired).refused(EKEYEXPIRED, "attestation: statement has expired");
    let lasting = attest_until(&subject.program, &facts, attester(), now + 1000);
    subject.load_with(&facts, &lasting).accepted();
}

/// Who may sign programs may not therefore attest facts, nor the other way around.
#[test]
#[ignore = "needs the patched kernel"]
fn by_those_who_may_do_something_else() {
    let _on = SwitchedOn::new();
    let subject = filter();
    let facts = subject.facts().encode();
    let load = |attester: &Signer| subject.load_with(&facts, &attest(&subject.program, &facts, attester));
    load(&keys::stranger()).refused(ENOKEY, "attestation: signer is not in the keyring");
    // In the builtin, and in the secondary keyring.
    load(&keys::ca()).refused(ENOKEY, "attestation: signer is not in the keyring");
    load(signer()).refused(ENOKEY, "attestation: signer is not in the keyring");
    let of_programs = keys::issued("of programs");
    keys::add(&of_programs, crate::policy_keyring::bpf_keyring());
    load(&of_programs).refused(ENOKEY, "attestation: signer is not in the keyring");

    let of_facts = keys::issued_attester("of facts");
    keys::add(&of_facts, super::attest_keyring());
    let taken = load(&of_facts).accepted();
    let id = of_facts.certificate().subject_key_id().clone();
    assert_eq!(attested(taken.as_fd()), Attested::Attested { attester: id });
    for keyring in Keyring::SYSTEM.into_iter().filter(|keyring| *keyring != Keyring::PLATFORM) {
        load_with(&small(), Some(&sign(&small(), &of_facts)), |attr| attr.keyring_id = keyring.0)
            .refused(ENOKEY, "signer is not in the keyring");
    }
    // An entry of another kind is not an attestation, whoever signs it.
    subject
        .load_with(&facts, &sign(&subject.program, attester()))
        .refused(EKEYREJECTED, "attestation: not of these facts of this program");
}

#[test]
#[ignore = "needs the patched kernel"]
fn takes_only_whom_the_ca_vouches_for() {
    let add = |signer: &Signer| {
        bpf::keyring::add_key(c"asymmetric", signer.certificate().to_der(), super::attest_keyring())
    };
    assert_eq!(add(&keys::stranger()).unwrap_err().raw_os_error(), Some(ENOKEY));
    // Not for this.
    for other in [keys::ca(), keys::issued("of programs"), keys::issued_for("of nothing", Role::Signer)] {
        assert_eq!(add(&other).unwrap_err().raw_os_error(), Some(EKEYREJECTED));
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn attributes_that_contradict_each_other() {
    let _on = SwitchedOn::new();
    let subject = filter();
    let facts = subject.facts().encode();
    let message = attest(&subject.program, &facts, attester());
    subject
        .load(|attr| {
            give(attr, &facts, &message);
            attr.attest_flags = EXPORT;
        })
        .refused(EINVAL, "");
    subject.load(|attr| attr.attest_flags = EXPORT << 1).refused(EINVAL, "");
    load_with(&small(), None, |attr| attr.attest_flags = EXPORT).refused(EINVAL, "");
    load_with(&small(), None, |attr| give(attr, &facts, &message)).refused(EINVAL, "");
}

/// What only the kernel may keep is what it was not asked for.
#[test]
#[ignore = "needs the patched kernel"]
fn are_exported_only_when_asked_for() {
    let subject = filter();
    let program = subject.load(|_| ()).accepted();
    assert!(bpf::raw::facts(program.as_fd()).unwrap().is_empty());
    let program = subject.export().accepted();
    assert_eq!(attested(program.as_fd()), Attested::NotGiven);
    assert!(!bpf::raw::facts(program.as_fd()).unwrap().is_empty());
}

#[test]
#[ignore = "needs the patched kernel"]
fn are_on_record() {
    let _on = SwitchedOn::new();
    let subject = Subject::new(Program { name: "recorded".into(), ..small() });
    let facts = subject.facts();
    let audit = Audit::listen();
    subject.load_attested(&facts.encode()).accepted();
    let id = attester().certificate().subject_key_id();
    audit.expect(&["op=LOAD", "sig=verified", "facts=attested", &format!("attester={id}")]);
    let mut other = facts;
    other.identity.build_id.0[0] ^= 1;
    subject.load_attested(&other.encode()).accepted();
    audit.expect(&["op=LOAD", "sig=verified", "facts=verified"]);
    let forged = attest(&subject.program, b"other facts", attester());
    subject.load_with(&subject.facts().encode(), &forged).result.unwrap_err();
    audit.expect(&[
        "op=REFUSE_LOAD",
        "recorded",
        "reason=\"attestation: not of these facts of this program\"",
    ]);
}
