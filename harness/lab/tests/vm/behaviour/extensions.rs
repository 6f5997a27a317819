//! A program that takes the place of another's function.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use bpfsig_loading::raw::test_run;
use bpfsig_loading::{Error, Hooks, LoadedObject, OpenObject};
use bpfsig_signing::btf::{Btf, kind};
use bpfsig_signing::choices::Choices;
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use libbpf_rs::libbpf_sys as sys;
use nix::errno::Errno;

use crate::keys::signer;
use crate::loaded::{Hook, Loaded, Way};
use crate::loaded_object::{compile, compile_with, open, sign};
use crate::packet::udp;
use crate::{loaded_object, xdp_tools, xlated};

/// `enum xdp_action`.
const DROP: u32 = 1;
const PASS: u32 = 2;

#[test]
#[ignore = "needs the patched kernel"]
fn freplace_gateway_policy() {
    let ssdp = udp("203.0.113.5:1", "192.0.2.2:1900", b"M-SEARCH");
    let dns = udp("203.0.113.5:1", "192.0.2.2:53", b"query");
    for way in Way::ALL {
        let gateway = Loaded::new("xdp_gateway", way);
        let verdicts = || [&ssdp, &dns].map(|frame| gateway.run("xdp_gateway", frame).retval);
        let policy = Loaded::onto("freplace_gateway_policy", way, gateway.program("xdp_gateway"));
        assert_eq!(verdicts(), [PASS, PASS], "{way:?}: not yet attached");
        let link = policy.attach(Hook::Section);
        assert_eq!(link.len(), 1);
        assert_eq!(verdicts(), [DROP, PASS], "{way:?}: attached");
        assert_eq!(policy.variable("policy_dropped"), 1);
        drop(link);
        assert_eq!(verdicts(), [PASS, PASS], "{way:?}: no longer attached");
        assert_eq!([DROP, PASS].map(|verdict| gateway.total("gateway_verdicts", verdict)), [1, 5]);
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn xlated() {
    let gateway = Loaded::new("xdp_gateway", Way::Unsigned);
    let name = "freplace_gateway_policy";
    assert_eq!(
        xlated::same(
            name,
            loaded_object::bytes(name),
            &Choices::default(),
            Some(gateway.program("xdp_gateway"))
        ),
        1
    );
}

/// A signature of programs that are to attach to a function of another program, each of them to any of these.
fn sign_for(object: &Object, functions: &[&str]) -> Vec<u8> {
    let entry = |program: &Program, function: &str| {
        let mut program = program.clone();
        program.attach_to_program(Some(function)).unwrap();
        Entry { kind: Kind::PROGRAM, digest: Manifest::of(&program).unwrap().digest() }
    };
    let of = |program| functions.iter().map(move |function| entry(program, function));
    let statement = Statement { expiry: 0, entries: object.programs().iter().flat_map(of).collect() };
    cms::sign_attached(&statement.encode().unwrap(), signer()).unwrap()
}

/// The programs of `xdpdump`, which look at what goes into another program and comes out of it: whoever signs them has to
/// say which function that is.
#[test]
#[ignore = "needs the patched kernel"]
fn xdpdump() {
    const FUNCTION: &str = "xdp_gateway";
    let (_, bytes) = xdp_tools::objects().into_iter().find(|(name, _)| name == xdp_tools::DUMP).unwrap();
    let gateway = Loaded::new("xdp_gateway", Way::Signed);
    let object = Object::parse(&bytes).unwrap();
    let signature = sign_for(&object, &[FUNCTION]);
    let open = |signature| {
        let mut open = OpenObject::from(&object);
        for program in open.programs_mut() {
            program.set_attach_target(gateway.program("xdp_gateway"), Some(FUNCTION)).unwrap();
        }
        open.set_signature(Some(signature));
        open
    };
    let loaded = open(signature).load().unwrap();
    assert_eq!(loaded.programs.len(), 2);
    let links = loaded.attach(&Hooks::new().by_section()).unwrap();
    assert_eq!(links.len(), 2);
    let frame = udp("203.0.113.5:1", "192.0.2.2:53", b"query");
    assert_eq!(gateway.run("xdp_gateway", &frame).retval, PASS);

    // Signed for one function, they attach to no other.
    let other = sign_for(&object, &["gateway_policy"]);
    assert_eq!(open(other).load().unwrap_err().errno(), Some(Errno::EKEYREJECTED));
}

/// libxdp attaches a program to another function of another dispatcher as soon as it shares an interface with one more.
#[test]
#[ignore = "needs the patched kernel"]
fn attached_to_another_function() {
    let dispatcher = Object::parse(&compile("dispatcher")).unwrap();
    let btf = Btf::parse(dispatcher.programs()[0].btf.as_deref().unwrap()).unwrap();
    let prog1 = btf.find(kind::FUNC, "prog1").unwrap();
    let load = || open(&dispatcher, Some(sign(&dispatcher))).load().unwrap();
    let (first, second) = (load(), load());
    let target = |dispatcher: &LoadedObject| dispatcher.program("dispatcher").unwrap().as_fd().as_raw_fd();
    let verdict = |dispatcher: &LoadedObject| {
        test_run(dispatcher.program("dispatcher").unwrap().as_fd(), &[0; 64], &[]).unwrap().retval
    };

    let object = Object::parse(&compile("extension")).unwrap();
    let extend = |functions: &[&str]| {
        let mut open = open(&object, Some(sign_for(&object, functions)));
        loaded_object::set_target(&mut open, first.program("dispatcher").unwrap());
        open.load().unwrap()
    };
    let attach = |extension: &LoadedObject| {
        let options = sys::bpf_link_create_opts {
            sz: size_of::<sys::bpf_link_create_opts>() as u64,
            target_btf_id: prog1,
            ..Default::default()
        };
        let program = extension.program("drop").unwrap().as_fd().as_raw_fd();
        // SAFETY: the options are of the size that they say, and the kernel only reads them.
        let link = unsafe { sys::bpf_link_create(program, target(&second), 0, &options) };
        // SAFETY: the kernel has just made it for us.
        if link < 0 { Err(Errno::from_raw(-link)) } else { Ok(unsafe { OwnedFd::from_raw_fd(link) }) }
    };

    assert_eq!(attach(&extend(&["prog0"])).unwrap_err(), Errno::EKEYREJECTED);
    let extension = extend(&["prog0", "prog1"]);
    let link = attach(&extension).unwrap();
    assert_eq!([verdict(&first), verdict(&second)], [PASS, DROP]);
    drop(link);
    assert_eq!(verdict(&second), PASS);
}

/// What a pointer leads to is told by an extension's own BTF, but the target's callers were checked against the target's.
#[test]
#[ignore = "needs the patched kernel"]
fn takes_memory_for_no_more_than_it_is() {
    let target = Object::parse(&compile("memory")).unwrap();
    let target = open(&target, Some(sign(&target))).load().unwrap();
    let extend = |options: &[&str]| {
        let object = Object::parse(&compile_with("memory_extension", options)).unwrap();
        let mut open = open(&object, Some(sign(&object)));
        loaded_object::set_target(&mut open, target.program("target").unwrap());
        open.load().map(drop)
    };
    let refused = |options: &[&str], reason: &str| {
        let Err(Error::Refused(refused)) = extend(options) else { panic!("{options:?}") };
        assert_eq!(refused.errno, Errno::EINVAL);
        assert!(refused.log.contains(reason), "{}", refused.log);
    };
    extend(&["-DWORDS=2"]).unwrap();
    extend(&["-DWORDS=1"]).unwrap();
    refused(&["-DWORDS=3"], "points to 24 bytes while in look() to 16");
    refused(&["-DWORDS=2", "-DTAG=\"arg:nonnull\""], "arg0 in take() has other tags than in look()");
    refused(&["-DWORDS=2", "-DTAG=\"arg:trusted\""], "arg0 in take() has other tags than in look()");
}
