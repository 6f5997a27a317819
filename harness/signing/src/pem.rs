//! Finds a block in a PEM file.

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
