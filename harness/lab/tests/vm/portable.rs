//! One signature for kernels that lay out their structures differently.
//!
//! `scripts/vmtest.sh` runs this on two kernels with the same signer and compares what it prints: the signatures have to
//! be the same, the offsets that CO-RE has found may not.

use std::os::fd::AsFd;

use bpfsig_lab::corpus;
use bpfsig_loading as bpf;
use bpfsig_signing::{Digest, insn};

use crate::keys;
use crate::load::{load_with, sign};

/// The class of an instruction, and that of loads from memory.
const CLASS: u8 = 0x07;
const LDX: u8 = 0x01;

/// Prints a line for each program with CO-RE records: `portable NAME SIGNATURE OFFSET,…`, where it reads from memory.
#[test]
#[ignore = "needs the patched kernel"]
fn one_signature_for_all_layouts() {
    let signer = keys::portable();
    let keyring = keys::keyring(c"portable");
    keys::add(&signer, keyring);
    let programs = corpus::programs().unwrap();
    let relocated =
        programs.iter().filter(|entry| entry.program.core_relos.count() > 0 && entry.needs().is_none());
    let mut count = 0;
    for entry in relocated {
        let signature = sign(&entry.program, &signer);
        let outcome = load_with(&entry.program, Some(&signature), |attr| attr.keyring_id = keyring);
        let loaded =
            outcome.result.unwrap_or_else(|errno| panic!("{}: {errno}: {}", entry.name, outcome.log));
        let xlated = bpf::raw::xlated(loaded.as_fd()).unwrap();
        let loads = insn::decode(&xlated).filter(|insn| insn.code & CLASS == LDX);
        let offsets: Vec<_> = loads.map(|insn| insn.off.to_string()).collect();
        println!("portable {} {} {}", entry.name, Digest::of(&signature), offsets.join(","));
        count += 1;
    }
    assert!(count > 0);
}
