//! `manifest.json`: a package's metadata, for L3AF's l3afd.

use serde::Deserialize;

use super::{File, Version, path};
use crate::artifact::Artifact;

/// The fields of l3afd's `BPFProgram` (`models/l3afd.go`) that a package decides. Those that a host decides, such as
/// `seq_id` or `start_args`, may be there too; they are not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Name of the package.
    pub name: String,
    /// Its version: a newer one is never replaced by an older one.
    pub version: Version,
    /// File name of the archive.
    pub artifact: String,
    /// Program type: `xdp`, `tc`, …
    #[serde(default)]
    pub prog_type: String,
    /// File with the eBPF programs.
    #[serde(default)]
    pub object_file: String,
    /// The program in it that is run first.
    #[serde(default)]
    pub entry_function_name: String,
    /// Map that the next program in the chain is put into.
    #[serde(default)]
    pub map_name: String,
    /// File that starts the user-mode program.
    #[serde(default)]
    pub cmd_start: String,
    /// File that stops it.
    #[serde(default)]
    pub cmd_stop: String,
    /// File that tells how it is.
    #[serde(default)]
    pub cmd_status: String,
    /// File that tells its configuration.
    #[serde(default)]
    pub cmd_config: String,
    /// File that changes its configuration.
    #[serde(default)]
    pub cmd_update: String,
}

/// What can be wrong with `manifest.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Not JSON, or not with these fields.
    #[error("{0}")]
    Json(serde_json::Error),
    /// A name that can't be one.
    #[error("{field} `{value}`: {problem}")]
    Name {
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file that is not in the package.
    #[error("{field} `{value}` is not a file of the package")]
    NoFile {
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// A program that is not in the object.
    #[error("`{object}` has no program `{program}`")]
    NoProgram {
        /// The object.
        object: String,
        /// The program.
        program: String,
    },
}

impl Metadata {
    pub(super) fn read(json: &[u8]) -> Result<Self, MetadataError> {
        let metadata: Metadata = serde_json::from_slice(json).map_err(MetadataError::Json)?;
        let version = metadata.version.to_string();
        for (field, value) in
            [("name", &metadata.name), ("version", &version), ("artifact", &metadata.artifact)]
                .into_iter()
                .chain([("artifact", &metadata.folder().to_owned())])
        {
            path::check_component(value).map_err(|problem| MetadataError::Name {
                field,
                value: value.escape_debug().to_string(),
                problem,
            })?;
        }
        Ok(metadata)
    }

    /// The folder of the archive that the files are in, which l3afd derives from the archive's name: all before the first
    /// dot.
    pub fn folder(&self) -> &str {
        self.artifact.split('.').next().unwrap_or_default()
    }

    /// Checks that everything exists that the metadata names.
    pub(super) fn check(&self, files: &[File], artifacts: &[Artifact]) -> Result<(), MetadataError> {
        let find = |path: &str| files.iter().position(|file| file.path == path);
        for (field, value) in [
            ("object_file", &self.object_file),
            ("cmd_start", &self.cmd_start),
            ("cmd_stop", &self.cmd_stop),
            ("cmd_status", &self.cmd_status),
            ("cmd_config", &self.cmd_config),
            ("cmd_update", &self.cmd_update),
        ] {
            if !value.is_empty() && find(value).is_none() {
                return Err(MetadataError::NoFile { field, value: value.escape_debug().to_string() });
            }
        }

        // Of an object for Windows, the programs are not known.
        let Some(Artifact::LinuxObject { programs, .. }) =
            find(&self.object_file).map(|index| &artifacts[index])
        else {
            return Ok(());
        };
        let entry = &self.entry_function_name;
        if !entry.is_empty() && !programs.iter().any(|program| program.whole_name() == entry) {
            return Err(MetadataError::NoProgram {
                object: self.object_file.clone(),
                program: entry.escape_debug().to_string(),
            });
        }
        Ok(())
    }
}
