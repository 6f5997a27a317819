//! Whole objects in the kernel.

use std::os::fd::AsFd;

use bpfsig::bpf::{self, LoadOptions, LoadedObject, Refused};
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use nix::errno::Errno;

use crate::keys::signer;

/// Path of the source and bytes of the object.
const OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

/// The bytes of an object of the corpus.
pub fn bytes(name: &str) -> &'static [u8] {
    let path = format!("progs/{name}.bpf.c");
    OBJECTS.iter().find(|(source, _)| *source == path).unwrap().1
}

fn object(name: &str) -> Object {
    Object::parse(bytes(name)).unwrap()
}

/// One signature for all programs of an object.
pub fn sign(object: &Object) -> Vec<u8> {
    let entry = |program| Entry { kind: Kind::PROGRAM, digest: Manifest::of(program).unwrap().digest() };
    let statement = Statement { expiry: 0, entries: object.programs().iter().map(entry).collect() };
    cms::sign_attached(&statement.encode().unwrap(), signer()).unwrap()
}

fn load_signed(object: &Object) -> LoadedObject {
    let signature = sign(object);
    LoadedObject::load(object, &LoadOptions { signature: Some(&signature), ..LoadOptions::default() })
        .unwrap()
}

/// XDP_DROP.
const DROP: u32 = 1;
const PASS: u32 = 2;

#[test]
#[ignore = "needs the patched kernel"]
fn each_object_of_the_corpus() {
    for (path, bytes) in OBJECTS {
        let object = Object::parse(bytes).unwrap();
        let loaded = load_signed(&object);
        let unsigned = LoadedObject::load(&object, &LoadOptions::default()).unwrap();
        for (program, unsigned) in loaded.programs.iter().zip(&unsigned.programs) {
            let size = |fd| bpf::xlated(fd).unwrap().len();
            assert!(size(program.fd.as_fd()) >= 16, "{path}");
            assert_eq!(size(program.fd.as_fd()), size(unsigned.fd.as_fd()), "{path}");
            let tag = |fd| bpf::program_id(fd).unwrap().1;
            assert_eq!(tag(program.fd.as_fd()), tag(unsigned.fd.as_fd()), "{path}: {}", program.name);
        }
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn programs_share_maps() {
    let object = object("cgroup_port_stats");
    let loaded = load_signed(&object);
    for map in &loaded.maps {
        bpf::map_id(map.fd.as_fd()).unwrap();
    }
}

/// Of a fragment and of a short packet.
#[test]
#[ignore = "needs the patched kernel"]
fn test_runs() {
    let loaded = load_signed(&object("xdp_drop_fragments"));
    let program = loaded.program("xdp_drop_fragments").unwrap();
    let mut packet = vec![0; 60];
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[14] = 0x45;
    let run = bpf::test_run(program, &packet, &[]).unwrap();
    assert_eq!((run.retval, &run.data), (PASS, &packet));
    // More fragments.
    packet[20] = 0x20;
    assert_eq!(bpf::test_run(program, &packet, &[]).unwrap().retval, DROP);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_refused_program_is_named_with_the_kernels_reason() {
    let signature = sign(&object("xdp_acl"));
    let options = LoadOptions { signature: Some(&signature), ..LoadOptions::default() };
    let error = LoadedObject::load(&object("xdp_lb"), &options).unwrap_err();
    let refused = error.downcast::<Refused>().unwrap();
    assert_eq!((&*refused.program, refused.errno), ("xdp_lb", Errno::EKEYREJECTED));
    assert!(refused.log.contains("statement does not list program"), "{}", refused.log);
}
