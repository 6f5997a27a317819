//! The approve-list that was proposed instead of signatures (`progs/lsm_approve_list.bpf.c`): what it stops.
//! `approve_list_evaded` shows what it doesn't.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use bpfsig_lab::approve_list::seal;
use libbpf_rs::query::MapInfoIter;
use libbpf_rs::{MapCore, MapFlags, MapHandle};
use libc::{EOPNOTSUPP, EPERM};

use crate::approve_list_machine::{LOADED, ListedMachine, REFUSED, by_loader, by_script};
use crate::loaded::{Hook, each_way};

/// As a signed program and as an unsigned one.
#[test]
#[ignore = "needs the patched kernel"]
fn only_listed_loaders_load() {
    let machine = ListedMachine::new();
    let listed = machine.on_disk("loader");
    let unsealed = machine.on_disk("unsealed");
    fs::copy(&listed, &unsealed).unwrap();
    let unlisted = machine.on_disk("unlisted");
    fs::copy(&listed, &unlisted).unwrap();
    OpenOptions::new().append(true).open(&unlisted).unwrap().write_all(b"x").unwrap();
    seal(&unlisted).unwrap();
    let on_tmpfs = machine.elsewhere("loader");
    let on_9p = Path::new("/usr/bin/perl");

    let others = || [by_loader(&unsealed), by_loader(&unlisted), by_loader(&on_tmpfs), by_script(on_9p)];
    assert_eq!(others(), [LOADED; 4]);
    each_way("lsm_approve_list", |loaded| {
        for digest in machine.approved() {
            loaded.set("approved_loader", &digest.to_bytes(), &[1]);
        }
        let link = loaded.attach(Hook::Section);
        assert_eq!(by_loader(&listed), LOADED);
        assert_eq!(others(), [REFUSED; 4]);
        drop(link);
        assert_eq!(others(), [LOADED; 4]);
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_listed_loader_can_not_be_changed() {
    let machine = ListedMachine::new();
    let _list = machine.enforce();
    let listed = machine.on_disk("loader");
    let error = OpenOptions::new().append(true).open(&listed).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EPERM));
    let error = File::options().write(true).truncate(true).open(&listed).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EPERM));

    // Something else can take its place, but not its digest.
    fs::copy(machine.elsewhere("loader"), machine.on_disk("new")).unwrap();
    assert_eq!(by_loader(&listed), LOADED);
    fs::rename(machine.on_disk("new"), &listed).unwrap();
    assert_eq!(by_loader(&listed), REFUSED);
}

/// Not by root, and not by way of the kernel's list of maps either.
#[test]
#[ignore = "needs the patched kernel"]
fn a_list_can_not_be_changed() {
    let machine = ListedMachine::new();
    let list = machine.enforce();
    let info = MapInfoIter::default().find(|map| map.name == "approved_loader").unwrap();
    let map = MapHandle::from_map_id(info.id).unwrap();
    let listed = machine.approved()[0].to_bytes();
    assert_eq!(map.lookup(&listed, MapFlags::ANY).unwrap(), Some(vec![1]));
    let refused = [map.update(&[0; 36], &[1], MapFlags::ANY), map.update(&listed, &[0], MapFlags::ANY)];
    for error in refused.into_iter().chain([map.delete(&listed)]).map(Result::unwrap_err) {
        assert_eq!(error.kind(), libbpf_rs::ErrorKind::PermissionDenied);
    }
    let error = list.link.detach().unwrap_err();
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(EOPNOTSUPP), "{error}");
    assert_eq!(by_loader(&machine.elsewhere("loader")), REFUSED);
}
