//! The cache of built kernels.
//!
//! ```text
//! $BPFSIG_CACHE (otherwise $XDG_CACHE_HOME/bpfsig, otherwise ~/.cache/bpfsig)
//!   ccache/                     objects of the C compiler
//!   source/                     a downloaded linux-source package
//!   source/DIGEST/              the source of the last build, unpacked; a build hard-links its files
//!   kernel/lock                 held by the process that builds
//!   kernel/build/               what that process is working on; whatever the last one left is removed
//!   kernel/build-VARIANT.log    output of the last build
//!   kernel/VARIANT-KEY/         an entry, complete since it was renamed into place
//! ```

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::BinaryBytes;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statvfs::statvfs;
use serde::{Deserialize, Serialize};

use super::Variant;
use crate::progress::{Progress, Total};
use crate::{cache_dir, interrupt};

/// Held by the process that builds.
pub type Lock = Flock<File>;

/// The file that an [`Entry`] is stored in.
const ENTRY: &str = "kernel.json";

/// A built kernel. All paths are in its cache entry.
#[derive(Debug)]
pub struct Kernel {
    /// Which kernel it is.
    pub variant: Variant,
    /// `bzImage`, or the program `linux`.
    pub image: PathBuf,
    /// `.config`.
    pub config: PathBuf,
    /// The directory to give to `modprobe -d`.
    pub modules: PathBuf,
    /// Private key of the certificate authority in the builtin keyring: PKCS#8, PEM.
    pub ca_key: PathBuf,
    /// Its certificate: X.509, PEM.
    pub ca_certificate: PathBuf,
    /// `uname -r`, such as `7.3.4`.
    pub version: String,
    /// SHA-256 of `.config`, in hex.
    pub config_sha256: String,
    /// SHA-256 of all patches, one after the other, in hex; none for the baseline.
    pub patches_sha256: Option<String>,
}

/// The description in an entry.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    pub version: String,
    pub config_sha256: String,
    pub patches_sha256: Option<String>,
    /// Object files that the build compiled: the next build's progress bar counts up to it.
    pub objects: u64,
}

/// The cache.
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The user's cache; makes its directories.
    pub fn open() -> Result<Self> {
        Self::at(cache_dir::cache()?)
    }

    fn at(root: PathBuf) -> Result<Self> {
        let cache = Self { root };
        for directory in [cache.sources(), cache.kernels()] {
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot make the cache {}", directory.display()))?;
        }
        Ok(cache)
    }

    /// Downloaded kernel sources.
    pub fn sources(&self) -> PathBuf {
        self.root.join("source")
    }

    /// `CCACHE_DIR`.
    pub fn ccache(&self) -> PathBuf {
        self.root.join("ccache")
    }

    /// Output of the last build of this variant.
    pub fn log(&self, variant: Variant) -> PathBuf {
        self.kernels().join(format!("build-{variant}.log"))
    }

    fn kernels(&self) -> PathBuf {
        self.root.join("kernel")
    }

    fn place(&self, variant: Variant, key: &str) -> PathBuf {
        self.kernels().join(format!("{variant}-{}", &key[..16]))
    }

    /// The kernel with this key.
    pub fn get(&self, variant: Variant, key: &str) -> Result<Option<Kernel>> {
        let place = self.place(variant, key);
        let Some(entry) = read_entry(&place)? else { return Ok(None) };
        Ok(Some(Kernel {
            variant,
            image: place.join(variant.image()),
            config: place.join("config"),
            ca_key: place.join("ca.key"),
            ca_certificate: place.join("ca.pem"),
            version: entry.version,
            config_sha256: entry.config_sha256,
            patches_sha256: entry.patches_sha256,
            modules: place,
        }))
    }

    /// Objects that the most recent build compiled, if there was one.
    pub fn last_objects(&self) -> Result<Option<u64>> {
        let mut newest = None;
        for directory in fs::read_dir(self.kernels())? {
            let directory = directory?;
            if let Some(entry) = read_entry(&directory.path())? {
                let modified = directory.metadata()?.modified()?;
                newest = newest.max(Some((modified, entry.objects)));
            }
        }
        Ok(newest.map(|(_, objects)| objects))
    }

    /// Waits until no other process builds.
    pub fn lock(&self, progress: &Progress) -> Result<Lock> {
        let path = self.kernels().join("lock");
        let mut file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut waiting = None;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((unlocked, Errno::EWOULDBLOCK)) => file = unlocked,
                Err((_, error)) => bail!("cannot lock {}: {error}", path.display()),
            }
            waiting.get_or_insert_with(|| progress.task("Waiting for another kernel build", Total::Unknown));
            interrupt::check()?;
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// An empty directory to build in, on a disk with `space` bytes left. Needs the lock.
    ///
    /// It is always at the same path, so that ccache finds its objects again.
    pub fn workspace<'a>(&self, _lock: &Lock, space: u64, progress: &'a Progress) -> Result<Workspace<'a>> {
        let workspace = Workspace { path: self.kernels().join("build"), progress };
        workspace.remove().context("cannot remove what the last build left")?;
        let free = free_space(&self.root)?;
        if free < space {
            bail!(
                "building the kernel takes about {}, {} has {} left; BPFSIG_CACHE names another place",
                BinaryBytes(space),
                self.root.display(),
                BinaryBytes(free)
            );
        }
        fs::create_dir(&workspace.path)
            .with_context(|| format!("cannot write {}", workspace.path.display()))?;
        Ok(workspace)
    }

    /// The unpacked source with this digest, if it is there.
    pub fn source_tree(&self, digest: &str) -> Option<PathBuf> {
        Some(self.sources().join(&digest[..16])).filter(|tree| tree.is_dir())
    }

    /// Keeps `tree`, which must be on the cache's file system, as the unpacked source with this digest, and no other.
    pub fn put_source_tree(&self, tree: &Path, digest: &str, workspace: &Workspace<'_>) -> Result<PathBuf> {
        for entry in fs::read_dir(self.sources())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                // Moved before it is removed: a tree at its place is whole.
                fs::rename(entry.path(), workspace.path().join(entry.file_name()))
                    .context("cannot remove an older kernel source")?;
            }
        }
        let place = self.sources().join(&digest[..16]);
        fs::rename(tree, &place)
            .with_context(|| format!("cannot put the kernel source at {}", place.display()))?;
        Ok(place)
    }

    /// Makes `directory`, which must be on the cache's file system, the entry with this key.
    pub fn put(&self, directory: &Path, variant: Variant, key: &str, entry: &Entry) -> Result<Kernel> {
        fs::write(directory.join(ENTRY), serde_json::to_vec_pretty(entry)?)?;
        let place = self.place(variant, key);
        fs::rename(directory, &place)
            .with_context(|| format!("cannot put the kernel at {}", place.display()))?;
        self.get(variant, key)?.context("the new cache entry has disappeared")
    }
}

/// A directory that is removed when its user is done, well or not.
pub struct Workspace<'a> {
    path: PathBuf,
    progress: &'a Progress,
}

impl Workspace<'_> {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn remove(&self) -> std::io::Result<()> {
        if !self.path.exists() {
            return Ok(());
        }
        // Minutes on a file system that is mounted with `discard`.
        let task = self.progress.task("Removing the build tree", Total::Unknown);
        fs::remove_dir_all(&self.path)?;
        task.done();
        Ok(())
    }
}

impl Drop for Workspace<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            self.progress.line(&format!("bpfsig: warning: cannot remove {}: {error}", self.path.display()));
        }
    }
}

/// Bytes left for us on the disk that holds `path`.
pub fn free_space(path: &Path) -> Result<u64> {
    let stat = statvfs(path).with_context(|| format!("cannot tell the free space of {}", path.display()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

fn read_entry(place: &Path) -> Result<Option<Entry>> {
    let path = place.join(ENTRY);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .with_context(|| format!("{} is damaged: remove it", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(objects: u64) -> Entry {
        Entry {
            version: "7.3.4".into(),
            config_sha256: "c".into(),
            patches_sha256: Some("p".into()),
            objects,
        }
    }

    #[test]
    fn an_entry_is_there_once_it_has_been_put() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache")).unwrap();
        let key = "a".repeat(64);
        assert!(cache.get(Variant::Patched, &key).unwrap().is_none());
        assert_eq!(cache.last_objects().unwrap(), None);

        let lock = cache.lock(&Progress::on_stderr()).unwrap();
        let progress = Progress::on_stderr();
        let workspace = cache.workspace(&lock, 0, &progress).unwrap();
        let new = workspace.path().join("entry");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("bzImage"), "image").unwrap();
        cache.put(&new, Variant::Patched, &key, &entry(7)).unwrap();
        drop(workspace);

        let kernel = cache.get(Variant::Patched, &key).unwrap().unwrap();
        assert_eq!(fs::read_to_string(kernel.image).unwrap(), "image");
        assert_eq!((kernel.version.as_str(), kernel.patches_sha256.as_deref()), ("7.3.4", Some("p")));
        assert!(cache.get(Variant::Baseline, &key).unwrap().is_none());
        assert_eq!(cache.last_objects().unwrap(), Some(7));
        assert!(!cache.kernels().join("build").exists());
    }

    #[test]
    fn a_workspace_starts_empty_whatever_the_last_build_left() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache")).unwrap();
        fs::create_dir_all(cache.kernels().join("build/linux")).unwrap();
        let lock = cache.lock(&Progress::on_stderr()).unwrap();
        let progress = Progress::on_stderr();
        let workspace = cache.workspace(&lock, 0, &progress).unwrap();
        assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_disk_that_is_too_small_is_refused_before_anything_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache")).unwrap();
        let (lock, progress) = (cache.lock(&Progress::on_stderr()).unwrap(), Progress::on_stderr());
        let Err(error) = cache.workspace(&lock, 1 << 60, &progress) else { panic!("it was accepted") };
        assert!(error.to_string().starts_with("building the kernel takes about 1.00 EiB, "), "{error}");
        assert!(!cache.kernels().join("build").exists());
    }

    #[test]
    fn only_the_last_source_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache")).unwrap();
        fs::write(cache.sources().join("linux-source-7.3.tar.xz"), "").unwrap();
        let (lock, progress) = (cache.lock(&Progress::on_stderr()).unwrap(), Progress::on_stderr());
        let workspace = cache.workspace(&lock, 0, &progress).unwrap();
        for (digest, other) in [("a".repeat(64), "b".repeat(64)), ("b".repeat(64), "a".repeat(64))] {
            let tree = workspace.path().join("source");
            fs::create_dir(&tree).unwrap();
            let place = cache.put_source_tree(&tree, &digest, &workspace).unwrap();
            assert_eq!(cache.source_tree(&digest), Some(place));
            assert_eq!(cache.source_tree(&other), None);
        }
        assert!(cache.sources().join("linux-source-7.3.tar.xz").exists());
    }

    #[test]
    fn only_one_process_builds() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache")).unwrap();
        let _lock = cache.lock(&Progress::on_stderr()).unwrap();
        let file = File::open(cache.kernels().join("lock")).unwrap();
        assert!(Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err());
    }
}
