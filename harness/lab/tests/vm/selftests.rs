//! Objects of the kernel's own tests, which `scripts/selftests.sh` builds.

use std::fs;

use bpfsig_signing::choices::Choices;
use bpfsig_signing::object::Object;

use crate::xlated;

/// `BPFSIG_TEST_OBJECT` is its file name. It is signed with the choices that the script makes for all of them.
#[test]
#[ignore = "needs an object, which scripts/selftests.sh names"]
fn object_is_the_same_signed() {
    let name = std::env::var("BPFSIG_TEST_OBJECT").expect("BPFSIG_TEST_OBJECT names no object");
    let choices =
        Choices { modules: ["bpf_testmod".to_owned()].into(), constant_kconfig: true, ..Choices::default() };
    let bytes = fs::read(&name).unwrap();
    // Without the suffix, as libbpf has it: maps of global data get it before their section's name.
    let stem = name.split_once('.').map_or(&*name, |(stem, _)| stem);
    // Some have maps alone, which need no signature.
    let has_programs = !Object::parse_with(&bytes, &choices).unwrap().programs().is_empty();
    let count = if has_programs { xlated::same(stem, &bytes, &choices, None) } else { 0 };
    println!("{count} programs are the same");
}
