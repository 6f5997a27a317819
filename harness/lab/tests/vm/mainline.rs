//! Mainline's way to sign, on a kernel without the patches and with them: our loads are compared with it, so it has to
//! be the real thing, and to stay unchanged.

use std::fs;
use std::os::fd::AsFd;

use bpfsig_lab::jobs::message;
use bpfsig_lab::loader::Loader;
use bpfsig_loading as bpf;
use bpfsig_loading::raw::{LoadContext, Log, PreparedLoad};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::object::Object;
use libc::{EACCES, EBADMSG, EINVAL, EKEYREJECTED, ENOKEY};
use tempfile::TempDir;

use crate::keys::{signer, signer_of, stranger};
use crate::load::{Outcome, load, load_with, program, small};
use crate::loaded::{Loaded, Way};
use crate::loaded_object::{self, bytes};
use crate::packet::{arp, ping, syn, udp};
use crate::policy_commands::complains;

fn loader_of(program: &str) -> Loader {
    Loader::of(bytes(program), &[program]).unwrap()
}

fn sign(loader: &Loader, signer: &Signer) -> Vec<u8> {
    cms::sign_detached(&loader.signed_bytes(), signer).unwrap()
}

/// Loads a loader, with a map that is made for `owner`.
fn load_loader(loader: &Loader, owner: &Loader, signature: Option<&[u8]>) -> Outcome {
    let map = owner.create_map().unwrap();
    let context = LoadContext { maps: vec![map.as_fd()], signature, ..LoadContext::default() };
    let mut load = PreparedLoad::new(&loader.program, context).unwrap();
    let result = load.load().0;
    Outcome { result: result.map_err(|error| error.raw_os_error().unwrap()), log: load.log() }
}

#[test]
#[ignore = "needs the kernel variant `baseline` or `patched`"]
fn programs_do_what_they_do_unsigned() {
    let frames = [
        arp(),
        ping(b"payload"),
        syn("198.18.0.1:5000", "192.168.10.7:443"),
        syn("192.0.2.1:5000", "192.168.10.7:22"),
        udp("198.18.0.1:5000", "192.168.12.1:1900", b"M-SEARCH"),
    ];
    let mut verdicts = Vec::new();
    for name in ["xdp_acl", "xdp_icmp_echo", "xdp_tcp_mss", "xdp_lb"] {
        let loader = loader_of(name);
        let program = load_loader(&loader, &loader, Some(&sign(&loader, signer()))).accepted();
        let installed = loader.run(program.as_fd(), &mut Log::default()).unwrap();
        let [ours] = &installed.programs[..] else { panic!("{installed:?}") };
        let theirs = Loaded::new(name, Way::Unsigned);
        for frame in &frames {
            let run = bpf::raw::test_run(ours.as_fd(), frame, &[]).unwrap();
            let expected = theirs.run(name, frame);
            assert_eq!((run.retval, &run.data), (expected.retval, &expected.data), "{name}");
            verdicts.push(run.retval);
        }
    }
    verdicts.sort();
    verdicts.dedup();
    assert!(verdicts.len() > 2, "{verdicts:?}");
}

#[test]
#[ignore = "needs the kernel variant `baseline` or `patched`"]
fn signatures_of_all_algorithms_and_none() {
    let loader = loader_of("xdp_acl");
    for algorithm in Algorithm::ALL {
        load_loader(&loader, &loader, Some(&sign(&loader, &signer_of(algorithm)))).accepted();
    }
    // Nothing is demanded.
    load_loader(&loader, &loader, None).accepted();
    load(&small(), None).accepted();
}

#[test]
#[ignore = "needs the kernel variant `baseline` or `patched`"]
fn wrong_signatures() {
    let loader = loader_of("xdp_acl");
    let signature = sign(&loader, signer());
    let forged = message::forged(signature.clone()).unwrap();
    load_loader(&loader, &loader, Some(&forged)).refused(EKEYREJECTED, "signature verification failed");
    load_loader(&loader, &loader, Some(&signature[1..])).refused(EBADMSG, "signature verification failed");
    load_loader(&loader, &loader, Some(&sign(&loader, &stranger())))
        .refused(ENOKEY, "signature verification failed");

    let mut other_metadata = loader.clone();
    *other_metadata.metadata.last_mut().unwrap() ^= 1;
    load_loader(&loader, &other_metadata, Some(&signature))
        .refused(EKEYREJECTED, "signature verification failed");

    let mut other_loader = loader.clone();
    // How much of its stack it clears first.
    other_loader.program.insns[8 * 3 + 4] ^= 1;
    load_loader(&other_loader, &other_loader, Some(&signature))
        .refused(EKEYREJECTED, "signature verification failed");
    load_loader(&other_loader, &loader, Some(&signature))
        .refused(EACCES, "program's hash doesn't match map's excl_prog_hash");
}

#[test]
#[ignore = "needs the kernel variant `baseline` or `patched`"]
fn detached_signatures() {
    let detached =
        |program: &bpfsig_signing::program::Program| cms::sign_detached(&program.insns, signer()).unwrap();
    load(&small(), Some(&detached(&small()))).accepted();
    let mut changed = small();
    changed.insns[4] ^= 1;
    load(&changed, Some(&detached(&small()))).refused(EKEYREJECTED, "signature verification failed");

    // A map is shared, or not among those that are signed.
    let with_maps = program("xdp_lb");
    load(&with_maps, Some(&detached(&with_maps))).refused(EINVAL, "must be an array");
    load_with(&with_maps, Some(&detached(&with_maps)), |attr| attr.fd_array_cnt = 0)
        .refused(EACCES, "signed program must bind maps via a continuous fd_array");
}

#[test]
#[ignore = "needs the kernel variant `baseline`"]
fn load_is_not_for_this_kernel() {
    let directory = TempDir::new().unwrap();
    let object = directory.path().join("object.o");
    fs::write(&object, bytes("xdp_acl")).unwrap();
    let signature = loaded_object::sign(&Object::parse(bytes("xdp_acl")).unwrap());
    fs::write(directory.path().join("object.o.p7s"), signature).unwrap();
    let error = complains(&["load", object.to_str().unwrap()]);
    assert!(error.contains("the running kernel does not check signatures"), "{error}");
}
