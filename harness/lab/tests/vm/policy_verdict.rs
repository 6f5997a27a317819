//! What is known of a program once it is loaded, and to security modules before.

use std::os::fd::AsFd;

use bpfsig_loading::{self as bpf, Attested, Origin, ProgramInfo, Signature};
use bpfsig_signing::Digest;
use bpfsig_signing::btf::{Btf, kind};
use bpfsig_signing::cms;
use bpfsig_signing::insn::{self, AluOp, Insn, JumpOp, Width};
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::{Attach, Program};
use libc::{EACCES, EPERM};

use crate::keys::{self, signer};
use crate::load::{load, load_with, sign, small, statement};
use crate::machine;

#[test]
#[ignore = "needs the patched kernel"]
fn of_an_unsigned_program() {
    let program = load(&small(), None).accepted();
    assert_eq!(ProgramInfo::of(program.as_fd()).unwrap().origin, Some(Origin::Unsigned));
}

#[test]
#[ignore = "needs the patched kernel"]
fn of_a_signed_program() {
    let program = load(&small(), Some(&sign(&small(), signer()))).accepted();
    let info = ProgramInfo::of(program.as_fd()).unwrap();
    let signature = Signature {
        signer: signer().certificate().subject_key_id().clone(),
        keyring_id: 1,
        statement: Some(Digest::of(statement(&small()).encode().unwrap())),
        program: Manifest::of(&small()).unwrap().digest(),
        attested: Attested::NotGiven,
    };
    assert_eq!(info.origin, Some(Origin::Verified(signature)));
    assert!(bpf::programs().unwrap().contains(&info));
}

/// A keyring that the caller has filled is shown for what it is.
#[test]
#[ignore = "needs the patched kernel"]
fn of_a_program_by_a_stranger() {
    let stranger = keys::stranger();
    let keyring = keys::keyring(c"verdict");
    keys::add(&stranger, keyring);
    let signature = sign(&small(), &stranger);
    let program = load_with(&small(), Some(&signature), |attr| attr.keyring_id = keyring).accepted();
    let Some(Origin::Verified(signature)) = ProgramInfo::of(program.as_fd()).unwrap().origin else {
        panic!("not verified")
    };
    assert_eq!(&signature.signer, stranger.certificate().subject_key_id());
    assert_eq!(signature.keyring_id, keyring);
}

#[test]
#[ignore = "needs the patched kernel"]
fn of_a_signature_over_instructions() {
    let signature = cms::sign_detached(&small().insns, signer()).unwrap();
    let program = load(&small(), Some(&signature)).accepted();
    let Some(Origin::Verified(signature)) = ProgramInfo::of(program.as_fd()).unwrap().origin else {
        panic!("not verified")
    };
    assert_eq!(signature.statement, None);
    assert_eq!(signature.program, Digest([0; Digest::SIZE]));
}

/// `guarded` is not valid: a program that the verifier has looked at fails with `EACCES`.
#[test]
#[ignore = "needs the patched kernel"]
fn decides_in_a_security_module_before_the_verifier() {
    let guarded = Program { name: "guarded".into(), insns: insn::encode([Insn::exit()]), ..small() };
    let signature = sign(&guarded, signer());

    let guard = load(&guard(), None).accepted();
    let link = machine::attach_lsm(guard.as_fd());
    load(&guarded, None).refused(EPERM, "");
    load(&guarded, Some(&signature)).refused(EACCES, "R0 !read_ok");
    // Others are not concerned.
    load(&small(), None).accepted();

    drop(link);
    load(&guarded, None).refused(EACCES, "R0 !read_ok");
}

/// A program for the LSM hook `bpf_prog_load` that refuses programs called `guarded` that are not verified.
fn guard() -> Program {
    let btf = Btf::parse(std::fs::read("/sys/kernel/btf/vmlinux").unwrap()).unwrap();
    let member = |type_id, name: &str| {
        let (_, members) = btf.structure(type_id).unwrap();
        let member = members.iter().find(|member| member.name == name).unwrap();
        (member.type_id, i16::try_from(member.offset).unwrap())
    };
    let find = |name| btf.find(kind::STRUCT, name).unwrap();
    let offset = |object, name| member(find(object), name).1;
    let (sig_type, sig) = member(find("bpf_prog_aux"), "sig");
    let verdict = sig + member(sig_type, "verdict").1;
    let name = u64::from_le_bytes(*b"guarded\0");
    let insns = [
        // The program that is being loaded, and what the kernel keeps about it.
        Insn::load(Width::DW, 6, 1, 0),
        Insn::load(Width::DW, 6, 6, offset("bpf_prog", "aux")),
        Insn::load(Width::DW, 2, 6, offset("bpf_prog_aux", "name")),
        Insn { code: insn::LD_IMM64, dst: 3, imm: name as i32, ..Insn::default() },
        Insn { imm: (name >> 32) as i32, ..Insn::default() },
        // if r2 != r3 goto allow
        Insn { code: 0x5d, dst: 2, src: 3, off: 4, ..Insn::default() },
        Insn::load(Width::B, 2, 6, verdict),
        Insn::jump_imm(JumpOp::Eq, 2, 1, 2),
        Insn::alu64_imm(AluOp::Mov, 0, -EPERM),
        Insn::exit(),
        // allow:
        Insn::alu64_imm(AluOp::Mov, 0, 0),
        Insn::exit(),
    ];
    Program {
        name: "guard".into(),
        prog_type: 29,
        expected_attach_type: 27,
        license: "GPL".into(),
        attach: Attach::KernelType {
            btf: "vmlinux".into(),
            name: "bpf_lsm_bpf_prog_load".into(),
            member: String::new(),
        },
        insns: insn::encode(insns),
        ..Program::default()
    }
}
