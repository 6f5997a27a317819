//! Statements: one that can be read is written the same.
#![no_main]

use bpfsig_signing::statement::Statement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::decode(bytes) {
        assert_eq!(statement.encode().unwrap(), bytes);
    }
});
