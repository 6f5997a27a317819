//! Private and public keys, as PEM or DER. Encrypted ones are not opened: making a key of a passphrase is slow on purpose.
#![no_main]

use bpfsig_signing::key::{PrivateKey, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(key) = PrivateKey::read(file, None) {
        let _ = key.public_key().to_string();
    }
    let _ = PublicKey::read(file);
});
