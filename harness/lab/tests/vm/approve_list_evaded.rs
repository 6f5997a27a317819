//! What an approve-list does not stop, and what happens to the same attempts where signatures are required.

use std::fs;

use libc::EKEYREJECTED;
use nix::errno::Errno;

use crate::approve_list_machine::{LOADED, ListedMachine, REFUSED, by_loader, by_ptrace, by_script};
use crate::machine::Mount;
use crate::sandbox::network;

#[test]
#[ignore = "needs the patched kernel"]
fn a_listed_loader_loads_any_object() {
    let machine = ListedMachine::new();
    network(&[]);
    let _list = machine.enforce();
    assert_eq!(machine.by_object(&machine.on_disk("ip")), LOADED);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_listed_interpreter_runs_any_script() {
    let machine = ListedMachine::new();
    let _list = machine.enforce();
    assert_eq!(by_script(&machine.on_disk("perl")), LOADED);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_library_acts_for_a_listed_loader() {
    let machine = ListedMachine::new();
    let _list = machine.enforce();
    assert_eq!(machine.by_library(&machine.on_disk("ip")), LOADED);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_debugger_acts_for_a_listed_loader() {
    let machine = ListedMachine::new();
    let _list = machine.enforce();
    assert_eq!(by_ptrace(&machine.on_disk("ip")), LOADED);
}

/// With `CAP_SYS_RESOURCE`, any process can have the file of a listed loader for its executable.
#[test]
#[ignore = "needs the patched kernel"]
fn anybody_pretends_to_be_a_listed_loader() {
    let machine = ListedMachine::new();
    let _list = machine.enforce();
    assert_eq!(machine.by_impersonation_of(&machine.on_disk("ip")), LOADED);
}

/// The list is enforced for as long as something refers to the link: here, a file that root can remove.
#[test]
#[ignore = "needs the patched kernel"]
fn root_takes_the_list_away() {
    let machine = ListedMachine::new();
    let unlisted = machine.elsewhere("loader");
    let bpf = Mount::new(c"bpf");
    let pin = bpf.path().join("approve_list");
    let mut list = machine.enforce();
    list.link.pin(&pin).unwrap();
    drop(list);
    assert_eq!(by_loader(&unlisted), REFUSED);
    fs::remove_file(&pin).unwrap();
    assert_eq!(by_loader(&unlisted), LOADED);
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn policy_required_stops_all_of_it() {
    let machine = ListedMachine::new();
    network(&[]);
    let ip = machine.on_disk("ip");
    let attempts = [
        by_loader(&machine.on_disk("loader")),
        by_script(&machine.on_disk("perl")),
        machine.by_library(&ip),
        by_ptrace(&ip),
        machine.by_impersonation_of(&ip),
    ];
    let refused = Errno::from_raw(EKEYREJECTED).desc();
    assert_eq!(attempts, [refused; 5]);
    let said = machine.by_object(&ip);
    assert!(said.contains(refused), "{said}");
}
