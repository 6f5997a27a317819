//! Objects: ELF, BTF, BTF.ext, and the programs made of them.
#![no_main]

use bpfsig_signing::description::{Description, from_json, to_json};
use bpfsig_signing::choices::Choices;
use bpfsig_signing::object::Object;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(object) = Object::parse(file) else { return };
    let descriptions: Vec<_> = object.programs().iter().flat_map(Description::of).collect();
    assert_eq!(from_json(to_json(&descriptions, &Choices::default()).as_bytes()).unwrap().programs, descriptions);
});
