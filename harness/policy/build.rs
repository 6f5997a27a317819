//! Compiles `bpf/*.bpf.c`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=bpf");
    ensure!(
        Command::new("clang").arg("--version").output().is_ok(),
        "clang, which compiles the eBPF programs, is not installed: scripts/setup.sh installs it; without the feature \
         `policy`, bpfsig is built without it"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: build with cargo")?);
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let root = fs::canonicalize(".")?;
    for name in ["policy", "report"] {
        let arguments = [
            "-mcpu=v3".to_owned(),
            "-Wall".to_owned(),
            "-Werror".to_owned(),
            // Debian keeps asm/types.h there.
            format!("-I/usr/include/{arch}-linux-gnu"),
            // The same object wherever it is built: the BTF names the source files.
            format!("-ffile-prefix-map={}/=", root.display()),
            "-fdebug-compilation-dir=.".to_owned(),
        ];
        SkeletonBuilder::new()
            .source(Path::new("bpf").join(format!("{name}.bpf.c")))
            .obj(out.join(format!("{name}.bpf.o")))
            .clang_args(arguments)
            .build()?;
    }
    Ok(())
}
