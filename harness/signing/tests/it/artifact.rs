//! Files are recognised by their content.

use bpfsig_signing::artifact::{Artifact, ArtifactError, Platform};
use bpfsig_signing::description::Description;
use bpfsig_signing::object::{Object, ObjectError, Remark};
use bpfsig_signing::statement::{Entry, Kind};
use bpfsig_signing::{Digest, authenticode, embed};

use bpfsig_signing::key::Algorithm;

use crate::compilers::{self, LINUX, WINDOWS, windows_driver, windows_program};
use crate::openssl::chain;

fn artifact(file: &[u8]) -> Artifact {
    Artifact::of(file, None).unwrap()
}

#[test]
fn each_kind_has_its_entries() {
    let linux = compilers::ebpf(LINUX);
    let programs = Object::parse(&linux).unwrap();
    let programs: Vec<_> =
        programs.programs().iter().map(|program| Description::of(program).unwrap()).collect();
    let entries: Vec<_> =
        programs.iter().map(|program| Entry { kind: Kind::PROGRAM, digest: program.digest() }).collect();
    assert_eq!(entries.len(), 2);
    assert_eq!(artifact(&linux).entries(), entries);
    assert_eq!(artifact(&linux), Artifact::LinuxObject { programs, remarks: Vec::new() });

    let windows = compilers::ebpf(WINDOWS);
    let whole = [Entry { kind: Kind::FILE, digest: Digest::of(&windows) }];
    assert_eq!(artifact(&windows).entries(), whole);
    let script = b"#!/bin/sh\n";
    assert_eq!(artifact(script).entries(), [Entry { kind: Kind::FILE, digest: Digest::of(script) }]);
    let plain = |file: &[u8], remark| Artifact::File { digest: Digest::of(file), remark };
    assert_eq!(artifact(b""), plain(b"", Some(Remark::Empty)));
    assert_eq!(artifact(b"BC\xc0\xde..."), plain(b"BC\xc0\xde...", Some(Remark::Bitcode)));
    let program = compilers::program("int main(void) { return 0; }");
    let machine = if cfg!(target_arch = "x86_64") { "x86-64" } else { "AArch64" };
    let remark = Remark::OtherMachine { machine: machine.to_owned(), is_object: false };
    assert!(!remark.is_warning());
    assert_eq!(artifact(&program), plain(&program, Some(remark)));
    // An object for a big-endian machine.
    let mut s390 = [0; 64];
    s390[..6].copy_from_slice(b"\x7fELF\x02\x02");
    s390[16..20].copy_from_slice(&[0, 1, 0, 22]);
    let remark = Remark::OtherMachine { machine: "s390".to_owned(), is_object: true };
    assert!(remark.is_warning());
    assert_eq!(artifact(&s390), plain(&s390, Some(remark)));
    for image in [windows_driver(), windows_program()] {
        assert!(matches!(artifact(&image), Artifact::PeImage(_)));
        assert_eq!(artifact(&image).entries()[0].kind, Kind::PE_IMAGE);
    }
}

#[test]
fn a_signature_inside_changes_nothing() {
    let signer = &chain(Algorithm::P256).signer;
    for object in [compilers::ebpf(LINUX), compilers::ebpf(WINDOWS)] {
        let signed = embed::write(&object, b"signature", b"descriptions").unwrap();
        assert_eq!(artifact(&signed), artifact(&object));
    }
    let image = windows_driver();
    assert_eq!(artifact(&authenticode::sign(&image, signer).unwrap()), artifact(&image));
}

#[test]
fn windows_objects_are_told_by_sections_and_types() {
    let of = |source: &str| Platform::of(&compilers::ebpf(source));
    assert_eq!(of(LINUX), Platform::Linux);
    for section in [
        "bind",
        "xdp_test",
        "xdp_test/1",
        "sample_ext",
        "cgroup/recv_accept4",
        "cgroup/connect_authorization6",
        "process",
        "netevent_monitor",
    ] {
        let source = format!(r#"SEC("{section}") int program(void *context) {{ return 0; }}"#);
        assert_eq!(of(&source), Platform::Windows, "{section}");
    }
    for section in ["xdp", "cgroup/connect4", "sockops", "cgroup/bind4", "binder"] {
        let source = format!(r#"SEC("{section}") int program(void *context) {{ return 0; }}"#);
        assert_eq!(of(&source), Platform::Linux, "{section}");
    }

    for context in ["bpf_sock_addr_t", "bpf_sock_ops_t", "xdp_md_t"] {
        let source = format!(
            r#"typedef struct {{ int field; }} {context};
            SEC("sockops") int program({context} *context) {{ return context->field; }}"#
        );
        assert_eq!(of(&source), Platform::Windows, "{context}");
    }
    let old_map = r#"
        struct _ebpf_map_definition_in_file { int type, key_size, value_size, max_entries; };
        static void *(*lookup)(void *, void *) = (void *)1;
        SEC("maps") struct _ebpf_map_definition_in_file map = { 2, 4, 4, 1 };
        SEC("xdp") int program(void *context) { int key = 0; return !!lookup(&map, &key); }
    "#;
    assert_eq!(of(old_map), Platform::Windows);
}

#[test]
fn the_caller_may_know_better() {
    let object = compilers::ebpf(r#"SEC("sockops") int program(void *context) { return 0; }"#);
    assert!(matches!(artifact(&object), Artifact::LinuxObject { .. }));
    let windows = Artifact::of(&object, Some(Platform::Windows)).unwrap();
    assert_eq!(windows, Artifact::WindowsObject(Digest::of(&object)));
    // It is about eBPF objects only.
    assert_eq!(Artifact::of(b"text", Some(Platform::Windows)).unwrap(), artifact(b"text"));

    let object = compilers::ebpf(r#"SEC("bind") int program(void *context) { return 0; }"#);
    let error = Artifact::of(&object, Some(Platform::Linux)).unwrap_err();
    assert!(matches!(error, ArtifactError::Object(ObjectError::UnknownSection { .. })));
    assert_eq!("linux".parse(), Ok(Platform::Linux));
    assert_eq!("windows".parse(), Ok(Platform::Windows));
    assert!("Windows".parse::<Platform>().is_err());
}

/// Something that is meant to be an object or an image is never taken for just a file.
#[test]
fn damaged_files_are_refused() {
    let objects = [compilers::ebpf(LINUX), compilers::ebpf(WINDOWS), windows_driver()];
    for (file, header) in objects.iter().zip([20, 20, 0x84]) {
        for size in (header..file.len()).step_by(97) {
            match Artifact::of(&file[..size], None) {
                Err(_) => {}
                // There may be a symbol table at the end of an image that nothing refers to.
                Ok(Artifact::PeImage(digest)) => assert_ne!(Artifact::PeImage(digest), artifact(file)),
                // Whole files need not be sound.
                Ok(Artifact::WindowsObject(digest)) => assert_ne!(digest, Digest::of(file)),
                Ok(other) => panic!("{size} bytes are taken for a {other}"),
            }
        }
    }
    let big_endian = compilers::big_endian_ebpf(LINUX);
    assert!(matches!(Artifact::of(&big_endian, None), Err(ArtifactError::Object(ObjectError::BigEndian))));
}
