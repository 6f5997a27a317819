//! A file of a package.

use object::elf::ET_REL;

use super::PackageError;
use crate::artifact::Artifact;

/// A file of a package, in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Where it is, below the package's folder; with `/` on every system.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
}

impl File {
    /// Whether Linux could run it: a script, or an ELF file that is linked.
    pub fn is_executable(&self) -> bool {
        // The header says the same of both classes at this place.
        const ELF_TYPE: std::ops::Range<usize> = 16..18;
        let is_linked = |file: &[u8]| file.get(ELF_TYPE).is_some_and(|kind| kind != ET_REL.0.to_le_bytes());
        self.content.starts_with(b"#!") || self.content.starts_with(b"\x7fELF") && is_linked(&self.content)
    }

    pub(super) fn artifact(&self) -> Result<Artifact, PackageError> {
        Artifact::of(&self.content, None)
            .map_err(|error| PackageError::Artifact { path: self.path.clone(), error })
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({}, {} bytes)", self.path, self.content.len())
    }
}
