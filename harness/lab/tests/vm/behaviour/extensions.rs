//! A program that takes the place of another's function.

use bpfsig_loading::{Hooks, OpenObject};
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use nix::errno::Errno;

use crate::keys::signer;
use crate::loaded::{Hook, Loaded, Way};
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
    assert_eq!(xlated::same(name, loaded_object::bytes(name), Some(gateway.program("xdp_gateway"))), 1);
}

/// A signature of programs that are to attach to a function of another program.
fn sign_for(object: &Object, function: &str) -> Vec<u8> {
    let entry = |program: &Program| {
        let mut program = program.clone();
        program.attach_to_program(Some(function)).unwrap();
        Entry { kind: Kind::PROGRAM, digest: Manifest::of(&program).unwrap().digest() }
    };
    let statement = Statement { expiry: 0, entries: object.programs().iter().map(entry).collect() };
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
    let signature = sign_for(&object, FUNCTION);
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
    let other = sign_for(&object, "gateway_policy");
    assert_eq!(open(other).load().unwrap_err().errno(), Some(Errno::EKEYREJECTED));
}
