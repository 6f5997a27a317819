//! Certificate requests, as PEM or DER.
#![no_main]

use bpfsig_signing::certificate::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(request) = Request::read(file) {
        let _ = request.subject();
        assert_eq!(Request::read(request.to_pem().as_bytes()).unwrap(), request);
    }
});
