//! PE images (`.exe`, `.dll`, `.sys`): the digest that Authenticode signs, and the table that holds signatures.
//!
//! After Microsoft's "PE Format" and "Windows Authenticode Portable Executable Signature Format". The digest is over all
//! bytes of the file in their order, but for the checksum, the directory entry of the certificate table, and that table
//! itself, which is last. (The description goes through the sections one by one instead. In every image that it defines
//! a digest for, these are the same bytes in the same order; here no gap or overlap can hide some.)

use std::ops::Range;

use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DIRECTORY_ENTRY_SECURITY, IMAGE_NT_OPTIONAL_HDR32_MAGIC, IMAGE_NT_OPTIONAL_HDR64_MAGIC,
    ImageDosHeader, ImageFileHeader, ImageNtHeaders32, ImageNtHeaders64,
};
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, optional_header_magic};
use sha2::{Digest as _, Sha256};

use crate::Digest;

/// What the certificate table and each of its entries are aligned to, in bytes.
const ALIGNMENT: usize = 8;
/// Offset of the checksum in the optional header.
const CHECKSUM: usize = 64;
/// Bytes of a data directory entry: `le32` offset in the file, `le32` size.
const DIRECTORY_SIZE: usize = 8;
/// Bytes before the contents of a certificate table entry: `le32` size, `le16` revision, `le16` type.
const ENTRY_HEADER: usize = 8;
/// `WIN_CERT_REVISION_2_0`, `WIN_CERT_TYPE_PKCS_SIGNED_DATA`.
const ENTRY_PKCS7: [u8; 4] = [0, 2, 2, 0];

/// Why a file is not a PE image that can be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeError {
    /// Some other kind of file.
    #[error("not a PE image")]
    NotPe,
    /// Damaged.
    #[error("damaged PE image")]
    Damaged(#[from] object::read::Error),
    /// Headers or a section that the file is too short for.
    #[error("the PE image is cut off: its headers and sections need {needed} bytes, it has {actual}")]
    CutOff {
        /// Bytes that it should have.
        needed: u64,
        /// Bytes that it has, without the certificate table.
        actual: u64,
    },
    /// No place for a certificate table.
    #[error("the PE image has no directory entry for a certificate table")]
    NoDirectory,
    /// A certificate table somewhere else.
    #[error("the PE image's certificate table is not the aligned end of the file")]
    TableRange,
    /// A certificate table with something else in it than one signature.
    #[error("the PE image's certificate table {0}")]
    Table(&'static str),
    /// A size beyond 32 bits.
    #[error("the PE image has 4 GiB or more")]
    TooLarge,
}

/// Whether a file looks like a PE image, sound or not.
pub fn is_pe(file: &[u8]) -> bool {
    ImageDosHeader::parse(file).is_ok_and(|header| {
        file.get(header.nt_headers_offset() as usize..).is_some_and(|rest| rest.starts_with(b"PE\0\0"))
    })
}

/// Where the parts of an image are that its digest leaves out.
pub struct Image<'a> {
    file: &'a [u8],
    /// Offset of the checksum.
    checksum: usize,
    /// Offset of the directory entry of the certificate table.
    directory: usize,
    /// The certificate table; empty, at the end of the file, if there is none.
    table: Range<usize>,
}

impl<'a> Image<'a> {
    /// Finds the parts.
    ///
    /// # Errors
    ///
    /// Any [`PeError`] but [`PeError::Table`].
    pub fn parse(file: &'a [u8]) -> Result<Self, PeError> {
        if !is_pe(file) {
            return Err(PeError::NotPe);
        }
        u32::try_from(file.len()).map_err(|_| PeError::TooLarge)?;
        match optional_header_magic(file)? {
            IMAGE_NT_OPTIONAL_HDR32_MAGIC => Self::locate::<ImageNtHeaders32>(file),
            IMAGE_NT_OPTIONAL_HDR64_MAGIC => Self::locate::<ImageNtHeaders64>(file),
            _ => Err(PeError::NotPe),
        }
    }

    fn locate<H: ImageNtHeaders>(file: &'a [u8]) -> Result<Self, PeError> {
        let start = u64::from(ImageDosHeader::parse(file)?.nt_headers_offset());
        let mut end = start;
        let (headers, directories) = H::parse(file, &mut end)?;
        let entry = directories.iter().nth(IMAGE_DIRECTORY_ENTRY_SECURITY).ok_or(PeError::NoDirectory)?;
        let optional = start as usize + size_of::<u32>() + size_of::<ImageFileHeader>();
        let directory = start as usize + size_of::<H>() + IMAGE_DIRECTORY_ENTRY_SECURITY * DIRECTORY_SIZE;

        let (offset, size) = (entry.virtual_address.get(LE) as usize, entry.size.get(LE) as usize);
        let table = match (offset, size) {
            (0, 0) => file.len()..file.len(),
            _ if offset.checked_add(size) == Some(file.len()) && offset.is_multiple_of(ALIGNMENT) => {
                offset..file.len()
            }
            _ => return Err(PeError::TableRange),
        };

        // What would run past the end or into the table would not be signed.
        let sections = headers.sections(file, end)?;
        let ends = sections.iter().map(|section| {
            u64::from(section.pointer_to_raw_data.get(LE)) + u64::from(section.size_of_raw_data.get(LE))
        });
        let headers = u64::from(headers.optional_header().size_of_headers());
        let needed = ends.chain([headers, directory as u64 + DIRECTORY_SIZE as u64]).max().unwrap_or(0);
        if needed > table.start as u64 {
            return Err(PeError::CutOff { needed, actual: table.start as u64 });
        }
        Ok(Self { file, checksum: optional + CHECKSUM, directory, table })
    }

    /// The digest that Authenticode signs. It is the same before and after the image is signed.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(&self.file[..self.checksum]);
        hash.update(&self.file[self.checksum + 4..self.directory]);
        hash.update(&self.file[self.directory + DIRECTORY_SIZE..self.table.start]);
        hash.update(&[0; ALIGNMENT][..padding(self.table.start)]);
        Digest(hash.finalize().into())
    }

    /// The PKCS#7 signature in the certificate table (and zeros for alignment after it), if there is one.
    ///
    /// # Errors
    ///
    /// [`PeError::Table`] if there is anything else in the table.
    pub fn signature(&self) -> Result<Option<&'a [u8]>, PeError> {
        let table = &self.file[self.table.clone()];
        if table.is_empty() {
            return Ok(None);
        }
        let Some((header, contents)) = table.split_at_checked(ENTRY_HEADER) else {
            return Err(PeError::Table("is cut off"));
        };
        let (size, kind) = header.split_at(4);
        if kind != ENTRY_PKCS7 {
            return Err(PeError::Table("holds something other than a PKCS#7 signature"));
        }
        let size = u32::from_le_bytes(size.try_into().expect("4 bytes")) as usize;
        if size.checked_next_multiple_of(ALIGNMENT) != Some(table.len()) {
            return Err(PeError::Table("does not hold exactly one signature"));
        }
        Ok(Some(contents))
    }

    /// The image with this signature in its certificate table, in place of whatever was in the table.
    ///
    /// # Errors
    ///
    /// [`PeError::TooLarge`].
    pub fn with_signature(&self, pkcs7: &[u8]) -> Result<Vec<u8>, PeError> {
        let mut file = self.file[..self.table.start].to_vec();
        file.resize(file.len() + padding(file.len()), 0);
        let offset = u32::try_from(file.len()).map_err(|_| PeError::TooLarge)?;
        let size = ENTRY_HEADER + pkcs7.len() + padding(pkcs7.len());
        let size_field = u32::try_from(size).map_err(|_| PeError::TooLarge)?.to_le_bytes();

        file.extend(size_field);
        file.extend(ENTRY_PKCS7);
        file.extend(pkcs7);
        file.resize(offset as usize + size, 0);
        file[self.directory..][..4].copy_from_slice(&offset.to_le_bytes());
        file[self.directory + 4..][..4].copy_from_slice(&size_field);
        file[self.checksum..][..4].fill(0);
        let checksum = checksum(&file).ok_or(PeError::TooLarge)?;
        file[self.checksum..][..4].copy_from_slice(&checksum.to_le_bytes());
        Ok(file)
    }
}

/// Bytes from `size` to the next multiple of [`ALIGNMENT`].
fn padding(size: usize) -> usize {
    size.next_multiple_of(ALIGNMENT) - size
}

/// What `CheckSumMappedFile` computes, of an image whose checksum is 0: the 16-bit words added up with carry, and the
/// size of the file. `None` from 4 GiB on.
fn checksum(file: &[u8]) -> Option<u32> {
    let words = file.chunks(2).map(|word| u32::from(word[0]) | u32::from(*word.get(1).unwrap_or(&0)) << 8);
    let sum = words.fold(0, |sum, word| ((sum + word) & 0xffff) + ((sum + word) >> 16));
    u32::try_from(file.len()).ok()?.checked_add(sum)
}
