//! PE images and their signatures, judged by `osslsigncode`.

use bpfsig_signing::authenticode::{self, AuthenticodeError, Signature};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::pe::{Image, PeError};

use crate::compilers::{self, windows_driver, windows_program};
use crate::openssl::{Dir, chain, is_ml_dsa};

fn verify(image: &[u8]) -> Result<Signature, AuthenticodeError> {
    let image = Image::parse(image)?;
    let signature = Signature::read(&image)?;
    signature.verify(&image)?;
    Ok(signature)
}

/// The text after `label: ` in what `osslsigncode` prints.
fn field<'t>(text: &'t str, label: &str) -> &'t str {
    let line = text.lines().find(|line| line.trim_start().starts_with(label));
    line.unwrap_or_else(|| panic!("no {label}: {text}")).split_once(": ").unwrap().1.trim()
}

#[test]
fn osslsigncode_accepts_our_signatures() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !is_ml_dsa(algorithm)) {
        let chain = chain(algorithm);
        for image in [windows_program(), windows_driver()] {
            let dir = Dir::new();
            dir.write("ca.pem", chain.ca.certificate().to_pem());
            let signed = authenticode::sign(&image, &chain.signer).unwrap();
            dir.write("signed", &signed);
            let text = compilers::run(&dir, "osslsigncode", "verify -CAfile ca.pem -in signed");
            let digest = Image::parse(&image).unwrap().digest().to_string();
            assert_eq!(field(&text, "Calculated message digest").to_lowercase(), digest);
            assert!(!text.contains("invalid PE checksum"), "{text}");
            assert_eq!(field(&text, "Number of verified signatures"), "1");

            assert_eq!(Image::parse(&signed).unwrap().digest().to_string(), digest);
            assert_eq!(verify(&signed).unwrap().signer(), chain.signer.certificate());
            // Signing is deterministic and replaces what was there.
            assert_eq!(authenticode::sign(&signed, &chain.signer).unwrap(), signed);
        }
    }
}

#[test]
fn images_are_not_signed_with_ml_dsa() {
    for algorithm in Algorithm::ALL.into_iter().filter(is_ml_dsa) {
        let error = authenticode::sign(&windows_driver(), &chain(algorithm).signer).unwrap_err();
        assert!(matches!(error, AuthenticodeError::MlDsa), "{error}");
    }
}

#[test]
fn we_accept_signatures_of_osslsigncode() {
    let chain = chain(Algorithm::Rsa2048);
    let dir = Dir::new();
    dir.write("image", windows_program());
    dir.write("key.pem", chain.signer_key.to_pem().unwrap());
    dir.write("cert.pem", chain.signer.certificate().to_pem());
    dir.write("chain.pem", chain.signer.certificate().to_pem() + &chain.ca.certificate().to_pem());
    compilers::run(
        &dir,
        "osslsigncode",
        "sign -h sha256 -certs chain.pem -key key.pem -in image -out signed",
    );
    let signature = verify(&dir.read("signed")).unwrap();
    assert_eq!(signature.signer(), chain.signer.certificate());
    assert_eq!(signature.other_certificates(), [chain.ca.certificate().to_der()]);

    compilers::run(&dir, "osslsigncode", "sign -h sha1 -certs cert.pem -key key.pem -in image -out weak");
    assert!(matches!(verify(&dir.read("weak")), Err(AuthenticodeError::Profile(_))));
}

/// No byte of the image escapes, wherever it is: only the checksum is not signed. (The table holds certificates too,
/// which are checked when the signer is.)
#[test]
fn every_byte_is_signed() {
    let image = windows_driver();
    let signed = authenticode::sign(&image, &chain(Algorithm::P256).signer).unwrap();
    let start = u32::from_le_bytes(signed[0x3c..0x40].try_into().unwrap()) as usize;
    let checksum = start + 24 + 64..start + 24 + 68;
    for index in 0..image.len() {
        let mut changed = signed.clone();
        changed[index] ^= 1;
        assert_eq!(verify(&changed).is_ok(), checksum.contains(&index), "byte {index:#x}");
    }
    for size in 0..signed.len() {
        assert!(verify(&signed[..size]).is_err(), "{size} bytes");
    }
    assert!(matches!(verify(&image), Err(AuthenticodeError::Unsigned)));
    assert!(verify(&[&*signed, &[0; 8]].concat()).is_err());
}

#[test]
fn hostile_headers_are_refused() {
    let image = windows_driver();
    let start = u32::from_le_bytes(image[0x3c..0x40].try_into().unwrap()) as usize;
    let with = |offset: usize, value: u32| {
        let mut image = image.clone();
        image[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        image
    };
    let error = |image: &[u8]| Image::parse(image).err().expect("the image must be refused");
    let (security, sections) = (start + 24 + 112 + 4 * 8, start + 24 + 240);

    assert!(matches!(error(b""), PeError::NotPe));
    assert!(matches!(error(b"MZ"), PeError::NotPe));
    for offset in [0xffff_ffff, 0x7fff_ffff, image.len() as u32 - 2, 0] {
        assert!(matches!(error(&with(0x3c, offset)), PeError::NotPe), "e_lfanew {offset:#x}");
    }
    // Number of data directories, size of the optional header, of all headers, of a section, its place.
    assert!(matches!(error(&with(start + 24 + 108, 4)), PeError::NoDirectory));
    assert!(matches!(error(&with(start + 24 + 108, u32::MAX)), PeError::Damaged(_)));
    assert!(matches!(error(&with(start + 20, 0xffff_ffff)), PeError::Damaged(_)));
    assert!(matches!(error(&with(start + 24 + 60, 0xffff_ffff)), PeError::CutOff { .. }));
    assert!(matches!(error(&with(sections + 16, 0xffff_ffff)), PeError::CutOff { .. }));
    assert!(matches!(error(&with(sections + 20, 0xffff_ffff)), PeError::CutOff { .. }));
    // The place of the certificate table.
    for offset in [1, 8, 0xffff_fff8, image.len() as u32 + 8] {
        assert!(matches!(error(&with(security, offset)), PeError::TableRange), "{offset:#x}");
    }

    // A certificate table that has the sections in it.
    let signed = authenticode::sign(&image, &chain(Algorithm::P256).signer).unwrap();
    let table = u32::from_le_bytes(signed[security..security + 4].try_into().unwrap()) as usize;
    let mut overlapping = signed.clone();
    overlapping[security..security + 4].copy_from_slice(&1024_u32.to_le_bytes());
    overlapping[security + 4..security + 8].copy_from_slice(&(signed.len() as u32 - 1024).to_le_bytes());
    assert!(matches!(error(&overlapping), PeError::CutOff { .. }));

    // What is in the table.
    for (offset, value) in [(table, u32::MAX), (table, 7), (table + 4, 0x0001_0200), (table + 8, 0)] {
        let mut changed = signed.clone();
        changed[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        let error = verify(&changed).expect_err("the signature must be refused");
        assert!(
            matches!(error, AuthenticodeError::Pe(PeError::Table(_)) | AuthenticodeError::Encoding(_)),
            "{error}"
        );
    }
}
