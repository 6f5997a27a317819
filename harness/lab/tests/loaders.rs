//! Loaders that libbpf makes, which mainline signs in place of programs.

use std::fs;
use std::process::Command;

use bpfsig_lab::corpus;
use bpfsig_lab::loader::Loader;
use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::cms;
use bpfsig_signing::insn::{self, LD_IMM64, PSEUDO_MAP_IDX_VALUE};
use bpfsig_signing::key::{Algorithm, PrivateKey};

fn object(name: &str) -> &'static [u8] {
    corpus::objects().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn a_loader_is_the_same_each_time_and_refers_to_nothing_but_its_map() {
    let make = || Loader::of(object("lsm_journal"), &["journal_unlink", "journal_bpf"]).unwrap();
    let loader = make();
    assert_eq!(loader, make());
    let loads = insn::decode(&loader.program.insns).filter(|insn| insn.code == LD_IMM64);
    let references: Vec<_> = loads.filter(|insn| insn.src != 0).collect();
    assert!(!references.is_empty());
    assert!(references.iter().all(|insn| (insn.src, insn.imm) == (PSEUDO_MAP_IDX_VALUE, 0)));
}

#[test]
fn a_loader_holds_the_programs_that_it_is_asked_for() {
    for entry in corpus::select(Some("straight-*")).unwrap() {
        let object = corpus::object(entry.source, &entry.program).unwrap();
        let loader = Loader::of(&object, &[&entry.program.name]).unwrap();
        let insns = &entry.program.insns[..];
        assert!(
            loader.metadata.windows(insns.len()).step_by(8).any(|window| window == insns),
            "{}",
            entry.name
        );
    }
    let size = |programs: &[&str]| Loader::of(object("lsm_journal"), programs).unwrap().metadata.len();
    assert!(size(&["journal_unlink"]) < size(&["journal_unlink", "journal_bpf"]));
}

#[test]
fn openssl_verifies_the_signature_over_instructions_and_metadata() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let loader = Loader::of(object("xdp_acl"), &["xdp_acl"]).unwrap();
    for algorithm in [Algorithm::Rsa2048, Algorithm::P256] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let certificate = Certificate::self_signed(Role::Signer, "test", &key, 1).unwrap();
        fs::write(file("cert"), certificate.to_pem()).unwrap();
        let signer = Signer::new(key, certificate).unwrap();
        fs::write(file("signature"), cms::sign_detached(&loader.signed_bytes(), &signer).unwrap()).unwrap();
        let verifies = |content: &[&[u8]]| {
            fs::write(file("content"), content.concat()).unwrap();
            let openssl = Command::new("openssl")
                .args(["cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-in", "signature"])
                .args(["-content", "content", "-certfile", "cert", "-out", "out"])
                .current_dir(&directory)
                .output();
            openssl.expect("this test needs the `openssl` command").status.success()
        };
        assert!(verifies(&[&loader.program.insns, &loader.metadata]));
        assert!(!verifies(&[&loader.metadata, &loader.program.insns]));
        assert!(!verifies(&[&loader.program.insns]));
    }
}

#[test]
fn what_has_no_loader_is_refused_with_the_reason() {
    let reason =
        |object: &[u8], programs: &[&str]| format!("{:#}", Loader::of(object, programs).unwrap_err());
    for (found, expected) in [
        (reason(b"no object", &[]), "libbpf: "),
        (reason(object("xdp_acl"), &["xdp_lb"]), "does not have all of the programs xdp_lb"),
        (reason(object("xdp_lb_stages"), &["xdp_lbs_parse"]), "program arrays"),
        (reason(object("tcp_cc_gentle"), &["gentle_init"]), "struct_ops"),
        (reason(object("freplace_gateway_policy"), &["gateway_no_ssdp"]), "attach program FD is not set"),
    ] {
        assert!(found.contains(expected), "`{expected}` is not in `{found}`");
    }
}
