//! Finds a block in a PEM file.

use crate::{Error, Result};

/// What a file may hold that is read here, as messages call it.
pub(crate) const CERTIFICATE: &str = "a certificate";
pub(crate) const PRIVATE_KEY: &str = "a private key";
pub(crate) const PUBLIC_KEY: &str = "a public key";
pub(crate) const REQUEST: &str = "a certificate request";

/// The labels of PEM blocks, or what they end with, and what is in them.
const LABELS: [(&str, &str); 6] = [
    ("CERTIFICATE REQUEST", REQUEST),
    ("CERTIFICATE", CERTIFICATE),
    ("PRIVATE KEY", PRIVATE_KEY),
    ("PUBLIC KEY", PUBLIC_KEY),
    ("CMS", "a signature"),
    ("PKCS7", "a signature"),
];

/// The first block with what is needed; none if the file may have it in DER.
///
/// # Errors
///
/// [`Error::Holds`] if the file is empty, or is PEM and holds something else.
pub(crate) fn needed<'a>(file: &'a [u8], needed: &'static str) -> Result<Option<&'a str>> {
    let holding = |what: &str| {
        let mut labels = LABELS.iter().filter(|(_, content)| *content == what);
        labels.find_map(|(label, _)| block(file, label))
    };
    let found = LABELS.iter().map(|(_, content)| *content).find(|content| holding(content).is_some());
    match (holding(needed), found) {
        (Some(block), _) => Ok(Some(block)),
        (None, Some(found)) => Err(Error::Holds { found, needed }),
        (None, None) if file.is_empty() => Err(Error::Holds { found: "nothing", needed }),
        (None, None) => Ok(None),
    }
}

/// The first block whose label ends in `label`, from its `BEGIN` line through its `END` line.
///
/// Files may hold more than one block, and text around them: the kernel's `signing_key.pem` has the key and the
/// certificate, `openssl ecparam -genkey` writes the parameters before the key, `openssl x509 -text` a dump.
pub(crate) fn block<'a>(file: &'a [u8], label: &str) -> Option<&'a str> {
    const BEGIN: &str = "-----BEGIN ";

    let mut text = std::str::from_utf8(file).ok()?;
    loop {
        text = &text[text.find(BEGIN)?..];
        let (found, _) = text[BEGIN.len()..].split_once("-----")?;
        let end = format!("-----END {found}-----");
        let length = text.find(&end)? + end.len();
        if found.ends_with(label) {
            return Some(&text[..length]);
        }
        text = &text[length..];
    }
}
