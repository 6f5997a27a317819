//! Signature files: several CMS messages, one after the other.
#![no_main]

use bpfsig_signing::signature;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    assert_eq!(signature::split(file).concat(), file);
    if let Ok(messages) = signature::read(file) {
        assert!(!messages.is_empty());
        let _ = signature::content(&messages);
    }
});
