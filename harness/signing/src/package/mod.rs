//! Packages: what an orchestrator such as L3AF's l3afd installs, with one signature.
//!
//! A package is a `.tar.gz` whose files are all in one folder, called like the archive up to the first dot. l3afd unpacks it
//! into `NAME/VERSION/` and looks for the files in that folder.
//!
//! | file | |
//! | --- | --- |
//! | `manifest.json` | the metadata for l3afd, see [`Metadata`] |
//! | anything else | eBPF objects, user-mode programs, whatever they need |
//! | `package.sha256` | name, version and platform in a comment, and the digests of all these files by path, as `sha256sum` writes them |
//! | `package.pem` | the signer's certificate, and after it those between it and a CA |
//! | `package.p7s` | the signature: CMS messages with a statement each, as the kernel takes them (see [`signature`]) |
//!
//! The statement lists `package.sha256` and every other file as a whole (kind 2), and whatever else vouches for their
//! contents: each program of an eBPF object for Linux (kind 1), each PE image (kind 3). So the digests are bound by the
//! statement, and the paths by `package.sha256`. A package has one form: the same files give the same bytes, and bytes
//! that these files do not give are refused. It follows from a file's content whether it is executable.
//!
//! An archive is hostile until it is verified: it is read into memory, within limits, and nothing is written.

mod archive;
mod error;
mod file;
mod index;
mod metadata;
mod path;
mod signed;
mod version;

pub use archive::{is_archive, unpack};
pub use error::PackageError;
pub use file::File;
pub use metadata::Metadata;
pub use signed::SignedPackage;
pub use version::Version;

use crate::Digest;
use crate::artifact::Artifact;
use crate::certificate::{Certificate, Signer};
use crate::signature;
use crate::statement::{Entry, Kind, Statement};

/// Bytes that an archive may have.
pub const MAX_SIZE: usize = 64 << 20;
/// Files of a package, without the three of its signature.
pub const MAX_FILES: usize = archive::MAX_FILES - 3;
/// The file with the metadata.
pub const METADATA: &str = "manifest.json";
const INDEX: &str = "package.sha256";
const CERTIFICATES: &str = "package.pem";
const SIGNATURE: &str = "package.p7s";

/// A package whose files fit together: one to sign, or one that is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    metadata: Metadata,
    platform: String,
    files: Vec<File>,
    artifacts: Vec<Artifact>,
    /// The files of the signature; none before there is one.
    own_files: Vec<File>,
}

impl Package {
    /// Puts a package together. The paths of the files are relative to the package's folder; one of them must be
    /// [`METADATA`].
    ///
    /// # Errors
    ///
    /// A [`PackageError`] that says which file is in the way, or what the metadata and the files disagree on.
    pub fn new(platform: &str, mut files: Vec<File>) -> Result<Self, PackageError> {
        path::check_component(platform).map_err(|problem| PackageError::Platform { problem })?;
        if files.len() > MAX_FILES {
            return Err(PackageError::Files(files.len()));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        path::check_all(files.iter().map(|file| file.path.as_str()))?;
        if let Some(file) = files.iter().find(|file| [INDEX, CERTIFICATES, SIGNATURE].contains(&&*file.path))
        {
            return Err(PackageError::entry(&file.path, "this name is the package's own"));
        }
        let metadata = files.iter().find(|file| file.path == METADATA);
        let metadata = Metadata::read(&metadata.ok_or(PackageError::NoMetadata)?.content)?;
        let artifacts = files.iter().map(File::artifact).collect::<Result<Vec<_>, _>>()?;
        metadata.check(&files, &artifacts)?;
        Ok(Package { metadata, platform: platform.to_owned(), files, artifacts, own_files: Vec::new() })
    }

    /// What `manifest.json` says.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What the package is for, such as the code name of a distribution.
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// The files, without those of the signature, in the order of their paths.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The files of the signature, if the package comes from an archive. They are in the same folder.
    pub fn own_files(&self) -> &[File] {
        &self.own_files
    }

    /// The signature, if the package comes from an archive.
    pub fn signature(&self) -> Option<&[u8]> {
        self.own_files.iter().find(|file| file.path == SIGNATURE).map(|file| file.content.as_slice())
    }

    /// What the files are to a signature.
    pub fn artifacts(&self) -> impl Iterator<Item = (&File, &Artifact)> {
        self.files.iter().zip(&self.artifacts)
    }

    /// Whether there is a program for the Linux kernel.
    pub fn has_programs(&self) -> bool {
        self.artifacts.iter().any(|artifact| !artifact.programs().is_empty())
    }

    /// The folder of the archive that the files are in.
    pub fn folder(&self) -> &str {
        self.metadata.folder()
    }

    /// `NAME/VERSION/FOLDER`, where l3afd looks for the files of the package.
    pub fn place(&self) -> String {
        format!("{}/{}/{}", self.metadata.name, self.metadata.version, self.folder())
    }

    /// `NAME VERSION PLATFORM`, which is signed.
    pub fn title(&self) -> String {
        format!("{} {} {}", self.metadata.name, self.metadata.version, self.platform)
    }

    /// Signs the package and returns the archive. `expiry` is that of the statement, in seconds since the epoch, 0:
    /// never; `intermediates` are the certificates between the signer's and a CA's.
    ///
    /// # Errors
    ///
    /// [`PackageError::Signature`]; [`PackageError::Entry`] if a path is too long for an archive.
    pub fn sign(
        &self,
        signer: &Signer,
        intermediates: &[Certificate],
        expiry: u64,
    ) -> Result<Vec<u8>, PackageError> {
        let index = index::write(&self.title(), self.folder(), &self.files);
        let statement = Statement { expiry, entries: self.entries(index.as_bytes()) };
        let message = signature::sign(&statement, signer)?;
        let certificates = [signer.certificate()].into_iter().chain(intermediates);
        let certificates = certificates.map(Certificate::to_pem).collect::<String>();

        let mut files = self.files.clone();
        files.push(File { path: INDEX.into(), content: index.into() });
        files.push(File { path: CERTIFICATES.into(), content: certificates.into() });
        files.push(File { path: SIGNATURE.into(), content: message });
        archive::write(self.folder(), files)
    }

    /// What the statement lists, each thing once.
    fn entries(&self, index: &[u8]) -> Vec<Entry> {
        let mut entries = vec![Entry { kind: Kind::FILE, digest: Digest::of(index) }];
        for (file, artifact) in self.artifacts() {
            let whole = Entry { kind: Kind::FILE, digest: Digest::of(&file.content) };
            for entry in [whole].into_iter().chain(artifact.entries()) {
                if !entries.contains(&entry) {
                    entries.push(entry);
                }
            }
        }
        entries
    }
}
