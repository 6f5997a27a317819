//! What iterators may access of a map, also those that take another's place (series 1-fixes).

use std::os::fd::AsFd;

use libbpf_rs::{ErrorKind, Link, MapCore as _, MapHandle, Object, ObjectBuilder};

use crate::loaded_object::compile;

fn attach(object: &mut Object, name: &str, map: &MapHandle) -> libbpf_rs::Result<Link> {
    object.progs_mut().find(|program| program.name() == name).unwrap().attach_iter(map.as_fd())
}

#[test]
#[ignore = "needs the patched kernel"]
fn access_what_the_map_allows() {
    let bytes = compile("iterators");
    let mut object = ObjectBuilder::default().open_memory(&bytes).unwrap().load().unwrap();
    let map = object.maps().find(|map| map.name() == "constants").unwrap();
    let map = MapHandle::try_from(&map).unwrap();
    let mut link = attach(&mut object, "reader", &map).unwrap();
    for other in ["writer", "reader_beyond"] {
        let refused = attach(&mut object, other, &map).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{other}");
        let program = object.progs().find(|program| program.name() == other).unwrap();
        assert_eq!(link.update_prog(&program).unwrap_err().kind(), ErrorKind::PermissionDenied, "{other}");
    }
    let program = object.progs().find(|program| program.name() == "reader").unwrap();
    link.update_prog(&program).unwrap();
}
