//! A package in an archive.

use super::{CERTIFICATES, File, INDEX, Package, PackageError, SIGNATURE, archive, index};
use crate::Digest;
use crate::certificate::Certificate;
use crate::cms::Message;
use crate::signature;
use crate::statement::{Entry, Kind};
use crate::trust;

/// Bytes that each of the signature's files may have: nobody has vouched for them when they are read.
const MAX_OWN_FILE: usize = 64 << 10;

/// A package as it was read: signed, but not verified. It can be shown, or verified to be used.
#[derive(Debug)]
pub struct SignedPackage {
    folder: String,
    files: Vec<File>,
    /// [`INDEX`], [`CERTIFICATES`] and [`SIGNATURE`].
    own_files: [File; 3],
    certificates: Vec<Certificate>,
    messages: Vec<Message>,
}

impl SignedPackage {
    /// Reads an archive.
    ///
    /// # Errors
    ///
    /// A [`PackageError`] if it is not an archive of a package, or one that is made to do harm.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageError> {
        let mut files = archive::read(bytes)?;
        let folder = folder(&files)?;
        for file in &mut files {
            let path = file.path.strip_prefix(&folder).and_then(|path| path.strip_prefix('/'));
            let path =
                path.ok_or_else(|| PackageError::entry(&file.path, "it is not in the package's folder"))?;
            file.path = path.to_owned();
        }
        let mut take = |name| {
            let at = files.iter().position(|file| file.path == name).ok_or(PackageError::Unsigned(name))?;
            let file = files.remove(at);
            check_size(&file)?;
            Ok::<_, PackageError>(file)
        };
        let own_files = [take(INDEX)?, take(CERTIFICATES)?, take(SIGNATURE)?];
        let [_, certificates, message] = &own_files;
        let pem = &certificates.content;
        let certificates = trust::certificates(pem)?;
        if *pem != certificates.iter().map(Certificate::to_pem).collect::<String>().as_bytes() {
            return Err(PackageError::Form);
        }
        let messages = signature::read(&message.content)?;
        Ok(SignedPackage { folder, files, own_files, certificates, messages })
    }

    /// The signature, see [`signature`](crate::signature).
    pub fn signature(&self) -> &[u8] {
        let [.., signature] = &self.own_files;
        &signature.content
    }

    /// The messages of the signature.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The archive with another signature in it: the same with a timestamp.
    ///
    /// # Errors
    ///
    /// [`PackageError::Entry`] if the signature is too long, [`PackageError::Size`] if the archive is.
    pub fn with_signature(self, signature: Vec<u8>) -> Result<Vec<u8>, PackageError> {
        let [index, certificates, file] = self.own_files;
        let signature = File { content: signature, ..file };
        check_size(&signature)?;
        let files = self.files.into_iter().chain([index, certificates, signature]);
        archive::write(&self.folder, files.collect())
    }

    /// The certificates in the package: the signer's, and those between it and a CA. They are to be trusted only if a
    /// path leads from them to someone who is.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// What the package says that it is. Nothing of it is verified: it is for showing.
    ///
    /// # Errors
    ///
    /// [`PackageError::Contradiction`], [`PackageError::Index`], and those of [`Package::new`].
    pub fn unverified(self) -> Result<Package, PackageError> {
        let SignedPackage { folder, files, own_files, .. } = self;
        let [index, ..] = &own_files;
        let mut package = package(&folder, files, index)?;
        package.own_files = own_files.into();
        Ok(package)
    }

    /// Verifies that `signer`, who is trusted, has signed the package, all of it and nothing else. `now` is in seconds
    /// since the epoch. What is in the files is looked at last, when they are known to be the signer's.
    ///
    /// # Errors
    ///
    /// [`PackageError::Signature`] if the signature is wrong or not the signer's, [`PackageError::Expired`],
    /// [`PackageError::Unlisted`], [`PackageError::Missing`], [`PackageError::Different`], [`PackageError::Surplus`],
    /// and those of [`Package::new`].
    pub fn verify(self, signer: &Certificate, now: u64) -> Result<Package, PackageError> {
        let SignedPackage { folder, files, own_files, messages, .. } = self;
        let [index, ..] = &own_files;
        let statement = signature::verify(&messages, signer)?;
        if statement.is_expired(now) {
            return Err(PackageError::Expired);
        }
        let lists =
            |file: &File| statement.lists(&Entry { kind: Kind::FILE, digest: Digest::of(&file.content) });
        if !lists(index) {
            return Err(PackageError::Different(format!("{folder}/{}", index.path)));
        }
        index::check(&index.content, &folder, &files)?;
        if let Some(file) = files.iter().find(|file| !lists(file)) {
            return Err(PackageError::Unlisted(format!("{folder}/{}", file.path)));
        }

        let mut package = package(&folder, files, index)?;
        for (file, artifact) in package.artifacts() {
            if !artifact.entries().iter().all(|entry| statement.lists(entry)) {
                return Err(PackageError::Unlisted(format!("{folder}/{}", file.path)));
            }
        }
        let known = package.entries(&index.content);
        let surplus = statement.entries.iter().filter(|entry| !known.contains(entry)).count();
        if surplus > 0 {
            return Err(PackageError::Surplus(surplus));
        }
        package.own_files = own_files.into();
        Ok(package)
    }
}

/// The package of these files, if the folder and the list's title fit its metadata.
fn package(folder: &str, files: Vec<File>, index: &File) -> Result<Package, PackageError> {
    let title = index::title(&index.content)?;
    let package = Package::new(title.rsplit(' ').next().unwrap_or_default(), files)?;
    for (actual, expected) in [(folder, package.folder()), (title, &package.title())] {
        if actual != expected {
            let (actual, expected) = (actual.escape_debug().to_string(), expected.to_owned());
            return Err(PackageError::Contradiction { actual, expected });
        }
    }
    Ok(package)
}

fn check_size(own_file: &File) -> Result<(), PackageError> {
    if own_file.content.len() > MAX_OWN_FILE {
        return Err(PackageError::entry(&own_file.path, "it is larger than 64 KiB"));
    }
    Ok(())
}

/// The uppermost folder that the first file is in.
fn folder(files: &[File]) -> Result<String, PackageError> {
    let first = files.first().ok_or(PackageError::NoMetadata)?;
    match first.path.split_once('/') {
        Some((folder, _)) => Ok(folder.to_owned()),
        None => Err(PackageError::entry(&first.path, "it is in no folder")),
    }
}
