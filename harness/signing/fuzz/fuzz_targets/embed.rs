//! Signatures inside of objects: what `strip` accounts for, `write` writes.
#![no_main]

use bpfsig_signing::embed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(original) = embed::strip(file) else { return };
    if let Some(signature) = embed::signature(file) {
        let descriptions = embed::descriptions(file).unwrap_or_default();
        assert_eq!(embed::write(&original, signature, descriptions).unwrap(), file);
    } else if let Ok(signed) = embed::write(file, b"signature", b"{}") {
        assert_eq!(embed::strip(&signed).unwrap(), file);
        assert_eq!(embed::signature(&signed), Some(&b"signature"[..]));
    }
});
