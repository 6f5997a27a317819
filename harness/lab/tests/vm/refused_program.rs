//! Programs that are not the ones that were signed, and programs that no signature covers.

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

#[test]
#[ignore = "needs the patched kernel"]
fn changed_records() {
    // type_id of the last function; kind of the first CO-RE record
    notices(program("xdp_acl"), |program| *program.func_info.bytes.iter_mut().nth_back(3).unwrap() ^= 1);
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
        (1, "signature does not cover map fd 1"),   // BPF_PSEUDO_MAP_FD
        (2, "signature does not cover map fd 1"),   // BPF_PSEUDO_MAP_VALUE
        (3, "refers to BTF id 1, not to a name"),   // BPF_PSEUDO_BTF_ID
        (5, "signature does not cover map slot 1"), // BPF_PSEUDO_MAP_IDX
        (6, "signature does not cover map slot 1"), // BPF_PSEUDO_MAP_IDX_VALUE
    ] {
        let program = with(ld_imm64(source, 1).into());
        load(&program, Some(&sign(&program, signer()))).refused(EINVAL, reason);
        let detached = cms::sign_detached(&program.insns, signer()).unwrap();
        load(&program, Some(&detached)).refused(EINVAL, reason);
    }
    // BPF_PSEUDO_KFUNC_CALL
    let program = with(vec![Insn { code: insn::CALL, dst: 0, src: 2, off: 0, imm: 1 }]);
    load(&program, Some(&sign(&program, signer()))).refused(EINVAL, "refers to BTF id 1, not to a name");
}

/// A signature over the instructions covers neither what changes them nor what they refer to.
#[test]
#[ignore = "needs the patched kernel"]
fn detached_signature_with_core_records_or_maps() {
    for name in ["fentry_connect", "xdp_lb"] {
        let program = program(name);
        let signature = cms::sign_detached(&program.insns, signer()).unwrap();
        load(&program, Some(&signature)).refused(EINVAL, "over instructions covers neither CO-RE nor maps");
    }
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
        .refused(EINVAL, "BTF or CO-RE without func_info");
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
    load_with(&program, Some(&signature), |attr| attr.prog_btf_fd = vmlinux as u32)
        .refused(EACCES, "BTF is the kernel's");
}
