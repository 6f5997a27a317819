//! Making loaders, as `bpftool gen skeleton -L` does it.
//!
//! libbpf 1.7 is older than Linux 7.3. What it adds to a loader that is to be signed (`gen_hash`) is for an older scheme, in
//! which the loader compared the hash of its map, and 7.3 has no such hash. So it is not asked for that. What it makes
//! otherwise is what signing.rst describes, but that whoever runs the loader can change the sizes of maps and what is in
//! them at first: that takes five to fifteen instructions a map, which are skipped here. 7.3's libbpf leaves them out.

use std::cell::RefCell;
use std::ffi::c_char;
use std::slice;

use anyhow::{Error, Result, bail, ensure};
use bpfsig_loading::raw::check;
use bpfsig_signing::program::Program;
use bpfsig_signing::uapi::prog_type;
use libbpf_rs::libbpf_sys::{bpf_object__gen_loader, gen_loader_opts};
use libbpf_rs::{AsRawLibbpf, ErrorKind, MapType, ObjectBuilder, PrintLevel, set_print};

use super::Loader;

/// `BPF_F_SLEEPABLE`: it reads memory of user space, and makes system calls.
const SLEEPABLE: u32 = 1 << 4;

thread_local! {
    static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl Loader {
    /// Has libbpf make a loader for the programs of an object with these names, and all its maps. Nothing is loaded here.
    ///
    /// # Errors
    /// libbpf can't make it; the error is what it has to say. It looks for kernel symbols without a type on this machine.
    pub fn of(object: &[u8], programs: &[&str]) -> Result<Loader> {
        let previous = set_print(Some((PrintLevel::Warn, |_, text| {
            WARNINGS.with_borrow_mut(|warnings| warnings.push(text));
        })));
        let loader = generate(object, programs);
        set_print(previous);
        let warnings = WARNINGS.take();
        // The first message says why; the others are consequences.
        loader.map_err(|error| match warnings.into_iter().next() {
            Some(warning) => error.context(warning.trim().to_owned()),
            None => error,
        })
    }
}

fn generate(object: &[u8], programs: &[&str]) -> Result<Loader> {
    // Without a name, libbpf names maps after the address of the object.
    let mut open = ObjectBuilder::default().name("object")?.open_memory(object)?;
    if open.maps().any(|map| map.map_type() == MapType::StructOps) {
        // libbpf would look it up all the same, and crash, as that of Linux 7.3 does.
        bail!("struct_ops: libbpf needs the kernel's types, which it does not read for a loader");
    }
    let map_count = open.maps().count();
    let mut found = 0;
    for mut program in open.progs_mut() {
        let is_wanted = programs.iter().any(|wanted| program.name() == *wanted);
        program.set_autoload(is_wanted);
        found += usize::from(is_wanted);
    }
    ensure!(found == programs.len(), "the object does not have all of the programs {}", programs.join(", "));

    let mut made = gen_loader_opts { sz: size_of::<gen_loader_opts>() as _, ..Default::default() };
    // SAFETY: the object is open; `made` is there until the object, which writes to it, has been made a loader of.
    check(unsafe { bpf_object__gen_loader(open.as_libbpf_object().as_ptr(), &mut made) })?;
    // Nothing is loaded: this makes the loader.
    let _owner = open.load().map_err(|error| match error.kind() {
        // The only thing that libbpf refuses here without a message.
        ErrorKind::Unsupported => Error::from(error).context("a loader can't fill program arrays"),
        _ => error.into(),
    })?;
    // SAFETY: both belong to the object, and come with their sizes.
    let copy = |start: *const c_char, size: u32| unsafe {
        slice::from_raw_parts::<u8>(start.cast(), size as usize).to_vec()
    };
    Ok(Loader {
        program: Program {
            name: "__loader.prog".to_owned(),
            prog_type: prog_type::SYSCALL,
            flags: SLEEPABLE,
            license: "Dual BSD/GPL".to_owned(),
            insns: copy(made.insns, made.insns_sz),
            ..Program::default()
        },
        metadata: copy(made.data, made.data_sz),
        maps: map_count,
        programs: found,
    })
}
