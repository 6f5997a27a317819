//! Packages: the archive, packed as it is, and packed by us so that what is inside of the compression is reached.
#![no_main]

use std::io::Write;

use bpfsig_signing::package::SignedPackage;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = SignedPackage::read(bytes);

    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(bytes).unwrap();
    let _ = SignedPackage::read(&gzip.finish().unwrap());
});
