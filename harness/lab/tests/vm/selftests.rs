//! Objects of other people: of the kernel's own tests, which `scripts/selftests.sh` builds, and of the distribution's packages,
//! which `scripts/corpus.sh` takes out of them.

use std::fs;

use bpfsig_signing::choices::Choices;
use bpfsig_signing::object::Object;

use crate::xlated;

/// `BPFSIG_TEST_OBJECT` is its file name. It is signed with the choices that the scripts make for all of them.
#[test]
#[ignore = "needs an object, which scripts/selftests.sh and scripts/corpus.sh name"]
fn object_is_the_same_signed() {
    let name = std::env::var("BPFSIG_TEST_OBJECT").expect("BPFSIG_TEST_OBJECT names no object");
    let choices =
        Choices { modules: ["bpf_testmod".to_owned()].into(), constant_kconfig: true, ..Choices::default() };
    let bytes = fs::read(&name).unwrap();
    // Without the suffix, as libbpf has it: maps of global data get it before their section's name.
    let stem = name.split_once('.').map_or(&*name, |(stem, _)| stem);
    // Some have maps alone, which need no signature.
    let needs_none = Object::parse_with(&bytes, &choices).is_ok_and(|object| object.programs().is_empty());
    let count = if needs_none { 0 } else { xlated::same(stem, &bytes, &choices, None) };
    println!("{count} programs are the same");
}
