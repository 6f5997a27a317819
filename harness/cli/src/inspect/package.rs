//! What `inspect` shows of a package.

use std::collections::BTreeMap;
use std::{fmt, iter};

use anyhow::{Context, Result};
use bpfsig_signing::Digest;
use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::package::{File, Package, SignedPackage};
use serde::Serialize;

use super::view::{SignatureView, View};

#[derive(Serialize)]
pub struct PackageView {
    /// Name, version and platform.
    pub title: String,
    /// Where it is installed.
    pub place: String,
    /// Without those of its signature.
    pub files: Vec<FileView>,
}

#[derive(Serialize)]
pub struct FileView {
    pub path: String,
    #[serde(flatten)]
    pub view: View,
}

impl View {
    pub fn of_package(package: SignedPackage, certificate: Option<&Certificate>) -> Result<Self> {
        let certificate = certificate.or(package.certificates().first());
        let mut signature = SignatureView::of(package.messages(), certificate)?;
        let package = package.unverified()?;
        let names = names(&package);
        for bound in signature.statement.iter_mut().flat_map(|statement| &mut statement.entries) {
            bound.name = names.get(&bound.digest).cloned();
        }
        let package = Some(PackageView::of(&package)?);
        Ok(Self { signature: Some(signature), package, ..Self::of_kind(&"package") })
    }
}

impl PackageView {
    fn of(package: &Package) -> Result<Self> {
        let view = |(file, artifact): (&File, &Artifact)| {
            let view = View::of_file(artifact, &file.content, None).with_context(|| file.path.clone())?;
            Ok(FileView { path: file.path.clone(), view })
        };
        let files = package.artifacts().map(view).collect::<Result<_>>()?;
        Ok(Self { title: package.title(), place: package.place(), files })
    }
}

impl fmt::Display for PackageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<11}{}", "package", self.title)?;
        writeln!(f, "{:<11}{}", "place", self.place)?;
        for FileView { path, view } in &self.files {
            writeln!(f, "{:<11}{path}", "file")?;
            write!(f, "{view}")?;
        }
        Ok(())
    }
}

/// What the digests in a package's statement are of.
fn names(package: &Package) -> BTreeMap<String, String> {
    let files = package.own_files().iter().chain(package.files());
    let files = files.map(|file| (Digest::of(&file.content), file.path.clone()));
    let parts = package.artifacts().flat_map(|(file, artifact)| {
        let names =
            artifact.programs().iter().map(|program| format!("{} in {}", program.whole_name(), file.path));
        let names = names.chain(iter::repeat(file.path.clone()));
        artifact.entries().into_iter().map(|entry| entry.digest).zip(names)
    });
    files.chain(parts).map(|(digest, name)| (digest.to_string(), name)).collect()
}
