//! Descriptions of programs, as JSON.
#![no_main]

use bpfsig_signing::description::{from_json, to_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    if let Ok(read) = from_json(json) {
        assert_eq!(from_json(to_json(&read.programs, &read.choices).as_bytes()).unwrap(), read);
        for program in &read.programs {
            let _ = (program.digest(), program.counterpart(&read.programs));
        }
    }
});
