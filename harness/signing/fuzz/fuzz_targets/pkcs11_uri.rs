//! `pkcs11:` URIs.
#![no_main]

use bpfsig_signing::key::Pkcs11Uri;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = text.parse::<Pkcs11Uri>();
});
