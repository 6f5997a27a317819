//! Programs that are not the ones that were signed, and programs that no signature covers.

use bpfsig_lab::corpus;
use bpfsig_signing::cms;
use bpfsig_signing::insn::{self, Insn};
use bpfsig_signing::program::{Attach, Program};
use libc::{EACCES, EINVAL, EKEYREJECTED};

use crate::keys::signer;
use crate::load::{load, load_with, program, sign, small};

/// Signs a program, changes it, and expects that the kernel notices.
#[track_caller]
fn notices(mut program: Program, change: impl FnOnce(&mut Program)) {
    let signature = sign(&program, signer());
    let signed = program.clone();
    change(&mut program);
    assert_ne!(program, signed, "the test changes nothing");
    load(&program, Some(&signature)).refused(EKEYREJECTED, "statement does not list program");
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_instruction() {
    notices(small(), |program| program.insns[4] = 1);
    notices(program("straight-4096"), |program| *program.insns[..4095 * 8].last_mut().unwrap() ^= 1);
}

#[test]
#[ignore = "needs the patched kernel"]
fn another_number_of_instructions() {
    notices(small(), |program| program.insns.extend(insn::encode([Insn::exit()])));
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_attributes() {
    notices(small(), |program| program.name.push('x'));
    notices(small(), |program| program.license = "Dual MIT/GPL".into());
    notices(small(), |program| program.license = "Proprietary".into());
    // BPF_PROG_TYPE_CGROUP_SKB, and BPF_CGROUP_INET_EGRESS there
    notices(small(), |program| program.prog_type = 8);
    let mut ingress = small();
    ingress.prog_type = 8;
    notices(ingress, |program| program.expected_attach_type = 1);
    // BPF_F_ANY_ALIGNMENT
    notices(small(), |program| program.flags = 2);
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_attach_target() {
    let change = |program: &mut Program| {
        let Attach::KernelType { name, .. } = &mut program.attach else { panic!("{:?}", program.attach) };
        *name = "tcp_v4_connect".into();
    };
    notices(program("fentry_connect"), change);
}

/// A program with several functions.
fn with_functions() -> Program {
    let mut programs = corpus::programs().unwrap().into_iter().filter(|entry| entry.needs().is_none());
    programs.find(|entry| entry.program.func_info.count() > 1).unwrap().program
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_records() {
    // Type of the last function, kind of the first CO-RE record.
    notices(with_functions(), |program| {
        let first = program.func_info.bytes[4..8].to_vec();
        let last = program.func_info.bytes.len() - 4;
        program.func_info.bytes[last..].copy_from_slice(&first);
    });
    notices(program("fentry_connect"), |program| program.core_relos.bytes[12] ^= 1);
    notices(program("fentry_connect"), |program| {
        let whole = program.core_relos.bytes.len() - program.core_relos.record_size as usize;
        program.core_relos.bytes.truncate(whole);
    });
    // Another BTF that is as valid: one letter of the last name.
    notices(program("xdp_acl"), |program| {
        let mut btf = program.btf.as_deref().unwrap().to_vec();
        let letter = btf.iter().rposition(|byte| byte.is_ascii_lowercase()).unwrap();
        btf[letter] ^= 1;
        program.btf = Some(btf.into());
    });
}

/// Raw references, as libbpf leaves them: a map's file descriptor, a kernel function, a kernel variable.
#[test]
#[ignore = "needs the patched kernel"]
fn references_outside() {
    let ld_imm64 = |src, imm| [Insn { code: insn::LD_IMM64, dst: 1, src, off: 0, imm }, Insn::decode([0; 8])];
    let end = [Insn::alu64_imm(insn::AluOp::Mov, 0, 0), Insn::exit()];
    let with = |insns: Vec<Insn>| Program {
        prog_type: 1,
        name: "references".into(),
        license: "GPL".into(),
        insns: insn::encode(insns.into_iter().chain(end)),
        ..Program::default()
    };
    for (source, reason) in [
        (1, "insn 0 refers to no slot of fd_array"), // BPF_PSEUDO_MAP_FD
        (2, "insn 0 refers to no slot of fd_array"), // BPF_PSEUDO_MAP_VALUE
        (3, "refers to BTF id 1, not to a name"),    // BPF_PSEUDO_BTF_ID
        (5, "insn 0 refers to no slot of fd_array"), // BPF_PSEUDO_MAP_IDX
        (6, "insn 0 refers to no slot of fd_array"), // BPF_PSEUDO_MAP_IDX_VALUE
    ] {
        let program = with(ld_imm64(source, 1).into());
        load(&program, Some(&sign(&program, signer()))).refused(EINVAL, reason);
    }
    // BPF_PSEUDO_KFUNC_CALL
    let program = with(vec![Insn { code: insn::CALL, dst: 0, src: 2, off: 0, imm: 1 }]);
    load(&program, Some(&sign(&program, signer()))).refused(EINVAL, "refers to BTF id 1, not to a name");
}

/// A signature over the instructions does not cover what changes them.
#[test]
#[ignore = "needs the patched kernel"]
fn detached_signature_with_core_records() {
    let program = program("fentry_connect");
    let signature = cms::sign_detached(&program.insns, signer()).unwrap();
    load(&program, Some(&signature)).refused(EACCES, "signature does not cover CO-RE records");
}

#[test]
#[ignore = "needs the patched kernel"]
fn more_records_than_instructions() {
    let program = program("xdp_acl");
    let signature = sign(&program, signer());
    let count = program.insn_count() + 1;
    load_with(&program, Some(&signature), |attr| attr.func_info_cnt = count)
        .refused(EINVAL, "func_info records");
    load_with(&program, Some(&signature), |attr| attr.core_relo_cnt = count).refused(EINVAL, "CO-RE records");
    load_with(&program, Some(&signature), |attr| attr.func_info_rec_size = 256)
        .refused(EINVAL, "func_info records");
}

/// Without func_info, line_info would decide whether BTF and CO-RE are used, and it is not covered.
#[test]
#[ignore = "needs the patched kernel"]
fn btf_without_func_info() {
    let program = program("fentry_connect");
    let signature = sign(&program, signer());
    load_with(&program, Some(&signature), |attr| attr.func_info_cnt = 0)
        .refused(EINVAL, "BTF, CO-RE or line_info without func_info");
}

/// Type information that is not the program's.
#[test]
#[ignore = "needs the patched kernel"]
fn btf_of_the_kernel() {
    let program = program("xdp_acl");
    let signature = sign(&program, signer());
    // SAFETY: the call takes a number.
    let vmlinux = unsafe { libbpf_rs::libbpf_sys::bpf_btf_get_fd_by_id(1) };
    assert!(vmlinux > 0);
    load_with(&program, Some(&signature), |attr| attr.prog_btf_fd = vmlinux as u32).refused(EACCES, "");
}
