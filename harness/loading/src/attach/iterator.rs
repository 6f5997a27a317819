//! Iterators over something that the caller chooses.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use bpfsig_signing::uapi::attach_type;
use libbpf_rs::libbpf_sys as sys;

use crate::error::{Error, Result};
use crate::libbpf::{link_create, link_create_with};
use crate::loaded_object::LoadedObject;
use crate::pin;

/// Attaches an iterator. `parameter` is `map=NAME` (a map of the object, or where one is pinned), `cgroup=PATH`,
/// `pid=NUMBER`, `tid=NUMBER`, or empty for all there is.
///
/// # Errors
/// There is no such thing, or the kernel refuses it.
pub(super) fn attach(program: BorrowedFd<'_>, parameter: &str, object: &LoadedObject) -> Result<OwnedFd> {
    let Some((kind, value)) = parameter.split_once('=') else {
        return link_create(program, 0, attach_type::TRACE_ITER).map_err(Error::system("to all there is"));
    };
    let number = || value.parse().map_err(|_| Error::Invalid(format!("`{value}` is not a number")));
    let mut info = sys::bpf_iter_link_info::default();
    // What must stay open until the link is there.
    let _open: Option<OwnedFd>;
    match kind {
        "map" => {
            let map = map(value, object)?;
            info.map.map_fd = map.as_raw_fd() as u32;
            _open = Some(map);
        }
        "cgroup" => {
            let cgroup = File::open(value).map_err(Error::system(format!("control group {value}")))?;
            info.cgroup.order = sys::BPF_CGROUP_ITER_DESCENDANTS_PRE;
            info.cgroup.cgroup_fd = cgroup.as_raw_fd() as u32;
            _open = Some(cgroup.into());
        }
        "pid" => info.task.pid = number()?,
        "tid" => info.task.tid = number()?,
        _ => return Err(Error::Invalid(format!("an iterator takes no `{kind}`"))),
    }
    let options = sys::bpf_link_create_opts {
        iter_info: &mut info,
        iter_info_len: size_of_val(&info) as u32,
        ..Default::default()
    };
    // SAFETY: the information is there, and of the size that is given.
    unsafe { link_create_with(program, 0, attach_type::TRACE_ITER, options) }
        .map_err(Error::system(format!("to {parameter}")))
}

fn map(name: &str, object: &LoadedObject) -> Result<OwnedFd> {
    let map = match object.map(name) {
        Some(map) => map.as_fd().try_clone_to_owned(),
        None => pin::pinned(Path::new(name)),
    };
    map.map_err(Error::system(format!("map {name}")))
}
