//! Building a kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::cache::{Cache, Entry, Kernel, Lock, Workspace, free_space};
use super::process::{self, Event, Log};
use super::{RELEASE, Recipe, Variant, ca, config, source, tools};
use crate::progress::{Progress, Total};

/// What a build takes on disk at its end, in bytes: the source 1.7 GiB, its objects 1.3, ccache 0.3.
pub const SPACE: u64 = 4 << 30;

/// A disk with fewer free bytes is full: a build that fails there has failed because of that.
const SPACE_FULL: u64 = 16 << 20;

/// Objects that a build compiles if no earlier build tells: 7.3.4 with the fragments of this repository.
const TYPICAL_OBJECTS: u64 = 1760;

/// Where `CONFIG_SYSTEM_TRUSTED_KEYS` expects the certificate.
const CA_IN_TREE: &str = "certs/bpfsig-ca.pem";

/// Where the compiler is in the tree, if there is ccache.
const COMPILER: &str = "cached-gcc";

/// ccache goes by the headers that gcc has written down, and so does not see that `.incbin` reads another certificate, or
/// another configuration, than last time.
const CACHING_COMPILER: &str = r#"for source; do :; done
if [ -f "$source" ] && grep --quiet incbin "$source"; then exec gcc "$@"; fi
exec ccache gcc "$@"
"#;

/// Variables of the user that would change what is built.
const FOREIGN_VARIABLES: [&str; 9] = [
    "ARCH",
    "CROSS_COMPILE",
    "LLVM",
    "KBUILD_OUTPUT",
    "KCFLAGS",
    "KCONFIG_CONFIG",
    "LOCALVERSION",
    "MAKEFLAGS",
    "O",
];

/// Builds the kernel and puts it into the cache.
pub fn build(recipe: &Recipe, cache: &Cache, lock: &Lock, progress: &Progress) -> Result<Kernel> {
    let workspace = cache.workspace(lock, SPACE, progress)?;
    let result = build_in(&workspace, recipe, cache, progress);
    // Nothing that ran says so where the log is on that disk too.
    if result.is_err() && free_space(workspace.path())? < SPACE_FULL {
        return result.with_context(|| format!("the disk that holds {} is full", workspace.path().display()));
    }
    result
}

fn build_in(
    workspace: &Workspace<'_>,
    recipe: &Recipe,
    cache: &Cache,
    progress: &Progress,
) -> Result<Kernel> {
    let entry = workspace.path().join("entry");
    fs::create_dir(&entry)?;
    let build = Build {
        variant: recipe.variant,
        tree: workspace.path().join("linux"),
        ccache: cache.ccache(),
        log: Log::create(&cache.log(recipe.variant))?,
    };

    let source = match cache.source_tree(&recipe.source_digest) {
        Some(source) => source,
        None => {
            let unpacked = workspace.path().join("source");
            recipe.source.unpack(&unpacked, &build.log, progress)?;
            source::check_release(&unpacked, RELEASE)?;
            cache.put_source_tree(&unpacked, &recipe.source_digest, workspace)?
        }
    };
    build.link(&source)?;
    recipe.series.apply(&build.tree, &build.log)?;
    build.write_compiler()?;
    build.configure(recipe, progress)?;
    ca::create(&entry.join("ca.key"), &entry.join("ca.pem"))?;
    fs::copy(entry.join("ca.pem"), build.tree.join(CA_IN_TREE))?;
    let objects = build.compile(cache.last_objects()?.unwrap_or(TYPICAL_OBJECTS), progress)?;
    build.collect(&entry)?;

    let about = Entry {
        version: build.read("include/config/kernel.release")?.trim().to_owned(),
        config_sha256: hex::encode(Sha256::digest(build.read(".config")?)),
        patches_sha256: recipe.series.sha256(),
        objects,
    };
    cache.put(&entry, recipe.variant, &recipe.key, &about)
}

struct Build {
    variant: Variant,
    tree: PathBuf,
    ccache: PathBuf,
    log: Log,
}

impl Build {
    /// Makes the tree out of hard links to the source: `patch`, and whatever else writes there, makes new files.
    fn link(&self, source: &Path) -> Result<()> {
        let mut cp = Command::new("cp");
        process::run(cp.args(["--archive", "--link"]).args([source, &self.tree]), &self.log, |_| {})
    }

    fn configure(&self, recipe: &Recipe, progress: &Progress) -> Result<()> {
        let task = progress.task("Configuring", Total::Unknown);
        process::run(self.make().arg("tinyconfig"), &self.log, |_| {})?;
        let mut dot_config = self.read(".config")?;
        for fragment in &recipe.fragments {
            dot_config += &fragment.text;
        }
        fs::write(self.tree.join(".config"), dot_config)?;
        process::run(self.make().arg("olddefconfig"), &self.log, |_| {})?;
        config::check_survived(&recipe.fragments, &self.read(".config")?)?;
        task.done();
        Ok(())
    }

    /// Returns the number of objects that were compiled.
    fn compile(&self, expected: u64, progress: &Progress) -> Result<u64> {
        let mut task = progress.task(super::BUILD_STEP, Total::AboutItems(expected));
        let jobs = thread::available_parallelism().map_or(1, |n| n.get());
        let mut make = self.make();
        make.arg(format!("-j{jobs}")).args([self.variant.image(), "modules"]);
        process::run(&mut make, &self.log, |event| {
            let Event::Line(line) = event else { return };
            // Such as `  CC      kernel/fork.o`, `  CC [M]  net/ipv4/tcp_dctcp.o`, `  BTF     .btf.vmlinux.bin.o`.
            let mut words = line.split_whitespace();
            match (words.next(), words.last()) {
                (Some("CC" | "AS"), Some(_)) => task.advance(),
                (Some(step @ ("LD" | "BTF" | "BTFIDS" | "GZIP" | "KSYMS")), Some(file)) => {
                    let name = file.rsplit('/').next().unwrap_or(file);
                    task.note(&format!("{step} {name}"));
                }
                _ => {}
            }
        })?;
        let objects = task.position();
        task.done();
        Ok(objects)
    }

    /// Copies what the cache keeps into its entry.
    fn collect(&self, entry: &Path) -> Result<()> {
        // What user-mode Linux boots is the stripped vmlinux.
        if !self.variant.is_uml() {
            fs::copy(self.tree.join("arch/x86/boot/bzImage"), entry.join("bzImage"))?;
        }
        fs::copy(self.tree.join(".config"), entry.join("config"))?;

        let mut objcopy = Command::new("objcopy");
        objcopy.arg("--strip-debug").arg(self.tree.join("vmlinux")).arg(entry.join(self.variant.vmlinux()));
        process::run(&mut objcopy, &self.log, |_| {})?;

        // Kbuild builds it only for kernels with signed modules.
        let mut gcc = Command::new("gcc");
        // Headers that only later releases have.
        gcc.arg("-idirafter")
            .arg(self.tree.join("tools/include/uapi"))
            .args(["-O2", "-o"])
            .arg(entry.join("sign-file"));
        gcc.arg(self.tree.join("scripts/sign-file.c")).arg("-lcrypto");
        process::run(&mut gcc, &self.log, |_| {})?;

        let mut install = self.make();
        install.arg("modules_install").arg("INSTALL_MOD_STRIP=1");
        install.arg(format!("INSTALL_MOD_PATH={}", entry.display()));
        if let Some(depmod) = tools::find("depmod") {
            install.arg(format!("DEPMOD={}", depmod.display()));
        }
        process::run(&mut install, &self.log, |_| {})?;
        let version = self.read("include/config/kernel.release")?;
        // Leads to the build tree, which goes away.
        fs::remove_file(entry.join("lib/modules").join(version.trim()).join("build"))?;
        Ok(())
    }

    /// Writes what `make` compiles with where there is ccache.
    fn write_compiler(&self) -> Result<()> {
        let path = self.tree.join(COMPILER);
        fs::write(&path, CACHING_COMPILER).with_context(|| format!("cannot write {}", path.display()))
    }

    /// `make` in the tree, set up so that the image depends on nothing but the recipe and the CA.
    fn make(&self) -> Command {
        let mut make = Command::new("make");
        make.current_dir(&self.tree);
        for variable in FOREIGN_VARIABLES {
            make.env_remove(variable);
        }
        if let Some(arch) = self.variant.arch() {
            make.arg(format!("ARCH={arch}"));
        }
        make.env("LC_ALL", "C")
            .env("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970")
            .env("KBUILD_BUILD_VERSION", "1")
            .env("KBUILD_BUILD_USER", "bpfsig")
            .env("KBUILD_BUILD_HOST", "bpfsig");
        if tools::find("ccache").is_some() {
            make.arg(format!("CC=/bin/sh {}", self.tree.join(COMPILER).display()));
            make.env("CCACHE_DIR", &self.ccache).env("CCACHE_MAXSIZE", "2G");
            // Kbuild has gcc write down which headers an object needs, so nothing has to be preprocessed first, which takes
            // a fifth of the time to compile an object.
            make.env("CCACHE_DEPEND", "1");
        }
        make
    }

    fn read(&self, path: &str) -> Result<String> {
        let path = self.tree.join(path);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}
