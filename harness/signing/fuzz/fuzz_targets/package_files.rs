//! Packages: what is in the files, in an archive that has the one form that is read.
#![no_main]

use bpfsig_signing::package::SignedPackage;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use tar::{Builder, Header};

/// Stands between two files in the input.
const SEPARATOR: &[u8] = b"\0--8<--\0";

/// What comes before the separator, and what comes after it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        Some(at) => (&bytes[..at], &bytes[at + SEPARATOR.len()..]),
        None => (bytes, &[]),
    }
}

fuzz_target!(|files: &[u8]| {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let mut rest = files;
    for name in ["acl.bpf.o", "manifest.json", "package.p7s", "package.pem", "package.sha256"] {
        let content;
        (content, rest) = split(rest);
        let mut header = Header::new_ustar();
        header.set_path(format!("acl/1.2.0/jammy/{name}")).unwrap();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    let archive = tar.into_inner().and_then(GzEncoder::finish).unwrap();
    if let Ok(package) = SignedPackage::read(&archive) {
        let signer = package.certificates()[0].clone();
        let _ = package.verify(&signer, 0);
        let _ = SignedPackage::read(&archive).unwrap().unverified();
    }
});
