//! Builds `progs/*.bpf.c` and lists them for `src/corpus/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use libbpf_cargo::SkeletonBuilder;

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: build with cargo")?);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("no workspace")?;
    let progs = root.join("progs");
    println!("cargo::rerun-if-changed={}", progs.display());
    check_clang()?;

    let mut sources = Vec::new();
    for entry in fs::read_dir(&progs).with_context(|| format!("cannot read {}", progs.display()))? {
        let file = entry?.file_name().into_string().ok().context("a file in progs/ has a strange name")?;
        sources.extend(file.strip_suffix(".bpf.c").map(str::to_owned));
    }
    sources.sort();

    let mut list = String::from("&[\n");
    for name in sources {
        let object = out.join(format!("{name}.bpf.o"));
        SkeletonBuilder::new()
            .source(progs.join(format!("{name}.bpf.c")))
            .obj(&object)
            .clang_args(clang_args(root)?)
            .build()?;
        writeln!(list, "    ({:?}, include_bytes!({object:?})),", format!("progs/{name}.bpf.c"))?;
    }
    list.push_str("]\n");
    fs::write(out.join("objects.rs"), list).context("cannot write the list of objects")
}

fn check_clang() -> Result<()> {
    if Command::new("clang").arg("--version").output().is_err() {
        bail!(
            "clang, which compiles the eBPF programs, is not installed: \
             scripts/setup.sh installs it, or: apt-get install clang"
        );
    }
    Ok(())
}

fn clang_args(root: &Path) -> Result<Vec<String>> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    Ok(vec![
        "-mcpu=v3".to_owned(),
        "-Wall".to_owned(),
        "-Werror".to_owned(),
        // Debian keeps asm/types.h there.
        format!("-I/usr/include/{arch}-linux-gnu"),
        // The same object wherever it is built: the BTF names the source files.
        format!("-ffile-prefix-map={}/=", root.display()),
        "-fdebug-compilation-dir=.".to_owned(),
    ])
}
