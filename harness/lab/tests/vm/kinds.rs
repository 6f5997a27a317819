//! Objects of the kinds that people have, signed and in the kernel.

use std::os::fd::AsFd;

use bpfsig_loading::raw::test_run;
use bpfsig_loading::{Error, LoadedObject};
use bpfsig_signing::choices::Choices;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::signature::{self, MAX_ENTRIES};
use bpfsig_signing::statement::{Entry, Kind, Statement};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle};
use nix::errno::Errno;

use crate::keys::signer;
use crate::loaded_object::{compile, open};

/// Signs an object together with other things, so that it takes several messages.
fn sign(object: &Object, others: usize) -> Vec<u8> {
    let entry = |digest| Entry { kind: Kind::PROGRAM, digest };
    let others = (0..others).map(|n| entry(bpfsig_signing::Digest::of(n.to_le_bytes())));
    let programs = object.programs().iter().map(|program| entry(Manifest::of(program).unwrap().digest()));
    let statement = Statement { expiry: 0, entries: others.chain(programs).collect() };
    signature::sign(&statement, signer()).unwrap()
}

fn load(object: &Object, signature: &[u8]) -> LoadedObject {
    open(object, Some(signature.to_vec())).load().unwrap()
}

/// The object, with its numbers of `.kconfig` as constants: it has a part for other kernels.
fn constant() -> Object {
    let choices = Choices { constant_kconfig: true, ..Choices::default() };
    Object::parse_with(&compile("kinds"), &choices).unwrap()
}

#[test]
#[ignore = "needs the patched kernel and root"]
fn kinds_of_objects() {
    let object = constant();
    let loaded = load(&object, &sign(&object, 0));
    let run =
        |name: &str, data: &[u8]| test_run(loaded.program(name).unwrap().as_fd(), data, &[]).unwrap().retval;

    assert_eq!(run("reads_kconfig", &[0; 64]), 2);
    let bss = MapHandle::from_map_id(loaded.map(".bss").unwrap().id().unwrap()).unwrap();
    let value = bss.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
    let (words, _) = value.as_chunks::<4>();
    let mut words: Vec<_> = words.iter().map(|word| u32::from_ne_bytes(*word)).collect();
    words.sort();
    // The version of the kernel that this was made for, or later.
    assert!(words[1] >= 6 << 16, "{words:?}");
    assert_eq!(words[0], 3, "has cookies, and bpf(2), and not what was made up");

    assert_eq!(run("reads_percpu", &[0; 64]), 11);
    assert_eq!(run("looks_up", &[0; 64]), 2);
    assert_eq!(run("reads_arena", &[]), 7);
    assert_eq!(run("throws", &[0; 64]), 3);
}

#[test]
#[ignore = "needs the patched kernel and root"]
fn kinds_with_several_messages() {
    let object = constant();
    // Its own programs are listed by both messages.
    let signature = sign(&object, MAX_ENTRIES - 2);
    assert_eq!(signature::split(&signature).len(), 2);
    load(&object, &signature);
}

#[test]
#[ignore = "needs the patched kernel and root"]
fn parts_for_other_kernels_need_constants() {
    let object = Object::parse(&compile("kinds")).unwrap();
    let Err(Error::Refused(refused)) = open(&object, Some(sign(&object, 0))).load() else { panic!("loaded") };
    assert_eq!(refused.errno, Errno::EINVAL);
    assert_eq!(refused.reason(), Some("invalid func unknown#9999"));
}
