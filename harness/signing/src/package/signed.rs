//! A package in an archive.

use super::{CERTIFICATES, File, INDEX, Package, PackageError, SIGNATURE, archive, index};
use crate::Digest;
use crate::certificate::Certificate;
use crate::cms::Message;
use crate::statement::{Entry, Kind, Statement};
use crate::trust;

/// A package as it was read: signed, but not verified. Nothing of it can be used but to verify it.
#[derive(Debug)]
pub struct SignedPackage {
    package: Package,
    /// [`INDEX`], [`CERTIFICATES`] and [`SIGNATURE`].
    own_files: [File; 3],
    certificates: Vec<Certificate>,
    message: Message,
}

impl SignedPackage {
    /// Reads an archive.
    ///
    /// # Errors
    ///
    /// A [`PackageError`] if it is no archive of a package, or one that is made to do harm.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageError> {
        let mut files = archive::read(bytes)?;
        let (folder, platform) = folder(&files)?;
        for file in &mut files {
            let path = file.path.strip_prefix(&folder).and_then(|path| path.strip_prefix('/'));
            let path =
                path.ok_or_else(|| PackageError::entry(&file.path, "it is not in the package's folder"))?;
            file.path = path.to_owned();
        }
        let mut take = |name| {
            let at = files.iter().position(|file| file.path == name).ok_or(PackageError::Unsigned(name))?;
            Ok::<_, PackageError>(files.remove(at))
        };
        let own_files = [take(INDEX)?, take(CERTIFICATES)?, take(SIGNATURE)?];
        let [_, certificates, message] = &own_files;
        let certificates = trust::certificates(&certificates.content)?;
        let message = Message::parse(&message.content)?;
        let package = Package::new(&platform, files)?;
        if package.folder() != folder {
            return Err(PackageError::Folder { actual: folder, expected: package.folder() });
        }
        Ok(SignedPackage { package, own_files, certificates, message })
    }

    /// The certificates in the package: the signer's, and those between it and a CA. They are to be trusted only if a
    /// path leads from them to someone who is.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The files of the signature, which are no files of the [`Package`] but in its folder.
    pub fn own_files(&self) -> &[File] {
        &self.own_files
    }

    /// The signature as the kernel takes it with each of the package's programs.
    pub fn signature(&self) -> &[u8] {
        let [.., signature] = &self.own_files;
        &signature.content
    }

    /// Verifies that `signer`, who is trusted, has signed the package, all of it and nothing else. `now` is in seconds
    /// since the epoch.
    ///
    /// # Errors
    ///
    /// [`PackageError::Signature`] if the signature is wrong or not the signer's, [`PackageError::Expired`],
    /// [`PackageError::Unlisted`], [`PackageError::Missing`], [`PackageError::Different`], [`PackageError::Surplus`].
    pub fn verify(&self, signer: &Certificate, now: u64) -> Result<&Package, PackageError> {
        let statement = Statement::decode(self.message.verify(signer)?)?;
        if statement.is_expired(now) {
            return Err(PackageError::Expired);
        }
        let (package, [index, ..]) = (&self.package, &self.own_files);
        let folder = package.folder();
        if !statement.lists(&Entry { kind: Kind::FILE, digest: Digest::of(&index.content) }) {
            return Err(PackageError::Different(format!("{folder}/{INDEX}")));
        }
        index::check(&index.content, &folder, package.files())?;
        for (file, artifact) in package.artifacts() {
            let whole = Entry { kind: Kind::FILE, digest: Digest::of(&file.content) };
            if ![whole].iter().chain(&artifact.entries()).all(|entry| statement.lists(entry)) {
                return Err(PackageError::Unlisted(format!("{folder}/{}", file.path)));
            }
        }
        let known = package.entries(&index.content);
        match statement.entries.iter().filter(|entry| !known.contains(entry)).count() {
            0 => Ok(package),
            surplus => Err(PackageError::Surplus(surplus)),
        }
    }
}

/// The folder that the first file is in, three deep, and the last part of its path: the platform.
fn folder(files: &[File]) -> Result<(String, String), PackageError> {
    let first = files.first().ok_or(PackageError::NoMetadata)?;
    let parts: Vec<_> = first.path.splitn(4, '/').collect();
    match parts[..] {
        [name, version, platform, _] => Ok((format!("{name}/{version}/{platform}"), platform.to_owned())),
        _ => Err(PackageError::entry(&first.path, "it is not in a folder NAME/VERSION/PLATFORM")),
    }
}
