//! Facts: those that can be read are written the same, and can be shown.
#![no_main]

use bpfsig_signing::facts::Facts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(facts) = Facts::decode(bytes) {
        assert_eq!(facts.encode(), bytes);
        assert!(!facts.to_string().is_empty());
    }
});
