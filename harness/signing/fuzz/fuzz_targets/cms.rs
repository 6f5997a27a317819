//! CMS messages.
#![no_main]

use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::Message;
use libfuzzer_sys::fuzz_target;

const CERTIFICATES: [&[u8]; 2] = [
    include_bytes!("../seeds/certificate/p-256.der"),
    include_bytes!("../seeds/certificate/ml-dsa-44.der"),
];

fuzz_target!(|der: &[u8]| {
    if let Ok(message) = Message::parse(der) {
        let _ = message.algorithm();
        for certificate in CERTIFICATES {
            let _ = message.verify(&Certificate::read(certificate).unwrap());
        }
    }
});
