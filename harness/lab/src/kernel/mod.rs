//! Kernels to boot: built from source, patches and configuration fragments, kept in a cache.
//!
//! ```text
//! source + patches + config + tools ── key ──> cache entry, or build ──> cache entry ──> Kernel
//! ```

mod apt;
mod build;
mod ca;
mod cache;
mod config;
mod download;
mod inputs;
mod patches;
mod process;
mod source;
mod tools;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;

use self::cache::Cache;
use self::config::Fragment;
use self::inputs::Inputs;
use self::patches::{Patch, Series};
use self::source::Source;
use crate::progress::Progress;

pub use self::build::SPACE as BUILD_SPACE;
pub use self::cache::Kernel;

/// The step in which a kernel is compiled, as the times of earlier runs are recorded under.
pub const BUILD_STEP: &str = "Building the kernel";

/// The release that the patches are made for.
const RELEASE: Release = Release { number: "7.3", suites: &["trixie-backports", "testing", "sid"] };

/// A release of Linux, as Debian's package `linux-source-NUMBER`.
#[derive(Clone, Copy)]
struct Release {
    /// Such as `6.12`.
    number: &'static str,
    /// The suites of Debian's archive that may have the package, besides those that the machine uses.
    suites: &'static [&'static str],
}

impl Release {
    fn package(self) -> String {
        format!("linux-source-{}", self.number)
    }
}

/// Which kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// With the series.
    Patched,
    /// The same source and configuration without it: mainline, which checks signatures of loader programs.
    Baseline,
    /// Patched, and configured so that the structures of the kernel are laid out differently.
    Layout,
    /// Patched, and configured for what a distribution starts: systemd, containers, lockdown.
    Distribution,
    /// Patched, but the verifier fetches again what the signature has covered: races against a load must show on it.
    Unprotected,
    /// Patched, and built as user-mode Linux: a program of this machine.
    Uml,
    /// As user-mode Linux, with KASAN, which finds wrong uses of memory.
    Kasan,
    /// Patched, with KASAN, UBSAN, leak detection and fault injection, for QEMU: slow, but with the JIT.
    Sanitized,
    /// Patched, with KCSAN, which finds data races once the guest has switched it on, for QEMU with several CPUs.
    Kcsan,
}

impl Variant {
    /// Whether the kernel is a program of this machine.
    pub fn is_uml(self) -> bool {
        matches!(self, Self::Uml | Self::Kasan)
    }

    /// `ARCH` of the kernel build, if it is not this machine's.
    fn arch(self) -> Option<&'static str> {
        self.is_uml().then_some("um")
    }

    /// What `make` calls the image to boot.
    fn image(self) -> &'static str {
        if self.is_uml() { "linux" } else { "bzImage" }
    }

    /// What the cache calls the kernel with its symbols and BTF.
    fn vmlinux(self) -> &'static str {
        if self.is_uml() { self.image() } else { "vmlinux" }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patched => "patched",
            Self::Baseline => "baseline",
            Self::Layout => "layout",
            Self::Distribution => "distribution",
            Self::Unprotected => "unprotected",
            Self::Uml => "uml",
            Self::Kasan => "kasan",
            Self::Sanitized => "sanitized",
            Self::Kcsan => "kcsan",
        })
    }
}

/// The kernel of this variant: from the cache, otherwise built first, which takes minutes.
///
/// `source` is a directory or a tarball; without it Debian's `linux-source-7.3` is used: installed, downloaded
/// earlier, or downloaded from the first suite that has it. Fails without leaving anything in the cache if a tool is missing, a patch does not apply, a requested
/// config symbol is lost, the compiler fails, the disk is full, or the user interrupts.
pub fn obtain(variant: Variant, source: Option<&Path>, progress: &Progress) -> Result<Kernel> {
    let cache = Cache::open()?;
    let source = match at_hand(source, &cache)? {
        Some(source) => source,
        None => download::download(RELEASE, &cache.sources(), &cache.lock(progress)?, progress)?,
    };
    let recipe = Recipe::new(variant, source, progress)?;
    if let Some(kernel) = cache.get(variant, &recipe.key)? {
        return Ok(kernel);
    }
    let lock = cache.lock(progress)?;
    // Whoever held the lock may have built this very kernel.
    if let Some(kernel) = cache.get(variant, &recipe.key)? {
        return Ok(kernel);
    }
    build::build(&recipe, &cache, &lock, progress)
}

/// The kernel of this variant if it is in the cache.
pub fn cached(variant: Variant, source: Option<&Path>, progress: &Progress) -> Result<Option<Kernel>> {
    let cache = Cache::open()?;
    let Some(source) = at_hand(source, &cache)? else { return Ok(None) };
    let recipe = Recipe::new(variant, source, progress)?;
    cache.get(variant, &recipe.key)
}

/// The source that is given, installed, or has been downloaded.
fn at_hand(given: Option<&Path>, cache: &Cache) -> Result<Option<Source>> {
    Ok(Source::find(given, RELEASE)?.or_else(|| download::downloaded(RELEASE, &cache.sources())))
}

/// Everything that decides what the built kernel is.
struct Recipe {
    variant: Variant,
    source: Source,
    source_digest: String,
    series: Series,
    fragments: Vec<Fragment>,
    key: String,
}

impl Recipe {
    fn new(variant: Variant, source: Source, progress: &Progress) -> Result<Self> {
        let kernel_patch = kernel_patch();
        let patches = kernel_patch.join(format!("linux-{}", RELEASE.number));
        let config = kernel_patch.join("config");
        let mut fragments = config::read(&config)?;
        let mut series = Series::default();
        if variant == Variant::Baseline {
            fragments.retain(|fragment| fragment.name != config::PATCHED_ONLY);
        } else {
            series = Series::read(&patches)?;
            if series.is_empty() {
                bail!(
                    "there are no patches in {}; `--variant baseline` builds the kernel without them",
                    patches.display()
                );
            }
        }
        match variant {
            Variant::Patched | Variant::Baseline => {}
            Variant::Layout => fragments.extend(config::read(&config.join("layout"))?),
            Variant::Distribution => fragments.extend(config::read(&config.join("distribution"))?),
            Variant::Unprotected => series.append(Series::read(&patches.join("unprotected"))?),
            Variant::Uml | Variant::Kasan => fragments.extend(config::read(&config.join("uml"))?),
            Variant::Sanitized => fragments.extend(config::read(&config.join("sanitized"))?),
            Variant::Kcsan => fragments.extend(config::read(&config.join("kcsan"))?),
        }
        if matches!(variant, Variant::Kasan | Variant::Sanitized) {
            fragments.extend(config::read(&config.join("kasan"))?);
        }
        tools::check()?;
        let source_digest = source.digest(progress)?;
        let inputs = Inputs {
            source: source_digest.clone(),
            patches: series.iter().map(Patch::built).collect(),
            fragments: fragments.iter().map(|fragment| fragment.text.clone()).collect(),
            tools: tools::versions()?,
        };
        Ok(Self { variant, source, source_digest, series, fragments, key: inputs.key() })
    }
}

/// `kernel-patch/` of the repository that this program was built from.
fn kernel_patch() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernel-patch")
}
