//! X.509 certificates, as PEM or DER.
#![no_main]

use bpfsig_signing::certificate::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(certificate) = Certificate::read(file) {
        let _ = (certificate.subject(), certificate.not_after());
        assert_eq!(Certificate::read(certificate.to_der()).unwrap(), certificate);
    }
});
