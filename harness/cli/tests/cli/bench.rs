//! Where `bench` can't measure.

use std::path::Path;

use nix::unistd::geteuid;

use crate::scratch::Scratch;

#[test]
fn a_host_that_can_not_be_measured_is_told_why() {
    let scratch = Scratch::new();
    let reason = match (geteuid().is_root(), Path::new("/proc/sys/kernel/bpf_signature").exists()) {
        (false, _) => "which takes root",
        (true, false) => "the running kernel does not check signatures",
        // It could be.
        (true, true) => return,
    };
    let error = scratch.error("bench --engine host --only straight-2");
    assert!(error.contains(reason), "{error}");
    assert!(!scratch.path("results/bench.json").exists());
}

#[test]
fn a_host_is_no_virtual_machine() {
    let error = Scratch::new().error("vm --engine host -- true");
    assert_eq!(error, "the engine host is not a virtual machine: just run the command");
}
