//! What can be wrong with a package.

use super::metadata::MetadataError;
use super::{MAX_FILES, MAX_SIZE, METADATA, archive};
use crate::Error;
use crate::artifact::ArtifactError;

/// Why a package can't be made, or why it is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// An archive that is too large to be looked at.
    #[error("the archive has more than {max} bytes", max = MAX_SIZE)]
    Size,
    /// An archive that is damaged.
    #[error("the archive is damaged {place}: {reason}")]
    Damaged {
        /// Where.
        place: String,
        /// What was found there.
        reason: std::io::Error,
    },
    /// An archive that goes beyond the limits when it is unpacked.
    #[error("the archive is a bomb: {place}, {reason}")]
    Bomb {
        /// Where.
        place: String,
        /// The limit.
        reason: archive::Limit,
    },
    /// More files than a package can have.
    #[error("{0} files are more than the {MAX_FILES} that a package can have")]
    Files(usize),
    /// Bytes after the archive's end.
    #[error("{0} bytes follow the end of the archive")]
    Trailing(usize),
    /// An archive that another program has made of these files.
    #[error("the archive is not in the one form that these files have as a package")]
    Form,
    /// An entry that a package can't have.
    #[error("`{entry}`: {problem}")]
    Entry {
        /// The entry's path; what is not printable is escaped.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two entries that can't be side by side on every system.
    #[error("`{one}` and `{other}` are in each other's way")]
    Conflict {
        /// One of them.
        one: String,
        /// The other one.
        other: String,
    },
    /// A platform that can't be a folder's name.
    #[error("the platform can't name a folder: {problem}")]
    Platform {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A package without metadata.
    #[error("there is no {METADATA}")]
    NoMetadata,
    /// Metadata that can't be read, or that the files contradict.
    #[error("{METADATA}")]
    Metadata(#[from] MetadataError),
    /// A file that can't be signed.
    #[error("`{path}`")]
    Artifact {
        /// The file's path.
        path: String,
        /// What is wrong with it.
        #[source]
        error: ArtifactError,
    },
    /// A package whose archive or list of files says something other than its metadata.
    #[error("the package is `{actual}`, but {METADATA} says `{expected}`")]
    Contradiction {
        /// The folder in the archive, or name, version and platform.
        actual: String,
        /// What it should be.
        expected: String,
    },
    /// An archive whose files are not in one folder together.
    #[error("`{0}` is not in the same folder as the other files")]
    Folders(String),
    /// A package without a signature.
    #[error("the package is not signed: there is no `{0}`")]
    Unsigned(&'static str),
    /// A signature that is none, or is wrong.
    #[error(transparent)]
    Signature(#[from] Error),
    /// A signature that does not count any more.
    #[error("the signature has expired")]
    Expired,
    /// The list of files is malformed.
    #[error("line {0} of the list of files is not `DIGEST  PATH`")]
    Index(usize),
    /// A file that was not signed.
    #[error("`{0}` was not signed with the package")]
    Unlisted(String),
    /// A file that was signed and is not there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A file that is another one than was signed.
    #[error("`{0}` is not the file that was signed")]
    Different(String),
    /// A statement for something else.
    #[error("the statement lists {0} things that are not in the package")]
    Surplus(usize),
}

impl PackageError {
    pub(super) fn entry(entry: &str, problem: &'static str) -> Self {
        PackageError::Entry { entry: entry.escape_debug().to_string(), problem }
    }
}
