//! Objects that hold their signature.

use std::process::Command;

use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::to_json;
use bpfsig_signing::object::Object;
use bpfsig_signing::statement::Statement;
use bpfsig_signing::{cms, embed};
use libbpf_rs::ObjectBuilder;

use crate::keys::signer;
use crate::load::load;
use crate::loaded_object;

/// The object with a signature of its programs, and of these other files, inside.
fn signed(object: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let artifact = Artifact::of(object, None).unwrap();
    let mut entries = artifact.entries();
    entries.extend(others.iter().flat_map(|other| Artifact::of(other, None).unwrap().entries()));
    let statement = Statement { expiry: 0, entries }.encode().unwrap();
    let signature = cms::sign_attached(&statement, signer()).unwrap();
    embed::write(object, &signature, to_json(artifact.programs(), &Choices::default()).as_bytes()).unwrap()
}

/// Objects stay what they were for those who know nothing of signatures.
#[test]
#[ignore = "needs the patched kernel"]
fn libbpf_loads_them_unsigned() {
    for (name, object) in loaded_object::alone() {
        let loads = |object: &[u8]| {
            let opened = ObjectBuilder::default().name(name).unwrap().open_memory(object);
            opened.and_then(|opened| opened.load()).map(|loaded| loaded.progs().count())
        };
        let before = loads(object).unwrap_or_else(|error| panic!("{name}: {error}"));
        let after = loads(&signed(object, &[])).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(before, after, "{name}");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn the_kernel_takes_the_signature_inside() {
    for (name, object) in loaded_object::alone() {
        let signed = signed(object, &[]);
        let signature = embed::signature(&signed).unwrap();
        for program in Object::parse(&signed).unwrap().programs() {
            let outcome = load(program, Some(signature));
            assert!(outcome.result.is_ok(), "{name}: {}: {outcome:?}", program.name);
        }
    }
}

/// One signature over an object for Linux, one for Windows, a Windows driver and a program of this machine.
#[test]
#[ignore = "needs the patched kernel"]
fn the_kernel_takes_a_signature_of_files_for_both_systems() {
    let dir = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &str| {
        let status = Command::new(program).args(arguments.split(' ')).current_dir(dir.path()).status();
        assert!(status.unwrap().success(), "{program} {arguments}");
    };
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    std::fs::write(
        dir.path().join("windows.c"),
        r#"typedef struct _bind_md { int operation; } bind_md_t;
        __attribute__((section("bind"))) int deny(bind_md_t *context) { return 1; }"#,
    )
    .unwrap();
    std::fs::write(dir.path().join("driver.c"), "int DriverEntry(void *d, void *p) { return 0; }").unwrap();
    run("clang", "-O2 -target bpf -c -o windows.o windows.c");
    run("x86_64-w64-mingw32-gcc", "-Wl,--subsystem,native -nostdlib -e DriverEntry -o driver.sys driver.c");

    let others = [read("windows.o"), read("driver.sys"), std::fs::read("/bin/true").unwrap()];
    let name = "xdp_lb";
    let signed = signed(loaded_object::bytes(name), &others);
    for program in Object::parse(&signed).unwrap().programs() {
        let outcome = load(program, embed::signature(&signed));
        assert!(outcome.result.is_ok(), "{name}: {}: {outcome:?}", program.name);
    }
}
