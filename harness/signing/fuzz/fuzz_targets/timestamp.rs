//! Answers of timestamp authorities, and the timestamps in them.
#![no_main]

use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::timestamp::Timestamp;
use libfuzzer_sys::fuzz_target;

const CA: &[u8] = include_bytes!("../seeds/certificate/p-256.der");

fuzz_target!(|der: &[u8]| {
    for timestamp in [Timestamp::from_answer(der), Timestamp::parse(der)].into_iter().flatten() {
        let _ = timestamp.latest_time();
        let _ = timestamp.verify(b"signature");
        let _ = timestamp.check_authority(&[Certificate::read(CA).unwrap()]);
        assert_eq!(Timestamp::parse(timestamp.to_der()).unwrap().to_der(), timestamp.to_der());
    }
});
