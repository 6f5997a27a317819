//! Kernel source: a tarball or a directory.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::Release;
use super::process::{self, Log};
use crate::interrupt;
use crate::progress::{Progress, Total};

/// Where Debian's `linux-source-*` packages put their tarball.
const DEBIAN: &str = "/usr/src";

/// Kernel source.
pub enum Source {
    /// A compressed tar file whose members share one leading directory.
    Tarball(PathBuf),
    /// An unpacked tree in which nothing has been built.
    Tree(PathBuf),
}

impl Source {
    /// The source at `given`, otherwise the one that Debian's package has installed, if it has.
    pub fn find(given: Option<&Path>, release: Release) -> Result<Option<Self>> {
        let Some(given) = given else { return Ok(tarball_in(Path::new(DEBIAN), release)) };
        let path = given.canonicalize().with_context(|| format!("kernel source {}", given.display()))?;
        if path.is_file() {
            return Ok(Some(Self::Tarball(path)));
        }
        if !path.join("Kbuild").is_file() {
            bail!("kernel source {}: there is no Linux source in it", path.display());
        }
        if path.join(".config").exists() || path.join("include/config").exists() {
            bail!(
                "kernel source {}: something has been built in it; run `make mrproper` there",
                path.display()
            );
        }
        Ok(Some(Self::Tree(path)))
    }

    /// SHA-256, in hex, of everything in the source.
    pub fn digest(&self, progress: &Progress) -> Result<String> {
        match self {
            Self::Tarball(path) => digest_file(path).map(hex::encode),
            Self::Tree(path) => digest_tree(path, progress).map(hex::encode),
        }
        .with_context(|| format!("cannot read kernel source {}", self.path().display()))
    }

    /// Puts a copy of the source at `tree`, which must not exist.
    pub fn unpack(&self, tree: &Path, log: &Log, progress: &Progress) -> Result<()> {
        fs::create_dir(tree).with_context(|| format!("cannot write {}", tree.display()))?;
        match self {
            Self::Tarball(path) => unpack_tarball(path, tree, log, progress),
            Self::Tree(path) => copy_tree(path, tree, log, progress),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Tarball(path) | Self::Tree(path) => path,
        }
    }
}

/// The tarball of the package in a directory, if it is there.
pub fn tarball_in(directory: &Path, release: Release) -> Option<Source> {
    let name = format!("{}.tar", release.package());
    ["xz", "zst", "gz", "bz2"]
        .iter()
        .map(|extension| directory.join(format!("{name}.{extension}")))
        .find(|path| path.is_file())
        .map(Source::Tarball)
}

/// Fails if the tree is not of this release.
pub fn check_release(tree: &Path, release: Release) -> Result<()> {
    let version = version(tree)?;
    let number = release.number;
    if !version.starts_with(&format!("{number}.")) {
        bail!("the kernel source is Linux {version}, {number}.y is needed");
    }
    Ok(())
}

/// Reads `VERSION`, `PATCHLEVEL` and `SUBLEVEL` from the top of the Makefile.
fn version(tree: &Path) -> Result<String> {
    let makefile = fs::read_to_string(tree.join("Makefile")).context("the kernel source has no Makefile")?;
    let value = |name: &str| {
        makefile
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('=').map(str::trim))
            .with_context(|| format!("the Makefile of the kernel source has no {name}"))
    };
    Ok(format!("{}.{}.{}", value("VERSION")?, value("PATCHLEVEL")?, value("SUBLEVEL")?))
}

fn unpack_tarball(path: &Path, tree: &Path, log: &Log, progress: &Progress) -> Result<()> {
    let mut tarball = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    // tar reads from a pipe or stdin what it does not open itself, and guesses no compression there.
    let compression = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "--xz",
        Some("zst") => "--zstd",
        Some("gz" | "tgz") => "--gzip",
        Some("bz2") => "--bzip2",
        Some("tar") => "--no-auto-compress",
        _ => bail!("{}: its name does not end in .tar or .tar.{{xz,zst,gz,bz2}}", path.display()),
    };
    let name = format!("Unpacking {}", path.file_name().unwrap_or_default().display());
    let mut task = progress.task(&name, Total::Bytes(tarball.metadata()?.len()));
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--strip-components=1", compression, "--directory"])
        .arg(tree)
        .stdin(Stdio::from(tarball.try_clone()?));
    // The file that tar reads shares its position with ours.
    process::run(&mut tar, log, |_| task.at(tarball.stream_position().unwrap_or_default()))?;
    task.done();
    Ok(())
}

fn copy_tree(path: &Path, tree: &Path, log: &Log, progress: &Progress) -> Result<()> {
    let task = progress.task(&format!("Copying {}", path.display()), Total::Unknown);
    let mut tar = Command::new("bash");
    tar.args(["-o", "pipefail", "-c", r#"tar -C "$1" --exclude=./.git -c . | tar -C "$2" -x"#, "copy"])
        .args([path, tree]);
    process::run(&mut tar, log, |_| {})?;
    task.done();
    Ok(())
}

fn digest_file(path: &Path) -> Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        interrupt::check()?;
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Over path, mode and contents of every file and symbolic link but those in `.git`.
fn digest_tree(root: &Path, progress: &Progress) -> Result<[u8; 32]> {
    let task = progress.task(&format!("Hashing {}", root.display()), Total::Unknown);
    let mut hash = Sha256::new();
    let not_git = |entry: &DirEntry| !(entry.depth() == 1 && entry.file_name() == ".git");
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(not_git) {
        let entry = entry?;
        let kind = entry.file_type();
        let digest: [u8; 32] = if kind.is_file() {
            digest_file(entry.path())?
        } else if kind.is_symlink() {
            Sha256::digest(fs::read_link(entry.path())?.as_os_str().as_bytes()).into()
        } else {
            continue;
        };
        let path = entry.path().strip_prefix(root)?.as_os_str().as_bytes();
        let executable = kind.is_file() && entry.metadata()?.permissions().mode() & 0o100 != 0;
        hash.update((path.len() as u64).to_le_bytes());
        hash.update(path);
        hash.update([u8::from(kind.is_symlink()), u8::from(executable)]);
        hash.update(digest);
    }
    task.done();
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::kernel::RELEASE;

    const MAKEFILE: &str =
        "# SPDX-License-Identifier: GPL-2.0\nVERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 117\n";

    fn tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("linux/.git")).unwrap();
        let tree = directory.path().join("linux");
        fs::write(tree.join("Makefile"), MAKEFILE).unwrap();
        fs::write(tree.join("Kbuild"), "").unwrap();
        fs::write(tree.join(".git/HEAD"), "one").unwrap();
        symlink("Kbuild", tree.join("link")).unwrap();
        directory
    }

    fn digest(tree: &Path) -> String {
        Source::find(Some(tree), RELEASE).unwrap().unwrap().digest(&Progress::on_stderr()).unwrap()
    }

    #[test]
    fn the_digest_of_a_tree_covers_what_is_built() {
        let directory = tree();
        let tree = directory.path().join("linux");
        let first = digest(&tree);

        fs::write(tree.join(".git/HEAD"), "two").unwrap();
        assert_eq!(digest(&tree), first);

        fs::write(tree.join("Kbuild"), "#").unwrap();
        let contents = digest(&tree);
        assert_ne!(contents, first);

        fs::set_permissions(tree.join("Kbuild"), fs::Permissions::from_mode(0o755)).unwrap();
        let mode = digest(&tree);
        assert_ne!(mode, contents);

        fs::remove_file(tree.join("link")).unwrap();
        symlink("Makefile", tree.join("link")).unwrap();
        assert_ne!(digest(&tree), mode);
    }

    #[test]
    fn a_tree_and_its_tarball_unpack_alike() {
        let directory = tree();
        let tarball = directory.path().join("linux.tar.xz");
        let tar =
            Command::new("tar").current_dir(&directory).args(["-cJf", "linux.tar.xz", "linux"]).status();
        assert!(tar.unwrap().success());
        let log = Log::create(&directory.path().join("log")).unwrap();
        for (source, copy) in [(directory.path().join("linux"), "copy"), (tarball, "unpacked")] {
            let source = Source::find(Some(&source), RELEASE).unwrap().unwrap();
            let copy = directory.path().join(copy);
            source.unpack(&copy, &log, &Progress::on_stderr()).unwrap();
            assert_eq!(digest(&copy), digest(&directory.path().join("linux")));
        }
    }

    #[test]
    fn another_release_is_refused() {
        let directory = tree();
        let tree = directory.path().join("linux");
        check_release(&tree, RELEASE).unwrap();
        fs::write(tree.join("Makefile"), MAKEFILE.replace("= 3", "= 30")).unwrap();
        let error = check_release(&tree, RELEASE).unwrap_err();
        assert_eq!(error.to_string(), "the kernel source is Linux 7.30.117, 7.3.y is needed");
    }

    #[test]
    fn a_tree_that_has_been_built_in_is_refused() {
        let directory = tree();
        let tree = directory.path().join("linux");
        fs::write(tree.join(".config"), "").unwrap();
        let Err(error) = Source::find(Some(&tree), RELEASE) else { panic!("it was accepted") };
        assert!(error.to_string().contains("make mrproper"), "{error}");
    }
}
