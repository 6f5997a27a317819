//! The kernel's trusted keyrings, and what root may do with them.

use std::ffi::{CStr, CString};
use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};

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
    /// The signers of programs, which root adds and removes.
    pub const BPF: Keyring = Keyring(3);

    /// The system's keyrings: those whose keys the kernel vouches for.
    pub const SYSTEM: [Keyring; 4] = [Self::BUILTIN, Self::SECONDARY, Self::PLATFORM, Self::BPF];

    /// What `/proc/keys` calls a keyring of the system.
    pub fn system_name(self) -> Option<&'static str> {
        match self {
            Self::BUILTIN => Some(".builtin_trusted_keys"),
            Self::SECONDARY => Some(".secondary_trusted_keys"),
            Self::PLATFORM => Some(".platform"),
            Self::BPF => Some(".bpf"),
            _ => None,
        }
    }
}

impl fmt::Display for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BUILTIN => f.pad("builtin"),
            Self::SECONDARY => f.pad("secondary"),
            Self::PLATFORM => f.pad("platform"),
            Self::BPF => f.pad("bpf"),
            Self(serial) => f.pad(&serial.to_string()),
        }
    }
}

impl Default for Keyring {
    fn default() -> Self {
        Self::SECONDARY
    }
}

/// Something that names no keyring.
#[derive(Debug, thiserror::Error)]
#[error("no keyring: say builtin, secondary, platform, bpf, or the serial number of a keyring or a key")]
pub struct UnknownKeyring;

impl FromStr for Keyring {
    type Err = UnknownKeyring;

    fn from_str(name: &str) -> Result<Self, UnknownKeyring> {
        match name {
            "builtin" => Ok(Self::BUILTIN),
            "secondary" => Ok(Self::SECONDARY),
            "platform" => Ok(Self::PLATFORM),
            "bpf" => Ok(Self::BPF),
            // The first numbers are those of the system's.
            serial => match serial.parse() {
                Ok(serial) if !(0..=3).contains(&serial) => Ok(Self(serial)),
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
    add_certificate(certificate, ".secondary_trusted_keys")
}

/// The kernel's name for the keyring of attesters. It is not a keyring that programs are loaded with.
pub const ATTESTERS: &str = ".bpf_attest";

/// Adds an X.509 certificate (DER) to the keyring of attesters.
///
/// # Errors
/// As for [`trust`].
pub fn trust_attester(certificate: &[u8]) -> Result<()> {
    add_certificate(certificate, ATTESTERS)
}

fn add_certificate(certificate: &[u8], name: &str) -> Result<()> {
    let keyring = demand(name)?;
    add_key(c"asymmetric", certificate, keyring)
        .map(drop)
        .map_err(Error::system(format!("adding a certificate to {name}")))
}

/// A public key in a keyring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The kernel's number of the key.
    pub serial: i32,
    /// The subject key identifier of its certificate, in hexadecimal.
    pub id: String,
    /// The subject of its certificate.
    pub subject: String,
    /// Whether it still verifies.
    pub state: KeyState,
}

impl Key {
    /// Whether this is the key of the certificate with this subject key identifier, in hexadecimal.
    pub fn is(&self, id: &str) -> bool {
        // The kernel leaves out a first byte of zero when it describes a key.
        id.strip_prefix("00").unwrap_or(id) == self.id || id == self.id
    }
}

/// Whether a key still verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// For good.
    Valid,
    /// Until a time from now, as the kernel says it: `5m`, `3w`.
    ValidFor(String),
    /// It has expired.
    Expired,
    /// It has been revoked or invalidated.
    Revoked,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.pad("valid"),
            Self::ValidFor(time) => f.pad(&format!("valid for {time}")),
            Self::Expired => f.pad("expired"),
            Self::Revoked => f.pad("revoked"),
        }
    }
}

/// The public keys in a keyring.
///
/// # Errors
/// The caller may not read the keyring.
pub fn keys(keyring: i32) -> Result<Vec<Key>> {
    let serials = serials(keyring).map_err(Error::system("reading the keyring"))?;
    let all = fs::read_to_string(KEYS).map_err(Error::system(KEYS))?;
    Ok(all.lines().filter_map(key).filter(|key| serials.contains(&key.serial)).collect())
}

/// Reads a line of /proc/keys:
/// `0a1b2c3d I------     1 perm 1f030000     0     0 asymmetri test CA: 5a3bb78c: X509.rsa 5a3bb78c []`
fn key(line: &str) -> Option<Key> {
    let mut rest = line;
    let mut field = || {
        let (field, tail) = rest.trim_start().split_once(' ')?;
        rest = tail;
        Some(field)
    };
    let serial = i32::from_str_radix(field()?, 16).ok()?;
    let (flags, _usage, timeout) = (field()?, field()?, field()?);
    let (_permissions, _uid, _gid, key_type) = (field()?, field()?, field()?, field()?);
    if key_type != "asymmetri" {
        return None;
    }
    let (described, _algorithm) = rest.trim_start().rsplit_once(": ")?;
    let (subject, id) = described.rsplit_once(": ")?;
    let state = match timeout {
        _ if flags.contains(['R', 'D', 'i']) => KeyState::Revoked,
        "perm" => KeyState::Valid,
        "expd" => KeyState::Expired,
        time => KeyState::ValidFor(time.to_owned()),
    };
    Some(Key { serial, id: id.to_owned(), subject: subject.to_owned(), state })
}

/// The serial numbers of what is in a keyring.
///
/// # Errors
/// The caller may not read the keyring.
pub fn serials(keyring: i32) -> io::Result<Vec<i32>> {
    let mut serials = vec![0i32; 16];
    loop {
        let size = size_of_val(&serials[..]);
        // SAFETY: the kernel writes at most `size` bytes to `serials`.
        let needed = unsafe { keyctl(KEYCTL_READ, keyring, serials.as_mut_ptr() as usize, size) }? as usize;
        let count = needed / size_of::<i32>();
        if count <= serials.len() {
            serials.truncate(count);
            return Ok(serials);
        }
        serials.resize(count, 0);
    }
}

/// Gives this process possession of the keys in a keyring, which it needs to revoke them or to let them expire.
///
/// # Errors
/// The caller may not link the keyring.
pub fn possess(keyring: i32) -> io::Result<()> {
    const PROCESS_KEYRING: i32 = -2;
    // SAFETY: takes two numbers.
    unsafe { keyctl(KEYCTL_LINK, keyring, PROCESS_KEYRING as usize, 0) }.map(drop)
}

/// Revokes a key that this process possesses.
///
/// # Errors
/// The caller may not.
pub fn revoke(key: i32) -> io::Result<()> {
    // SAFETY: takes a number.
    unsafe { keyctl(KEYCTL_REVOKE, key, 0, 0) }.map(drop)
}

/// Takes a key out of a keyring.
///
/// # Errors
/// The caller may not write to the keyring, or the key is not there.
pub fn unlink(key: i32, keyring: i32) -> io::Result<()> {
    // SAFETY: takes two numbers.
    unsafe { keyctl(KEYCTL_UNLINK, key, keyring as usize, 0) }.map(drop)
}

/// Lets a key that this process possesses expire in a number of seconds.
///
/// # Errors
/// The caller may not.
pub fn expire_in(key: i32, seconds: u32) -> io::Result<()> {
    // SAFETY: takes two numbers.
    unsafe { keyctl(KEYCTL_SET_TIMEOUT, key, seconds as usize, 0) }.map(drop)
}

/// Options of `keyctl(2)`.
const KEYCTL_REVOKE: i32 = 3;
const KEYCTL_LINK: i32 = 8;
const KEYCTL_UNLINK: i32 = 9;
const KEYCTL_READ: i32 = 11;
const KEYCTL_SET_TIMEOUT: i32 = 15;

/// # Safety
/// An address among the arguments must be valid for what the operation does with it.
unsafe fn keyctl(operation: i32, key: i32, second: usize, third: usize) -> io::Result<i64> {
    // SAFETY: the caller vouches.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, operation, key, second, third) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

const KEYS: &str = "/proc/keys";

fn demand(name: &str) -> Result<i32> {
    find(name)?.ok_or_else(|| Error::Missing(format!("this kernel has no keyring {name}")))
}

/// The serial number of a keyring that no process links to; none if the kernel has none or does not show it.
///
/// # Errors
/// The list of keys can't be read.
pub fn find(name: &str) -> Result<Option<i32>> {
    let keys = fs::read_to_string(KEYS).map_err(Error::system(KEYS))?;
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
    add(key_type, None, payload, keyring)
}

/// Whether a program, by its digest, or another binary is blacklisted.
///
/// # Errors
/// The list of keys can't be read.
pub fn is_denied(digest: &str) -> Result<bool> {
    let keys = fs::read_to_string(KEYS).map_err(Error::system(KEYS))?;
    let name = denial(digest);
    Ok(keys.lines().any(|line| line.split_whitespace().skip(7).eq(["blacklist", &name])))
}

/// Adds a digest to the kernel's blacklist. `signature`, a detached CMS message over [`denial`], must be made by a
/// builtin key.
///
/// # Errors
/// There is no blacklist, or the kernel refuses the signature.
pub fn deny(digest: &str, signature: &[u8]) -> Result<()> {
    const NAME: &str = ".blacklist";
    let keyring = demand(NAME)?;
    let description =
        CString::new(denial(digest)).map_err(|_| Error::Invalid(format!("`{digest}` is not a digest")))?;
    add(c"blacklist", Some(&description), signature, keyring)
        .map(drop)
        .map_err(Error::system(format!("adding {digest} to {NAME}")))
}

/// How the blacklist names a program, by the digest of its manifest in lower-case hexadecimal.
pub fn denial(digest: &str) -> String {
    format!("bin:{digest}")
}

fn add(key_type: &CStr, description: Option<&CStr>, payload: &[u8], keyring: i32) -> io::Result<i32> {
    // SAFETY: the kernel reads type and description up to their terminating zeros and `payload.len()` bytes of
    // payload; a null description is allowed.
    let serial = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            key_type.as_ptr(),
            description.map_or(std::ptr::null(), CStr::as_ptr),
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
        for (name, keyring) in
            [("builtin", 0), ("secondary", 1), ("platform", 2), ("bpf", 3), ("1234", 1234), ("-3", -3)]
        {
            assert_eq!(name.parse::<Keyring>().unwrap(), Keyring(keyring), "{name}");
            assert_eq!(Keyring(keyring).to_string(), name);
        }
        for name in ["", "1", "Builtin", ".secondary_trusted_keys", "0x10", "99999999999"] {
            assert!(name.parse::<Keyring>().is_err(), "{name}");
        }
    }

    #[test]
    fn reads_what_the_kernel_says_of_keys() {
        let state = |flags, timeout| {
            let line = format!(
                "0a1b2c3d {flags}     1 {timeout} 1f030000     0     0 asymmetri ACME: CA of 1: 5a3bb78c: X509.rsa 5a3bb78c []"
            );
            let key = key(&line).unwrap();
            assert_eq!(
                (key.serial, &key.id[..], &key.subject[..]),
                (0x0a1b_2c3d, "5a3bb78c", "ACME: CA of 1")
            );
            key.state
        };
        assert_eq!(state("I------", "perm"), KeyState::Valid);
        assert_eq!(state("I--Q---", " 51w"), KeyState::ValidFor("51w".into()));
        assert_eq!(state("I------", "expd"), KeyState::Expired);
        assert_eq!(state("IR-----", "perm"), KeyState::Revoked);
        assert_eq!(state("I-----i", "perm"), KeyState::Revoked);
        for line in ["", "0a1b2c3d", "0a1b2c3d I------ 1 perm 1f030000 0 0 keyring .bpf: empty"] {
            assert_eq!(key(line), None, "{line}");
        }
    }

    #[test]
    fn finds_a_keyring_by_its_whole_name() {
        assert_eq!(serial(KEYS, ".secondary_trusted_keys"), Some(0x2d6a_3b0c));
        assert_eq!(serial(KEYS, ".builtin_trusted_keys"), Some(0x1c2d_3e4f));
        assert_eq!(serial(KEYS, ".platform"), None);
    }
}
