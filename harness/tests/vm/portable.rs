//! One signature for kernels that lay out their structures differently.
//!
//! `scripts/vmtest.sh` runs this on two kernels with the same signer and compares what it prints: the signatures have to
//! be the same, the offsets that CO-RE has found may not.

use bpfsig::corpus;
use bpfsig_signing::Digest;

use crate::keys;
use crate::load::{load_with, sign};

/// Room for what the verifier says about an accepted program.
const LOG_SIZE: usize = 16 << 20;
/// `BPF_LOG_LEVEL1`.
const LOG_TRACE: u32 = 1;

/// Prints a line for each program with CO-RE records: `portable NAME SIGNATURE OFFSET,…`.
#[test]
#[ignore = "needs the patched kernel"]
fn one_signature_for_all_layouts() {
    let signer = keys::portable();
    let keyring = keys::keyring(c"portable");
    keys::add(&signer, keyring);
    let mut log = vec![0u8; LOG_SIZE];
    let mut count = 0;
    for entry in corpus::programs().unwrap() {
        if entry.program.core_relos.count() == 0 {
            continue;
        }
        let signature = sign(&entry.program, &signer);
        log[0] = 0;
        let outcome = load_with(&entry.program, Some(&signature), |attr| {
            attr.keyring_id = keyring;
            attr.log_level = LOG_TRACE;
            attr.log_buf = log.as_mut_ptr() as u64;
            attr.log_size = LOG_SIZE as u32;
        });
        let end = log.iter().position(|byte| *byte == 0).unwrap();
        let log = String::from_utf8_lossy(&log[..end]);
        assert!(outcome.result.is_ok(), "{}: {log}", entry.name);
        // Such as `prog '': relo #3: patched insn #21 (ALU/ALU64) imm 1456 -> 2480`.
        let offsets: Vec<_> = log
            .lines()
            .filter(|line| line.contains("patched insn #"))
            .filter_map(|line| line.rsplit(' ').next())
            .collect();
        println!("portable {} {} {}", entry.name, Digest::of(&signature), offsets.join(","));
        count += usize::from(!offsets.is_empty());
    }
    assert!(count > 0, "no program has been relocated");
}
