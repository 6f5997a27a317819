//! Archives that any tar has made: what is read has paths that a package can have.
#![no_main]

use bpfsig_signing::package::unpack;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use std::io::Write;

fuzz_target!(|tar: &[u8]| {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(tar).unwrap();
    let Ok((folder, files)) = unpack(&gzip.finish().unwrap()) else { return };
    for path in files.iter().map(|file| &*file.path).chain([&*folder]) {
        assert!(path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')), "{path}");
    }
});
