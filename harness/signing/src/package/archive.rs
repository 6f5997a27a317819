//! The archive: tar (POSIX ustar) in gzip (RFC 1952).

use std::fmt;
use std::io::{self, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use super::{File, MAX_SIZE, PackageError, path};
use crate::Digest;

/// Bytes of all files together, with their headers.
const MAX_UNPACKED: u64 = 256 << 20;
/// Bytes of a file.
const MAX_FILE: u64 = 128 << 20;
/// Files.
pub const MAX_FILES: usize = 256;
/// Unpacked bytes per packed byte. Deflate reaches 1032; programs are between 2 and 10.
const MAX_RATIO: u64 = 100;
/// So many unpacked bytes are allowed at any ratio: tar fills up with zeros.
const ANY_RATIO: u64 = 1 << 20;

const MODE: u32 = 0o644;
const MODE_EXECUTABLE: u32 = 0o755;
/// The field of the gzip header that says which system has made it.
const UNKNOWN_SYSTEM: u8 = 255;

/// A limit that an archive exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of all files together.
    Total,
    /// Of one file.
    File,
    /// Of the number of files.
    Count,
    /// Of the compression.
    Ratio,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Total => write!(f, "it unpacks to more than {MAX_UNPACKED} bytes"),
            Limit::File => write!(f, "a file has more than {MAX_FILE} bytes"),
            Limit::Count => write!(f, "it has more than {MAX_FILES} files"),
            Limit::Ratio => write!(f, "it unpacks to more than {MAX_RATIO} times its size"),
        }
    }
}

impl std::error::Error for Limit {}

/// Whether this looks like an archive, sound or not: it begins like gzip.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The archive of some files in a folder.
pub fn write(folder: &str, files: Vec<File>) -> Result<Vec<u8>, PackageError> {
    let files = files.into_iter().map(|file| File { path: format!("{folder}/{}", file.path), ..file });
    let tar = write_tar(&mut files.collect::<Vec<_>>())?;
    let compress = || {
        let gzip = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
        let mut gzip = gzip.write(Vec::new(), Compression::best());
        gzip.write_all(&tar)?;
        gzip.finish()
    };
    let packed: Vec<u8> = compress().expect("memory can be written to");
    if packed.len() > MAX_SIZE { Err(PackageError::Size) } else { Ok(packed) }
}

/// The one form that files have in a tar archive: in the order of their paths, with nothing of the host that wrote it.
fn write_tar(files: &mut [File]) -> Result<Vec<u8>, PackageError> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut tar = Builder::new(Vec::new());
    for file in files.iter() {
        let mut header = Header::new_ustar();
        let too_long = |_| PackageError::entry(&file.path, "the path is too long for an archive");
        header.set_path(&file.path).map_err(too_long)?;
        header.set_size(file.content.len() as u64);
        header.set_mode(if file.is_executable() { MODE_EXECUTABLE } else { MODE });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        tar.append(&header, file.content.as_slice()).expect("memory can be written to");
    }
    Ok(tar.into_inner().expect("memory can be written to"))
}

/// Reads an archive: all files with their whole paths.
pub fn read(packed: &[u8]) -> Result<Vec<File>, PackageError> {
    if packed.len() > MAX_SIZE {
        return Err(PackageError::Size);
    }
    let mut meter = Meter::new(packed);
    let mut files = read_tar(&mut meter, Maker::Us)?;
    io::copy(&mut meter, &mut io::sink()).map_err(|error| damaged("after the last file", error))?;
    let Meter { inner, digest, .. } = meter;
    let rest = inner.into_inner();
    if !rest.is_empty() {
        return Err(PackageError::Trailing(rest.len()));
    }
    if Digest(digest.finalize().into()) != Digest::of(write_tar(&mut files)?) {
        return Err(PackageError::Form);
    }
    Ok(files)
}

/// The files of an archive that any program has made, and the one folder that they are in. Nothing is known of whoever made
/// it, but what is read is going to be signed.
///
/// # Errors
///
/// A [`PackageError`]: it is damaged or too large, has something else in it than files and folders, or names that a package
/// can't have.
pub fn unpack(packed: &[u8]) -> Result<(String, Vec<File>), PackageError> {
    if packed.len() > MAX_SIZE {
        return Err(PackageError::Size);
    }
    let files = read_tar(&mut Meter::new(packed), Maker::Anybody)?;
    let first = files.first().ok_or(PackageError::NoMetadata)?;
    let (folder, _) =
        first.path.split_once('/').ok_or_else(|| PackageError::entry(&first.path, "it is in no folder"))?;
    let folder = folder.to_owned();
    let inside = |file: File| match file.path.strip_prefix(&folder).and_then(|path| path.strip_prefix('/')) {
        Some(path) => Ok(File { path: path.to_owned(), content: file.content }),
        None => Err(PackageError::Folders(file.path)),
    };
    let files = files.into_iter().map(inside).collect::<Result<_, _>>()?;
    Ok((folder, files))
}

/// Who has made an archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// This module, in the one form that it has.
    Us,
    /// Whatever `tar` there is.
    Anybody,
}

fn read_tar(tar: impl Read, maker: Maker) -> Result<Vec<File>, PackageError> {
    let mut files: Vec<File> = Vec::new();
    let mut archive = Archive::new(tar);
    let mut place = "at its beginning".to_owned();
    // Ours are as they are: without long names and other extensions, in which two readers may differ.
    let entries = archive.entries().map_err(|error| damaged(&place, error))?.raw(maker == Maker::Us);
    for entry in entries {
        let mut entry = entry.map_err(|error| damaged(&place, error))?;
        let path = match maker {
            Maker::Us => String::from_utf8_lossy(&entry.header().path_bytes()).into_owned(),
            Maker::Anybody => String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
        };
        let path = path.strip_prefix("./").filter(|_| maker == Maker::Anybody).unwrap_or(&path).to_owned();
        let refuse = |problem| Err(PackageError::entry(&path, problem));
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory | EntryType::XGlobalHeader if maker == Maker::Anybody => continue,
            EntryType::Symlink => return refuse("it is a symbolic link"),
            EntryType::Link => return refuse("it is a hard link"),
            EntryType::Char | EntryType::Block => return refuse("it is a device"),
            EntryType::Fifo => return refuse("it is a pipe"),
            EntryType::Directory => return refuse("it is a folder; a package has files only"),
            EntryType::GNULongName | EntryType::GNULongLink => return refuse("it is a long name of GNU tar"),
            EntryType::XHeader | EntryType::XGlobalHeader => return refuse("it is an extended header"),
            _ => return refuse("it is neither a file nor anything else that is known"),
        }
        path::check(&path).map_err(|problem| PackageError::entry(&path, problem))?;
        place = format!("at `{path}`");
        let bomb = |reason| PackageError::Bomb { place: place.clone(), reason };
        if entry.size() > MAX_FILE {
            return Err(bomb(Limit::File));
        }
        if files.len() == MAX_FILES {
            return Err(bomb(Limit::Count));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| damaged(&place, error))?;
        if content.len() as u64 != entry.size() {
            return Err(damaged(&place, io::ErrorKind::UnexpectedEof.into()));
        }
        files.push(File { path, content });
    }
    path::check_all(files.iter().map(|file| file.path.as_str()))?;
    Ok(files)
}

fn damaged(place: &str, reason: io::Error) -> PackageError {
    let place = place.to_owned();
    match reason.downcast::<Limit>() {
        Ok(reason) => PackageError::Bomb { place, reason },
        Err(reason) => PackageError::Damaged { place, reason },
    }
}

/// Counts what is unpacked, and hashes it.
struct Meter<R> {
    inner: R,
    packed: u64,
    unpacked: u64,
    digest: Sha256,
}

impl<'p> Meter<GzDecoder<&'p [u8]>> {
    fn new(packed: &'p [u8]) -> Self {
        let inner = GzDecoder::new(packed);
        Meter { inner, packed: packed.len() as u64, unpacked: 0, digest: Sha256::new() }
    }
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.unpacked += count as u64;
        self.digest.update(&buffer[..count]);
        if self.unpacked > MAX_UNPACKED {
            return Err(io::Error::other(Limit::Total));
        }
        if self.unpacked > ANY_RATIO && self.unpacked > self.packed * MAX_RATIO {
            return Err(io::Error::other(Limit::Ratio));
        }
        Ok(count)
    }
}
