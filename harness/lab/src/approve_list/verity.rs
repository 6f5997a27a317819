//! fs-verity (`Documentation/filesystems/fsverity.rst`): files that the kernel knows by a digest, and that can no
//! longer be changed.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::{ioctl_readwrite_bad, ioctl_write_ptr, request_code_readwrite};

/// `FS_VERITY_HASH_ALG_SHA256`.
const SHA256: u32 = 1;
const SHA256_SIZE: usize = 32;

/// Bytes that are hashed at a time; as many as a page has.
const BLOCK_SIZE: u32 = 4096;

/// `struct fsverity_enable_arg`.
#[repr(C)]
#[derive(Default)]
struct EnableArg {
    version: u32,
    hash_algorithm: u32,
    block_size: u32,
    salt_size: u32,
    salt_ptr: u64,
    sig_size: u32,
    reserved1: u32,
    sig_ptr: u64,
    reserved2: [u64; 11],
}

const _: () = assert!(size_of::<EnableArg>() == 128);

/// What the kernel knows a file by: `struct fsverity_digest`, with a digest of SHA-256.
#[repr(C)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    algorithm: u16,
    size: u16,
    digest: [u8; SHA256_SIZE],
}

impl Digest {
    /// As it is in the kernel's memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.algorithm.to_ne_bytes()[..], &self.size.to_ne_bytes(), &self.digest].concat()
    }
}

// FS_IOC_ENABLE_VERITY
ioctl_write_ptr!(enable_verity, b'f', 133, EnableArg);
// FS_IOC_MEASURE_VERITY. Its number has the size of the digest's header.
ioctl_readwrite_bad!(measure_verity, request_code_readwrite!(b'f', 134, 2 * size_of::<u16>()), Digest);

/// Seals a file, so that it can no longer be changed, and returns its digest.
///
/// # Errors
/// Its file system has no fs-verity, the file has been sealed before, or somebody has it open for writing.
pub fn seal(path: &Path) -> Result<Digest> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let arg =
        EnableArg { version: 1, hash_algorithm: SHA256, block_size: BLOCK_SIZE, ..EnableArg::default() };
    let mut digest = Digest { algorithm: 0, size: SHA256_SIZE as u16, digest: [0; SHA256_SIZE] };
    // SAFETY: the argument is that of FS_IOC_ENABLE_VERITY, and has no salt and no signature.
    unsafe { enable_verity(file.as_raw_fd(), &arg) }
        .with_context(|| format!("enabling fs-verity for {}", path.display()))?;
    // SAFETY: the kernel writes as many bytes of digest as `size` says that there is room for.
    unsafe { measure_verity(file.as_raw_fd(), &mut digest) }
        .with_context(|| format!("the fs-verity digest of {}", path.display()))?;
    Ok(digest)
}
