// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Loads an object, signed if it has a signature and the kernel checks signatures, attaches it to a network device, and
//! lets libbpf-rs watch one of its maps.
//!
//! `cargo run -p bpfsig-loading --example load -- acl.bpf.o eth0 flows`

use std::error::Error;
use std::os::fd::AsFd;
use std::time::Duration;
use std::{env, thread};

use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{Hooks, OpenObject, ProgramInfo, signatures_supported};
use libbpf_rs::{MapCore as _, MapHandle};

fn main() {
    if let Err(error) = run() {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [path, device, map] = &arguments[..] else { return Err("usage: load OBJECT DEVICE MAP".into()) };

    let mut object = OpenObject::open_file(path)?;
    // Where `bpfsig trust add` puts the certificates of signers.
    object.set_keyring(Keyring::BPF);
    if !signatures_supported() {
        object.set_signature(None);
    }
    let object = object.load()?;
    for program in &object.programs {
        let info = ProgramInfo::of(program.as_fd())?;
        println!("{}: id {}, {:?}", program.name, info.id, info.origin);
    }
    let _links = object.attach(&Hooks::new().device(device)?)?;

    let map = object.map(map).ok_or("the object has no such map")?;
    let map = MapHandle::from_map_id(map.id()?)?;
    loop {
        println!("{} entries", map.keys().count());
        thread::sleep(Duration::from_secs(1));
    }
}
