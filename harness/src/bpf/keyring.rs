//! The kernel's trusted keyrings.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::str::FromStr;

use anyhow::{Context, Result};

/// Where the kernel looks for a signer: `keyring_id` of `BPF_PROG_LOAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyring(pub i32);

impl Keyring {
    /// The keys that are built into the kernel.
    pub const BUILTIN: Keyring = Keyring(0);
    /// The builtin ones, and those that they vouch for.
    pub const SECONDARY: Keyring = Keyring(1);
    /// The platform's, such as those of UEFI.
    pub const PLATFORM: Keyring = Keyring(2);
}

impl Default for Keyring {
    fn default() -> Self {
        Self::SECONDARY
    }
}

/// Something that names no keyring.
#[derive(Debug, thiserror::Error)]
#[error("no keyring: say builtin, secondary, platform, or the serial number of a keyring or a key")]
pub struct UnknownKeyring;

impl FromStr for Keyring {
    type Err = UnknownKeyring;

    fn from_str(name: &str) -> Result<Self, UnknownKeyring> {
        match name {
            "builtin" => Ok(Self::BUILTIN),
            "secondary" => Ok(Self::SECONDARY),
            "platform" => Ok(Self::PLATFORM),
            // The first numbers are those of the three.
            serial => match serial.parse() {
                Ok(serial) if !(0..=2).contains(&serial) => Ok(Self(serial)),
                _ => Err(UnknownKeyring),
            },
        }
    }
}

/// Adds an X.509 certificate (DER) to the secondary trusted keyring.
///
/// # Errors
/// There is no such keyring, or the kernel refuses the certificate because no key that it trusts has issued it.
pub fn trust(certificate: &[u8]) -> Result<()> {
    const NAME: &str = ".secondary_trusted_keys";
    let keyring = find(NAME)?.with_context(|| format!("this kernel has no keyring {NAME}"))?;
    add_key(c"asymmetric", certificate, keyring)
        .with_context(|| format!("adding a certificate to {NAME}"))?;
    Ok(())
}

/// The serial number of a keyring that no process links to.
pub fn find(name: &str) -> Result<Option<i32>> {
    const KEYS: &str = "/proc/keys";
    let keys = fs::read_to_string(KEYS).context(KEYS)?;
    Ok(serial(&keys, name))
}

/// Looks up a keyring in the form of /proc/keys:
/// `2d6a3b0c I------     1 perm 1f0b0000     0     0 keyring   .secondary_trusted_keys: 1`
fn serial(keys: &str, name: &str) -> Option<i32> {
    keys.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let serial = fields.next()?;
        let mut fields = fields.skip(6);
        let is_it = fields.next()? == "keyring" && fields.next()?.trim_end_matches(':') == name;
        is_it.then(|| i32::from_str_radix(serial, 16).ok())?
    })
}

/// `add_key(2)`. The key is described by what is in it. Returns its serial number.
///
/// # Errors
/// The kernel refuses the key.
pub fn add_key(key_type: &CStr, payload: &[u8], keyring: i32) -> io::Result<i32> {
    // SAFETY: the kernel reads the type up to its terminating zero and `payload.len()` bytes of payload; a null
    // description is allowed.
    let serial = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            key_type.as_ptr(),
            std::ptr::null::<libc::c_char>(),
            payload.as_ptr(),
            payload.len(),
            keyring,
        )
    };
    if serial < 0 { Err(io::Error::last_os_error()) } else { Ok(serial as i32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "\
0a1b2c3d I------     1 perm 1f030000     0     0 asymmetri bpfsig: test CA: X509.rsa 12345678 []
1c2d3e4f I------     1 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: 1
2d6a3b0c I------     1 perm 1f0f0000     0     0 keyring   .secondary_trusted_keys: empty
";

    #[test]
    fn keyrings_have_names_and_numbers() {
        for (name, keyring) in [("builtin", 0), ("secondary", 1), ("platform", 2), ("1234", 1234), ("-3", -3)]
        {
            assert_eq!(name.parse::<Keyring>().unwrap(), Keyring(keyring), "{name}");
        }
        for name in ["", "1", "Builtin", ".secondary_trusted_keys", "0x10", "99999999999"] {
            assert!(name.parse::<Keyring>().is_err(), "{name}");
        }
    }

    #[test]
    fn finds_a_keyring_by_its_whole_name() {
        assert_eq!(serial(KEYS, ".secondary_trusted_keys"), Some(0x2d6a_3b0c));
        assert_eq!(serial(KEYS, ".builtin_trusted_keys"), Some(0x1c2d_3e4f));
        assert_eq!(serial(KEYS, ".platform"), None);
    }
}
