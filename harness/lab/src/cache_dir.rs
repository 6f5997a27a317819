//! The directory for everything that is kept from one run to the next.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// `$BPFSIG_CACHE`, otherwise `$XDG_CACHE_HOME/bpfsig`, otherwise `~/.cache/bpfsig`.
///
/// # Errors
/// None of these variables is set.
pub fn cache() -> Result<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = variable("BPFSIG_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("bpfsig")))
        .or_else(|| Some(variable("HOME")?.join(".cache/bpfsig")))
        .context("no place for the cache: set BPFSIG_CACHE or HOME")?;
    std::path::absolute(&root).with_context(|| format!("cache {}", root.display()))
}
