//! Whole objects in the kernel.

use std::os::fd::{AsFd, BorrowedFd};

use bpfsig::bpf::{self, Hooks, LoadOptions, LoadedObject, Refused};
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle};
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

/// But for its id and its time, a signed program is the one that it would be unsigned.
#[test]
#[ignore = "needs the patched kernel"]
fn signed_and_unsigned_programs_are_the_same() {
    for name in ["xdp_lb", "xdp_lb_stages", "trace_files", "lsm_confine", "tcp_cc_gentle", "cgroup_firewall"]
    {
        let object = object(name);
        let signed = load_signed(&object);
        let unsigned = LoadedObject::load(&object, &LoadOptions::default()).unwrap();
        assert_eq!(signed.programs.len(), object.programs().len(), "{name}");
        assert_eq!(signed.maps.len(), object.maps().len() + object.struct_ops().len(), "{name}");
        for (signed, unsigned) in signed.programs.iter().zip(&unsigned.programs) {
            let look = |fd| (bpf::program_id(fd).unwrap().1, bpf::xlated(fd).unwrap().len());
            assert_eq!(look(signed.fd.as_fd()), look(unsigned.fd.as_fd()), "{name}: {}", signed.name);
        }
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn programs_share_maps() {
    let loaded = load_signed(&object("xdp_lb_stages"));
    let shared = bpf::map_id(loaded.map("lbs_work").unwrap()).unwrap();
    for program in ["xdp_lbs_parse", "xdp_lbs_tunnel"] {
        let ids = bpf::map_ids(loaded.program(program).unwrap()).unwrap();
        assert!(ids.contains(&shared), "{program}");
    }
}

/// What the kernel says is at a position of a map: the id of a program or of a map.
fn id_at(map: BorrowedFd<'_>, index: u32) -> u32 {
    let map = MapHandle::from_map_id(bpf::map_id(map).unwrap()).unwrap();
    let value = map.lookup(&index.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
    u32::from_ne_bytes(value.try_into().unwrap())
}

#[test]
#[ignore = "needs the patched kernel"]
fn initial_entries() {
    let loaded = load_signed(&object("xdp_lb_stages"));
    let stages = loaded.map("lbs_stages").unwrap();
    for (index, name) in [(0, "xdp_lbs_tunnel"), (1, "xdp_lbs_reject")] {
        assert_eq!(id_at(stages, index), bpf::program_id(loaded.program(name).unwrap()).unwrap().0, "{name}");
    }

    let loaded = load_signed(&object("xdp_blocklist"));
    let outer = loaded.map("blocklists").unwrap();
    for (index, name) in [(0, "blocklist_a"), (1, "blocklist_b")] {
        assert_eq!(id_at(outer, index), bpf::map_id(loaded.map(name).unwrap()).unwrap(), "{name}");
    }
}

/// A packet to the port of SSDP, which the replacement drops.
fn ssdp() -> Vec<u8> {
    let mut packet = vec![0; 60];
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[14] = 0x45;
    packet[23] = 17;
    packet[36..38].copy_from_slice(&1900u16.to_be_bytes());
    packet
}

/// Unsigned: this is about the loader.
#[test]
#[ignore = "needs the patched kernel"]
fn a_function_of_another_program_is_replaced() {
    let gateway = load_signed(&object("xdp_gateway"));
    let gateway = gateway.program("xdp_gateway").unwrap();
    let replacement = object("freplace_gateway_policy");
    let error = LoadedObject::load(&replacement, &LoadOptions::default()).unwrap_err();
    assert!(format!("{error:#}").contains("it attaches to function gateway_policy of another program"));

    let options = LoadOptions { target: Some(gateway), ..LoadOptions::default() };
    let loaded = LoadedObject::load(&replacement, &options).unwrap();
    assert_eq!(bpf::test_run(gateway, &ssdp(), &[]).unwrap().retval, PASS);
    let links = loaded.attach(&Hooks::new().by_section()).unwrap();
    assert_eq!(bpf::test_run(gateway, &ssdp(), &[]).unwrap().retval, DROP);
    drop(links);
    assert_eq!(bpf::test_run(gateway, &ssdp(), &[]).unwrap().retval, PASS);

    let other = load_signed(&object("xdp_acl"));
    let options = LoadOptions { target: other.program("xdp_acl"), ..LoadOptions::default() };
    let error = LoadedObject::load(&replacement, &options).unwrap_err();
    assert!(format!("{error:#}").contains("the program to attach to has no function gateway_policy"));
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
