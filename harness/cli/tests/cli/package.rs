//! `package`: from a directory to an installed package, and what keeps it from getting there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::scratch::Scratch;

const FOLDER: &str = "installed/filter/1.2.3/filter";
const CREATE: &str = "package create --key packer.key --cert packer.pem --platform jammy";
const INSTALL: &str = "package install --ca ca.pem --into installed";

/// A package in `files`, whom to trust, and a place to install it.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.make_ca();
    scratch.make_signer("packer", "--purpose program --purpose package");
    scratch.write("filter.c", b"__attribute__((section(\"xdp\"))) int pass(void *context) { return 2; }");
    scratch.run("clang", "-O2 -g -target bpf -mcpu=v3 -c -o filter.bpf.o filter.c");
    scratch.write("files/filter.bpf.o", &scratch.read("filter.bpf.o"));
    scratch.write("files/bin/filter", b"#!/bin/sh\necho running\n");
    set_version(&scratch, "1.2.3");
    fs::create_dir(scratch.path("installed")).unwrap();
    scratch
}

fn set_version(scratch: &Scratch, version: &str) {
    let metadata = format!(
        r#"{{ "name": "filter", "version": "{version}", "artifact": "filter.tar.gz", "prog_type": "xdp",
              "object_file": "filter.bpf.o", "entry_function_name": "pass", "cmd_start": "bin/filter" }}"#
    );
    scratch.write("files/manifest.json", metadata.as_bytes());
}

/// Everything in a directory: files with their content, folders without.
fn snapshot(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(directory).into_iter().map(|entry| {
        let entry = entry.unwrap();
        (entry.path().display().to_string(), fs::read(entry.path()).unwrap_or_default())
    });
    entries.collect()
}

#[test]
fn a_package_may_be_signed_with_ml_dsa() {
    let scratch = scratch();
    scratch.bpfsig(
        "keygen signer --algorithm ml-dsa-65 --purpose program --purpose package --name quantum --key quantum.key \
         --cert quantum.pem --ca-key ca.key --ca-cert ca.pem",
    );
    scratch.bpfsig("package create --key quantum.key --cert quantum.pem --platform jammy files");
    scratch.bpfsig("package verify --ca ca.pem filter.tar.gz");
    scratch.bpfsig(&format!("{INSTALL} filter.tar.gz"));
}

#[test]
fn a_directory_becomes_an_installed_package() {
    let scratch = scratch();
    let created = scratch.bpfsig(&format!("{CREATE} files"));
    assert!(created.contains("program pass"), "{created}");
    let first = scratch.read("filter.tar.gz");
    scratch.bpfsig(&format!("{CREATE} --output again.tar.gz files"));
    assert_eq!(scratch.read("again.tar.gz"), first);

    for name in ["ca", "packer"] {
        scratch.run("openssl", &format!("x509 -in {name}.pem -outform DER -out {name}.der"));
    }
    for trust in ["--ca ca.pem", "--cert packer.pem", "--ca ca.der", "--cert packer.der"] {
        let verified = scratch.bpfsig(&format!("package verify {trust} filter.tar.gz"));
        assert!(verified.contains("filter.tar.gz: signed by `CN=packer`"), "{verified}");
    }
    scratch.bpfsig(&format!("{INSTALL} filter.tar.gz"));
    for file in ["filter.bpf.o", "bin/filter", "manifest.json"] {
        assert_eq!(scratch.read(&format!("{FOLDER}/{file}")), scratch.read(&format!("files/{file}")));
    }
    let mode =
        |file: &str| fs::metadata(scratch.path(&format!("{FOLDER}/{file}"))).unwrap().permissions().mode();
    assert_eq!(mode("bin/filter") & 0o111, 0o111);
    assert_eq!(mode("filter.bpf.o") & 0o111, 0);
    assert_eq!(
        scratch.run(&scratch.path(&format!("{FOLDER}/bin/filter")).display().to_string(), ""),
        "running\n"
    );
    assert_eq!(fs::read_dir(scratch.path("installed")).unwrap().count(), 1);

    // What is installed can be checked again, file by file.
    scratch.bpfsig(&format!(
        "verify --ca ca.pem --cert {FOLDER}/package.pem --signature {FOLDER}/package.p7s {FOLDER}/filter.bpf.o \
         {FOLDER}/bin/filter {FOLDER}/manifest.json"
    ));
    scratch.write(&format!("{FOLDER}/bin/filter"), b"#!/bin/sh\necho walking\n");
    let error = scratch
        .error(&format!("verify --cert packer.pem --signature {FOLDER}/package.p7s {FOLDER}/bin/filter"));
    assert!(error.contains("bin/filter"), "{error}");
}

#[test]
fn an_older_version_never_follows_a_newer_one() {
    let scratch = scratch();
    for version in ["1.10.0", "1.9.0", "1.10.0-rc.1", "1.10.0+build.2", "2.0.0-alpha", "2.0.0"] {
        set_version(&scratch, version);
        scratch.bpfsig(&format!("{CREATE} --output {version}.tar.gz files"));
    }
    let install = |version: &str| format!("{INSTALL} {version}.tar.gz");
    scratch.bpfsig(&install("1.10.0"));
    let before = snapshot(&scratch.path("installed"));
    for older in ["1.9.0", "1.10.0-rc.1"] {
        let error = scratch.error(&install(older));
        assert_eq!(error, format!("filter 1.10.0 is installed in installed; {older} is older"));
    }
    assert_eq!(scratch.error(&install("1.10.0")), "installed/filter/1.10.0/filter is installed");
    assert_eq!(snapshot(&scratch.path("installed")), before);

    scratch.bpfsig(&install("1.10.0+build.2"));
    scratch.bpfsig(&install("2.0.0-alpha"));
    scratch.bpfsig(&install("2.0.0"));
    assert!(scratch.error(&install("2.0.0-alpha")).contains("filter 2.0.0 is installed"));
    assert_eq!(fs::read_dir(scratch.path("installed/filter")).unwrap().count(), 4);
}

#[test]
fn versions_are_as_l3af_has_them() {
    let scratch = scratch();
    let install = |version: &str| {
        set_version(&scratch, version);
        scratch.bpfsig(&format!("{CREATE} files"));
        format!("{INSTALL} filter.tar.gz")
    };
    for version in ["2.1", "v2.1.0", "v2.2", "latest"] {
        scratch.bpfsig(&install(version));
        assert!(scratch.path(&format!("installed/filter/{version}/filter/bin/filter")).exists(), "{version}");
    }
    let error = scratch.error(&install("3.0.0"));
    assert_eq!(error, "filter latest is installed in installed; 3.0.0 is older");
    assert_eq!(scratch.error(&install("latest")), "installed/filter/latest/filter is installed");
}

/// What L3AF's Makefiles make: an archive with a folder, and no manifest.
#[test]
fn an_archive_is_signed_without_repacking_it() {
    let scratch = scratch();
    scratch.run("cp", "-r files filter");
    scratch.run("mv", "filter/manifest.json elsewhere.json");
    scratch.run("tar", "-czf made.tar.gz filter");
    assert!(scratch.error(&format!("{CREATE} made.tar.gz")).contains("made.tar.gz has no manifest.json"));
    scratch.bpfsig(&format!("{CREATE} --manifest elsewhere.json made.tar.gz"));
    let made = scratch.read("filter.tar.gz");
    scratch.bpfsig(&format!("{CREATE} files"));
    assert_eq!(scratch.read("filter.tar.gz"), made);
    let verified = scratch.bpfsig("package verify --ca ca.pem filter.tar.gz");
    assert!(verified.contains("filter 1.2.3 jammy, in filter/1.2.3/filter"), "{verified}");

    scratch.run("mv", "filter other");
    scratch.run("tar", "-czf made.tar.gz other");
    let error = scratch.error(&format!("{CREATE} --manifest elsewhere.json made.tar.gz"));
    assert_eq!(
        error,
        "made.tar.gz: the files are in `other`, but l3afd looks for `filter.tar.gz` in `filter`"
    );
}

/// Whatever is wrong, nothing is there afterwards.
#[test]
fn what_is_refused_leaves_nothing_behind() {
    let scratch = scratch();
    scratch.bpfsig(&format!("{CREATE} files"));
    let before = snapshot(&scratch.path("installed"));
    let refused = |name: &str| {
        let error = scratch.error(&format!("{INSTALL} {name}"));
        assert_eq!(snapshot(&scratch.path("installed")), before);
        error
    };

    // Repacked by others, with one file altered or one more.
    scratch.run("tar", "xzf filter.tar.gz");
    scratch.write("filter/bin/filter", b"#!/bin/sh\necho stolen\n");
    scratch.run("tar", "czf altered.tar.gz filter");
    assert_eq!(
        refused("altered.tar.gz"),
        "altered.tar.gz: `filter/`: it is a folder; a package has files only"
    );
    let ours = "--sort=name --format=ustar --owner=:0 --group=:0 --mtime=@0 --mode=u=rw,go=r";
    let files = "filter/bin/filter filter/filter.bpf.o filter/manifest.json \
                 filter/package.p7s filter/package.pem filter/package.sha256";
    scratch.run("tar", &format!("{ours} --numeric-owner -czf altered.tar.gz {files}"));
    assert_eq!(
        refused("altered.tar.gz"),
        "altered.tar.gz: the archive is not in the one form that these files have as a package"
    );
    let whole = scratch.read("filter.tar.gz");
    scratch.write("truncated.tar.gz", &whole[..whole.len() / 2]);
    assert!(refused("truncated.tar.gz").starts_with("truncated.tar.gz: the archive is damaged at "));
    scratch.write("longer.tar.gz", &[&whole[..], b"!"].concat());
    assert_eq!(refused("longer.tar.gz"), "longer.tar.gz: 1 bytes follow the end of the archive");
    assert_eq!(refused("none.tar.gz"), "none.tar.gz: No such file or directory (os error 2)");
    assert!(refused("files").contains("Is a directory"));
    assert!(refused("ca.pem").starts_with("ca.pem: the archive is damaged at its beginning"));

    let error = scratch.error("package install --ca ca.pem --into nowhere filter.tar.gz");
    assert_eq!(error, "nowhere: No such file or directory (os error 2)");
    let error = scratch.error("package install --ca ca.pem --into ca.pem filter.tar.gz");
    assert_eq!(error, "ca.pem is not a directory");
    // Something else is where the package should be.
    scratch.write("installed/filter", b"a file");
    let error = scratch.error(&format!("{INSTALL} filter.tar.gz"));
    assert_eq!(error, "installed/filter: Not a directory (os error 20)");
    assert_eq!(fs::read_dir(scratch.path("installed")).unwrap().count(), 1);
}

#[test]
fn signers_are_for_packages_and_programs() {
    let scratch = scratch();
    for (name, purpose, missing) in
        [("programmer", "program", "signing packages"), ("shipper", "package", "signing programs")]
    {
        scratch.make_signer(name, &format!("--purpose {purpose}"));
        let create = format!("package create --key {name}.key --cert {name}.pem --platform jammy files");
        assert_eq!(scratch.error(&create), format!("the certificate of `CN={name}` is not for {missing}"));
    }
    assert!(!scratch.path("filter.tar.gz").exists());

    // Without programs for the kernel, packages are enough.
    scratch.write(
        "plain/manifest.json",
        br#"{"name": "plain", "version": "1.0.0", "artifact": "plain.tar.gz"}"#,
    );
    scratch.bpfsig("package create --key shipper.key --cert shipper.pem --platform any plain");
    scratch.bpfsig(&format!("{INSTALL} plain.tar.gz"));
    // The number of another enterprise means nothing here.
    let error = scratch.error("package verify --ca ca.pem --pen 99999 plain.tar.gz");
    assert_eq!(
        error,
        "plain.tar.gz: the certificate of `CN=shipper` is for signing packages, but with the private enterprise number 32473 \
         instead of 99999: give `--pen 32473` if that is the one to trust"
    );
}

#[test]
fn strangers_are_refused() {
    let scratch = scratch();
    scratch.bpfsig(
        "keygen signer --algorithm p-256 --name stranger --key stranger.key --cert stranger.pem \
         --purpose program --purpose package",
    );
    scratch.bpfsig("package create --key stranger.key --cert stranger.pem --platform jammy files");
    let error = scratch.error("package verify --ca ca.pem filter.tar.gz");
    assert!(
        error.starts_with("filter.tar.gz: no path from the certificate of `CN=stranger` to a trusted CA")
    );
    let error = scratch.error("package verify --cert packer.pem filter.tar.gz");
    assert!(error.contains("but the certificate is for key"), "{error}");
    scratch.bpfsig("package verify --cert stranger.pem filter.tar.gz");

    let output = scratch.bpfsig_with_pin("", "package verify filter.tar.gz");
    assert_eq!(output.status.code(), Some(2), "trusting nobody is not an option");
}

#[test]
fn the_way_to_the_ca_is_in_the_package() {
    let scratch = scratch();
    let extensions =
        "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\nkeyUsage=critical,keyCertSign\n";
    scratch.write("ca.ext", extensions.as_bytes());
    scratch
        .run("openssl", "req -newkey rsa:2048 -nodes -keyout between.key -out between.csr -subj /CN=between");
    scratch.run(
        "openssl",
        "x509 -req -in between.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ca.ext -out between.pem",
    );
    scratch.bpfsig(
        "keygen signer --algorithm p-256 --name leaf --key leaf.key --cert leaf.pem --ca-key between.key \
         --ca-cert between.pem --purpose program --purpose package",
    );
    scratch.bpfsig("package create --key leaf.key --cert leaf.pem --platform jammy files");
    assert!(
        scratch.error("package verify --ca ca.pem filter.tar.gz").contains("no path from the certificate")
    );
    scratch.write("chain.pem", &[scratch.read("leaf.pem"), scratch.read("between.pem")].concat());
    scratch.bpfsig("package create --key leaf.key --cert chain.pem --platform jammy files");
    scratch.bpfsig("package verify --ca ca.pem filter.tar.gz");
}

#[test]
fn what_can_not_be_packed_is_named() {
    let scratch = scratch();
    let error = |directory: &str| scratch.error(&format!("{CREATE} {directory}"));
    assert_eq!(error("none"), "none is neither a directory nor an archive");
    assert_eq!(error("installed"), "installed has no manifest.json: --manifest says where there is one");
    fs::write(scratch.path("files/a b"), "").unwrap();
    assert!(error("files").starts_with("files: `a b`: it has characters other than"));
    fs::remove_file(scratch.path("files/a b")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", scratch.path("files/link")).unwrap();
    assert_eq!(error("files"), "files/link is neither a file nor a directory");
    fs::remove_file(scratch.path("files/link")).unwrap();
    scratch.write("files/filter.bpf.o", &scratch.read("filter.bpf.o")[..200]);
    assert!(error("files").starts_with("files: `filter.bpf.o`: "));
    scratch.write("files/filter.bpf.o", &scratch.read("filter.bpf.o"));
    set_version(&scratch, "newest");
    assert!(error("files").starts_with("files: manifest.json: "));
    assert!(!scratch.path("filter.tar.gz").exists());
}

#[test]
fn inspect_shows_what_is_in_it() {
    let scratch = scratch();
    scratch.bpfsig(&format!("{CREATE} files"));
    let shown = scratch.bpfsig("inspect filter.tar.gz");
    for line in [
        "kind       package",
        "subject    CN=packer",
        "package    filter 1.2.3 jammy",
        "place      filter/1.2.3/filter",
        "file       filter.bpf.o",
        "kind       eBPF object for Linux",
        "file       bin/filter",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    for end in
        ["  file package.sha256", "  program pass in filter.bpf.o", "  file bin/filter", "  program pass"]
    {
        assert!(shown.lines().any(|shown| shown.ends_with(end)), "{end}: {shown}");
    }
    let shown: serde_json::Value =
        serde_json::from_str(&scratch.bpfsig("inspect --json filter.tar.gz")).unwrap();
    let files = shown["package"]["files"].as_array().unwrap();
    let paths: Vec<_> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["bin/filter", "filter.bpf.o", "manifest.json"]);
    assert_eq!(files[1]["binds"][0]["program"]["name"], "pass");
    let names: Vec<_> = shown["signature"]["statement"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["package.sha256", "bin/filter", "filter.bpf.o", "pass in filter.bpf.o", "manifest.json"]
    );

    // Any other archive is a file.
    scratch.run("tar", "-czf other.tar.gz files");
    let shown = scratch.bpfsig("inspect other.tar.gz");
    assert!(
        shown.starts_with("kind       file\nnote       not a signed package: `files/`: it is a folder"),
        "{shown}"
    );
}
