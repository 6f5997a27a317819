//! What an approve-list does not stop, and what becomes of the same where signatures are required.

use std::fs;

use libc::EKEYREJECTED;
use nix::errno::Errno;

use crate::approve_list_site::{LOADED, REFUSED, Site, by_loader, by_ptrace, by_script};
use crate::machine::Mount;
use crate::sandbox::network;

#[test]
#[ignore = "needs the patched kernel"]
fn a_listed_loader_loads_any_object() {
    let site = Site::new();
    network(&[]);
    let _list = site.enforce();
    assert_eq!(site.by_object(&site.on_disk("ip")), LOADED);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_listed_interpreter_runs_any_script() {
    let site = Site::new();
    let _list = site.enforce();
    assert_eq!(by_script(&site.on_disk("perl")), LOADED);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_library_acts_for_a_listed_loader() {
    let site = Site::new();
    let _list = site.enforce();
    assert_eq!(site.by_library(&site.on_disk("ip")), LOADED);
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_debugger_acts_for_a_listed_loader() {
    let site = Site::new();
    let _list = site.enforce();
    assert_eq!(by_ptrace(&site.on_disk("ip")), LOADED);
}

/// With `CAP_SYS_RESOURCE`, any process can have the file of a listed loader for its executable.
#[test]
#[ignore = "needs the patched kernel"]
fn anybody_pretends_to_be_a_listed_loader() {
    let site = Site::new();
    let _list = site.enforce();
    assert_eq!(site.by_impersonation_of(&site.on_disk("ip")), LOADED);
}

/// The list is enforced for as long as something refers to the link: here, a file that root can remove.
#[test]
#[ignore = "needs the patched kernel"]
fn root_takes_the_list_away() {
    let site = Site::new();
    let unlisted = site.elsewhere("loader");
    let bpf = Mount::new(c"bpf");
    let pin = bpf.path().join("approve_list");
    let mut list = site.enforce();
    list.link.pin(&pin).unwrap();
    drop(list);
    assert_eq!(by_loader(&unlisted), REFUSED);
    fs::remove_file(&pin).unwrap();
    assert_eq!(by_loader(&unlisted), LOADED);
}

#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn policy_required_stops_all_of_it() {
    let site = Site::new();
    network(&[]);
    let ip = site.on_disk("ip");
    let attempts = [
        by_loader(&site.on_disk("loader")),
        by_script(&site.on_disk("perl")),
        site.by_library(&ip),
        by_ptrace(&ip),
        site.by_impersonation_of(&ip),
    ];
    let refused = Errno::from_raw(EKEYREJECTED).desc();
    assert_eq!(attempts, [refused; 5]);
    let said = site.by_object(&ip);
    assert!(said.contains(refused), "{said}");
}
