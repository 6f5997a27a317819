//! What the kernel accepts.

use std::iter;

use bpfsig_lab::corpus;
use bpfsig_signing::Digest;
use bpfsig_signing::cms;
use bpfsig_signing::insn::{self, AluOp, INSN_SIZE, Insn};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::program::{Attach, Program, Records};
use bpfsig_signing::signature::MAX_ENTRIES;
use bpfsig_signing::statement::{Entry, Kind};
use bpfsig_signing::timestamp::Timestamp;
use bpfsig_signing::uapi::prog_type;

use crate::keys::{self, signer};
use crate::load::{load, load_with, program, sign, small, statement};

/// `BPF_CORE_FIELD_EXISTS`, a kind of CO-RE record: the instruction has 1 where the kernel has the field.
const FIELD_EXISTS: u32 = 2;

#[test]
#[ignore = "needs the patched kernel"]
fn unsigned_program() {
    load(&small(), None).accepted();
}

#[test]
#[ignore = "needs the patched kernel"]
fn each_algorithm() {
    for algorithm in Algorithm::ALL {
        let signature = sign(&small(), &keys::signer_of(algorithm));
        let outcome = load(&small(), Some(&signature));
        assert!(outcome.log.contains("signature check "), "{algorithm}: {}", outcome.log);
        outcome.accepted();
    }
}

/// The programs of the corpus that can be loaded by themselves.
fn alone() -> impl Iterator<Item = corpus::Entry> {
    corpus::programs().unwrap().into_iter().filter(|entry| entry.needs().is_none())
}

/// Without a signature, a program may still use maps by their index.
#[test]
#[ignore = "needs the patched kernel"]
fn each_program_of_the_corpus_unsigned() {
    for entry in alone() {
        let outcome = load(&entry.program, None);
        assert!(outcome.result.is_ok(), "{}: {outcome:?}", entry.name);
    }
}

/// The kernel has to build the same manifest as the signing crate for programs of all types.
#[test]
#[ignore = "needs the patched kernel"]
fn each_program_of_the_corpus() {
    for entry in alone() {
        let outcome = load(&entry.program, Some(&sign(&entry.program, signer())));
        assert!(outcome.result.is_ok(), "{}: {outcome:?}", entry.name);
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn signer_in_each_keyring() {
    let signature = sign(&small(), &keys::ca());
    for keyring in [0, 1] {
        load_with(&small(), Some(&signature), |attr| attr.keyring_id = keyring).accepted();
    }

    let stranger = keys::stranger();
    let signature = sign(&small(), &stranger);
    let keyring = keys::keyring(c"accepted");
    let key = keys::add(&stranger, keyring);
    for serial in [keyring, key] {
        load_with(&small(), Some(&signature), |attr| attr.keyring_id = serial).accepted();
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn statement_about_many_programs_and_files() {
    let mut statement = statement(&small());
    let other = Entry { kind: Kind::PROGRAM, digest: Digest([7; 32]) };
    let file = Entry { kind: Kind::FILE, digest: Digest([8; 32]) };
    statement.entries.splice(0..0, [other, file].into_iter().cycle().take(MAX_ENTRIES - 1));
    for algorithm in Algorithm::ALL {
        let signer = keys::signer_of(algorithm);
        let signature = cms::sign_attached(&statement.encode().unwrap(), &signer).unwrap();
        load(&small(), Some(&signature)).accepted();
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn statement_before_its_expiry() {
    let mut statement = statement(&small());
    statement.expiry = u64::MAX;
    let signature = cms::sign_attached(&statement.encode().unwrap(), signer()).unwrap();
    load(&small(), Some(&signature)).accepted();
}

/// It is an unsigned attribute, which the kernel passes over. This one is of another signature, even.
#[test]
#[ignore = "needs the patched kernel"]
fn message_with_a_timestamp() {
    let answer = include_bytes!("../../../signing/fuzz/seeds/timestamp/granted.tsr");
    let timestamp = Timestamp::from_answer(answer).unwrap();
    for algorithm in Algorithm::ALL {
        let signature = sign(&small(), &keys::signer_of(algorithm));
        let signature = cms::with_timestamp(&signature, timestamp.to_der()).unwrap();
        load(&small(), Some(&signature)).accepted();
    }
}

/// As mainline has it: a signature over the instructions alone.
#[test]
#[ignore = "needs the patched kernel"]
fn detached_signature_over_instructions() {
    for algorithm in Algorithm::ALL {
        let signature = cms::sign_detached(&small().insns, &keys::signer_of(algorithm)).unwrap();
        load(&small(), Some(&signature)).accepted();
    }
    let signature = cms::sign_detached(&small().insns, signer()).unwrap();
    // Nothing else is bound.
    load_with(&small(), Some(&signature), |attr| attr.prog_name[0] = b'x').accepted();
}

/// What does not decide what a program does is not bound.
#[test]
#[ignore = "needs the patched kernel"]
fn unbound_attributes() {
    let mut with_lines = program("xdp_acl");
    let signature = sign(&with_lines, signer());
    assert!(with_lines.line_info.count() > 1);
    let kept = with_lines.line_info.record_size as usize;
    with_lines.line_info.bytes.truncate(kept);
    load(&with_lines, Some(&signature)).accepted();
    load_with(&with_lines, Some(&signature), |attr| attr.line_info_cnt = 0).accepted();
    load_with(&with_lines, Some(&signature), |attr| attr.log_level |= 8).accepted();
    load_with(&with_lines, Some(&signature), |attr| attr.kern_version = 1).accepted();
}

/// The kernel writes to the log what it makes of each, also where only figures are asked for, and a load whose log overflows
/// fails in the end. Most of it is gone when it succeeds.
#[test]
#[ignore = "needs the patched kernel"]
fn a_log_with_a_thousand_records() {
    const COUNT: u32 = 1000;
    let mut program = Program {
        prog_type: prog_type::SOCKET_FILTER,
        attach: Attach::None,
        expected_attach_type: 0,
        slots: Vec::new(),
        line_info: Records::default(),
        ..program("fentry_connect")
    };
    program.func_info.bytes.truncate(program.func_info.record_size as usize);
    let exists = Insn::alu64_imm(AluOp::Mov, 0, 1);
    program.insns = insn::encode(iter::repeat_n(exists, COUNT as usize).chain([Insn::exit()]));
    let first = program.core_relos.bytes[..program.core_relos.record_size as usize].to_vec();
    program.core_relos.bytes = first.repeat(COUNT as usize);
    for (record, index) in program.core_relos.bytes.chunks_mut(first.len()).zip(0..COUNT) {
        record[..4].copy_from_slice(&(index * INSN_SIZE as u32).to_le_bytes());
        record[12..].copy_from_slice(&FIELD_EXISTS.to_le_bytes());
    }
    load(&program, Some(&sign(&program, signer()))).accepted();
}

/// A log is not a condition for a signature.
#[test]
#[ignore = "needs the patched kernel"]
fn without_a_log() {
    let signature = sign(&small(), signer());
    let outcome = load_with(&small(), Some(&signature), |attr| {
        (attr.log_level, attr.log_size, attr.log_buf) = (0, 0, 0);
    });
    assert_eq!(outcome.log, "");
    outcome.accepted();
}
