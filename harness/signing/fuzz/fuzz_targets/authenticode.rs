//! PE images and their signatures.
#![no_main]

use bpfsig_signing::authenticode::Signature;
use bpfsig_signing::pe::Image;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(image) = Image::parse(file) else { return };
    if let Ok(signature) = Signature::read(&image) {
        let _ = signature.verify(&image);
    }
    let signed = image.with_signature(b"signature").unwrap();
    let again = Image::parse(&signed).unwrap();
    assert_eq!(again.digest(), image.digest());
    assert!(again.signature().unwrap().unwrap().starts_with(b"signature"));
});
