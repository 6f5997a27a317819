//! Whole objects in the kernel.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use bpfsig_lab::corpus;
use bpfsig_loading::{self as bpf, Error, Hooks, LoadedMap, LoadedObject, OpenObject};
use bpfsig_signing::Digest;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::cms;
use bpfsig_signing::description::Description;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use libbpf_rs::query::LinkInfoIter;
use libbpf_rs::{MapCore as _, MapFlags, MapHandle};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};

use crate::keys::signer;
use crate::loaded::{Loaded, Way};

/// The bytes of an object of the corpus.
pub fn bytes(name: &str) -> &'static [u8] {
    corpus::objects().find(|(object, _)| *object == name).unwrap().1
}

/// The objects of the corpus all of whose programs can be loaded by themselves: names and bytes.
pub fn alone() -> Vec<(&'static str, &'static [u8])> {
    let programs = corpus::programs().unwrap();
    let others: Vec<_> = programs.iter().filter(|program| program.needs().is_some()).collect();
    let is_alone = |name: &str| {
        let path = format!("progs/{name}.bpf.c");
        !others.iter().any(|program| program.source.to_string() == path)
    };
    corpus::objects().filter(|(name, _)| is_alone(name)).collect()
}

/// Compiles an object that is not in the corpus.
pub fn compile(name: &str) -> Vec<u8> {
    compile_with(name, &[])
}

/// The same with further options.
pub fn compile_with(name: &str, options: &[&str]) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/objects/{name}.bpf.c"));
    let output = Command::new("clang")
        .args(["-target", "bpf", "-O2", "-g", "-mcpu=v3", "-c", "-o", "-"])
        .args(options)
        .arg(format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH))
        .arg(source)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program}: {status}");
}

fn object(name: &str) -> Object {
    Object::parse(bytes(name)).unwrap()
}

/// One signature for all programs of an object.
pub fn sign(object: &Object) -> Vec<u8> {
    sign_digests(object.descriptions().unwrap().iter().map(Description::digest))
}

fn sign_all(programs: &[Program]) -> Vec<u8> {
    sign_digests(programs.iter().map(|program| Manifest::of(program).unwrap().digest()))
}

fn sign_digests(digests: impl Iterator<Item = Digest>) -> Vec<u8> {
    let entries = digests.map(|digest| Entry { kind: Kind::PROGRAM, digest }).collect();
    cms::sign_attached(&Statement { expiry: 0, entries }.encode().unwrap(), signer()).unwrap()
}

/// An object that shares no map with others: tests would notice each other.
pub fn open(object: &Object, signature: Option<Vec<u8>>) -> OpenObject {
    let mut open = OpenObject::from(object);
    open.set_signature(signature);
    for map in open.maps_mut() {
        map.set_pin_path(None);
    }
    open
}

/// Has those programs attach to another program that can.
pub fn set_target(object: &mut OpenObject, target: impl AsFd) {
    for program in object.programs_mut() {
        // The others attach where they always do.
        let _ = program.set_attach_target(target.as_fd(), None);
    }
}

fn load_signed(object: &Object) -> LoadedObject {
    open(object, Some(sign(object))).load().unwrap()
}

/// XDP_DROP.
const DROP: u32 = 1;
const PASS: u32 = 2;

/// Its maps are defined in the old way, which libbpf does not take.
#[test]
#[ignore = "needs the patched kernel"]
fn an_object_that_aya_made() {
    let bytes = include_bytes!("../../../signing/tests/data/aya/count.o");
    let loaded = load_signed(&Object::parse(bytes).unwrap());
    let counts = MapHandle::from_map_id(loaded.map("COUNTS").unwrap().id().unwrap()).unwrap();
    for count in 1..=2u64 {
        let run = bpf::raw::test_run(loaded.program("count").unwrap().as_fd(), &ssdp(), &[]).unwrap();
        assert_eq!(run.retval, PASS);
        let value = counts.lookup(&60u32.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
        assert_eq!(value, count.to_ne_bytes());
    }
}

/// But for its id and its time, a signed program is the one that it would be unsigned.
#[test]
#[ignore = "needs the patched kernel"]
fn signed_and_unsigned_programs_are_the_same() {
    for name in ["xdp_lb", "xdp_lb_stages", "trace_files", "lsm_confine", "tcp_cc_gentle", "cgroup_firewall"]
    {
        let object = object(name);
        let signed = load_signed(&object);
        let unsigned = Loaded::new(name, Way::Unsigned);
        assert_eq!(signed.programs.len(), object.programs().len(), "{name}");
        assert_eq!(signed.maps.len(), object.maps().len() + object.struct_ops().len(), "{name}");
        for signed in &signed.programs {
            let look = |fd| (bpf::raw::program_id(fd).unwrap().1, bpf::raw::xlated(fd).unwrap().len());
            let unsigned = unsigned.program(&signed.name);
            assert_eq!(look(signed.fd.as_fd()), look(unsigned), "{name}: {}", signed.name);
        }
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn programs_share_maps() {
    let loaded = load_signed(&object("xdp_lb_stages"));
    let shared = loaded.map("lbs_work").unwrap().id().unwrap();
    for program in ["xdp_lbs_parse", "xdp_lbs_tunnel"] {
        let ids = bpf::raw::map_ids(loaded.program(program).unwrap().as_fd()).unwrap();
        assert!(ids.contains(&shared), "{program}");
    }
}

/// What the kernel says is at a position of a map: the id of a program or of a map.
fn id_at(map: &LoadedMap, index: u32) -> u32 {
    let map = MapHandle::from_map_id(map.id().unwrap()).unwrap();
    let value = map.lookup(&index.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
    u32::from_ne_bytes(value.try_into().unwrap())
}

#[test]
#[ignore = "needs the patched kernel"]
fn initial_entries() {
    let loaded = load_signed(&object("xdp_lb_stages"));
    let stages = loaded.map("lbs_stages").unwrap();
    for (index, name) in [(0, "xdp_lbs_tunnel"), (1, "xdp_lbs_reject")] {
        assert_eq!(id_at(stages, index), loaded.program(name).unwrap().id().unwrap(), "{name}");
    }

    let loaded = load_signed(&object("xdp_blocklist"));
    let outer = loaded.map("blocklists").unwrap();
    for (index, name) in [(0, "blocklist_a"), (1, "blocklist_b")] {
        assert_eq!(id_at(outer, index), loaded.map(name).unwrap().id().unwrap(), "{name}");
    }
}

/// The counters at the start of global data.
fn counters(loaded: &LoadedObject) -> [u64; 2] {
    let bss = MapHandle::from_map_id(loaded.map(".bss").unwrap().id().unwrap()).unwrap();
    let value = bss.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
    [0, 8].map(|at| u64::from_ne_bytes(value[at..at + 8].try_into().unwrap()))
}

#[test]
#[ignore = "needs the patched kernel"]
fn optional_programs_are_left_out_and_the_others_run() {
    let object = Object::parse(&compile("attach")).unwrap();
    let loaded = load_signed(&object);
    assert_eq!(object.programs().len(), 3);
    assert_eq!(loaded.programs.len(), 2);
    assert!(loaded.program("not_wanted").is_none());

    let links = loaded.attach(&Hooks::new().by_section()).unwrap();
    let places: Vec<_> = links.iter().map(|link| &*link.place).collect();
    assert_eq!(places, ["raw_tp/sched_process_exec", "kretprobe/filename_unlinkat"]);
    assert_eq!(counters(&loaded), [0, 0]);
    Command::new("true").status().unwrap();
    drop(tempfile::NamedTempFile::new().unwrap());
    assert_eq!(counters(&loaded), [1, 1]);
    drop(links);
    Command::new("true").status().unwrap();
    assert_eq!(counters(&loaded), [1, 1]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn nothing_stays_attached_if_one_program_can_not_be() {
    let loaded = load_signed(&Object::parse(&compile("uprobe")).unwrap());
    let error = loaded.attach(&Hooks::new().by_section()).unwrap_err();
    let message = format!("{error:#}");
    let expected = "program `uprobe`: attaching to uprobe//bin/true:no_such_function: /bin/true has no function \
                    no_such_function";
    assert_eq!(message, expected);
    let id = loaded.program("raw_exec").unwrap().id().unwrap();
    assert!(!LinkInfoIter::default().any(|link| link.prog_id == id));
}

/// Nothing in an object says that its programs observe another program: the signer does.
#[test]
#[ignore = "needs the patched kernel"]
fn a_function_of_another_program_is_observed() {
    let gateway = load_signed(&object("xdp_gateway"));
    let gateway = gateway.program("xdp_gateway").unwrap().as_fd();
    let object = Object::parse(&compile("observe")).unwrap();
    let mut programs = object.programs().to_vec();
    for program in &mut programs {
        program.attach_to_program(None).unwrap();
    }
    let signature = sign_all(&programs);
    let mut open = open(&object, Some(signature));
    set_target(&mut open, gateway);
    let loaded = open.load().unwrap();
    let _links = loaded.attach(&Hooks::new().by_section()).unwrap();
    bpf::raw::test_run(gateway, &ssdp(), &[]).unwrap();
    assert_eq!(counters(&loaded), [1, 1]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_function_of_a_module() {
    let file = compile("module");
    let choices = Choices { modules: ["tcp_dctcp".to_owned()].into(), ..Choices::default() };
    let object = Object::parse_with(&file, &choices).unwrap();
    let error = open(&object, None).load().unwrap_err();
    assert!(format!("{error:#}").contains("is module tcp_dctcp loaded?"), "{error:#}");

    let modules = std::env::var("BPFSIG_TEST_MODULES").expect("BPFSIG_TEST_MODULES says where modules are");
    run("modprobe", &["--dirname", &modules, "tcp_dctcp"]);
    // Found there, but not signed for it.
    let error = open(&object, Some(sign_all(object.programs()))).load().unwrap_err();
    assert_eq!(
        (error.errno(), error.refused().map(|it| &*it.program)),
        (Some(Errno::EKEYREJECTED), Some("initialised"))
    );
    let loaded = load_signed(&object);
    let _links = loaded.attach(&Hooks::new().by_section()).unwrap();
    run("ip", &["link", "set", "lo", "up"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    setsockopt(&connection, sockopt::TcpCongestion, &"dctcp".into()).unwrap();
    assert_eq!(counters(&loaded), [1, 1]);
}

/// With the whole log of the verifier.
#[test]
#[ignore = "needs the patched kernel"]
fn a_program_that_the_verifier_refuses() {
    let mut changed = bytes("tp_exec_export").to_vec();
    let license = changed.windows(4).position(|bytes| bytes == b"GPL\0").unwrap();
    changed[license + 2] = b'X';
    let object = Object::parse(&changed).unwrap();
    let signature = sign(&object);
    let error = open(&object, Some(signature)).load().unwrap_err();
    let refused = error.refused().unwrap();
    assert_eq!(error.errno(), Some(Errno::EINVAL));
    let reason = refused.reason().unwrap();
    assert!(reason.contains("cannot call GPL-restricted function"), "{reason}\n{}", refused.log);
    assert_eq!(refused.errno, Errno::EINVAL);
    assert!(refused.log.contains("signature check "), "{}", refused.log);
    assert!(refused.log.contains("cannot call GPL-restricted function"), "{}", refused.log);
    // The way there.
    assert!(refused.log.contains("\n0: R1=ctx() R10=fp0\n"), "{}", refused.log);
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

#[test]
#[ignore = "needs the patched kernel"]
fn a_function_of_another_program_is_replaced() {
    let gateway = load_signed(&object("xdp_gateway"));
    let gateway = gateway.program("xdp_gateway").unwrap().as_fd();
    let replacement = object("freplace_gateway_policy");
    let signature = sign(&replacement);
    let signed = || open(&replacement, Some(signature.clone()));
    let error = signed().load().unwrap_err();
    assert!(format!("{error:#}").contains("it attaches to function gateway_policy of another program"));

    let mut onto_gateway = signed();
    set_target(&mut onto_gateway, gateway);
    let loaded = onto_gateway.load().unwrap();
    assert_eq!(bpf::raw::test_run(gateway, &ssdp(), &[]).unwrap().retval, PASS);
    let links = loaded.attach(&Hooks::new().by_section()).unwrap();
    assert_eq!(bpf::raw::test_run(gateway, &ssdp(), &[]).unwrap().retval, DROP);
    drop(links);
    assert_eq!(bpf::raw::test_run(gateway, &ssdp(), &[]).unwrap().retval, PASS);

    let other = load_signed(&object("xdp_acl"));
    let mut onto_other = signed();
    set_target(&mut onto_other, other.program("xdp_acl").unwrap());
    let error = onto_other.load().unwrap_err();
    assert!(format!("{error:#}").contains("the program to attach to has no function gateway_policy"));
}

/// Of a fragment and of a short packet.
#[test]
#[ignore = "needs the patched kernel"]
fn test_runs() {
    let loaded = load_signed(&object("xdp_drop_fragments"));
    let program = loaded.program("xdp_drop_fragments").unwrap().as_fd();
    let mut packet = vec![0; 60];
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[14] = 0x45;
    let run = bpf::raw::test_run(program, &packet, &[]).unwrap();
    assert_eq!((run.retval, &run.data), (PASS, &packet));
    // More fragments.
    packet[20] = 0x20;
    assert_eq!(bpf::raw::test_run(program, &packet, &[]).unwrap().retval, DROP);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_refused_program_is_named_with_the_kernels_reason() {
    let signature = sign(&object("xdp_acl"));
    let error = open(&object("xdp_lb"), Some(signature)).load().unwrap_err();
    let Error::Refused(refused) = error else { panic!("{error:#}") };
    assert_eq!((&*refused.program, refused.errno), ("xdp_lb", Errno::EKEYREJECTED));
    assert!(refused.log.contains("statement does not list program"), "{}", refused.log);
}
