//! CMS messages.
#![no_main]

use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::Message;
use libfuzzer_sys::fuzz_target;

const CERTIFICATE: &[u8] = include_bytes!("../seeds/certificate/p-256.der");

fuzz_target!(|der: &[u8]| {
    if let Ok(message) = Message::parse(der) {
        let certificate = Certificate::read(CERTIFICATE).unwrap();
        let _ = (message.algorithm(), message.verify(&certificate));
    }
});
