//! Attestations, as JSON.
#![no_main]

use bpfsig_signing::attestation::Attestations;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    if let Ok(attestations) = Attestations::from_json(json) {
        assert_eq!(Attestations::from_json(attestations.to_json().as_bytes()).unwrap(), attestations);
    }
});
