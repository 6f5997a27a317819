//! `bpfsig package install --load`: from an archive to programs in the kernel.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Output;

use bpfsig_loading::{Attested, keyring};
use bpfsig_signing::certificate::{Certificate, DOCUMENTATION_PEN, Purpose, Role, Signer};
use bpfsig_signing::key::{Algorithm, PrivateKey};
use bpfsig_signing::object::Object;
use bpfsig_signing::package::{File, Package};
use libbpf_rs::ProgramHandle;
use tempfile::TempDir;

use crate::attested::command::attestations;
use crate::attested::{SwitchedOn, attested, attester};
use crate::keys::{ca, issued_for};
use crate::loaded_object::bytes;
use crate::machine::{self, Mount, sysctl};

const OBJECT: &str = "xdp_lb.bpf.o";

fn package(version: &str) -> Package {
    package_with(version, Vec::new())
}

/// A package that has other files, too.
fn package_with(version: &str, others: Vec<File>) -> Package {
    let metadata = format!(
        r#"{{ "name": "lb", "version": "{version}", "artifact": "lb.tar.gz", "prog_type": "xdp",
              "object_file": "{OBJECT}", "cmd_start": "lb" }}"#
    );
    let file = |path: &str, content: &[u8]| File { path: path.into(), content: content.into() };
    let mut files = vec![
        file("manifest.json", metadata.as_bytes()),
        file(OBJECT, bytes("xdp_lb")),
        file("lb", b"#!/bin/sh\nexit 0\n"),
    ];
    files.extend(others);
    Package::new("any", files).unwrap()
}

/// Where packages are and go.
struct Place {
    directory: TempDir,
    bpffs: Mount,
}

impl Place {
    fn new() -> Self {
        let place = Place { directory: TempDir::new().unwrap(), bpffs: Mount::new(c"bpf") };
        fs::write(place.path("ca.pem"), ca().certificate().to_pem()).unwrap();
        fs::create_dir(place.path("installed")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pins(&self) -> PathBuf {
        self.bpffs.path().join("lb")
    }

    fn write(&self, name: &str, package: &Package, signer: &Signer) {
        fs::write(self.path(name), package.sign(signer, &[], 0).unwrap()).unwrap();
    }

    fn install(&self, name: &str) -> Output {
        let mut command = machine::bpfsig();
        command.args(["package", "install"]).arg(self.path(name));
        command.arg("--ca").arg(self.path("ca.pem")).arg("--into").arg(self.path("installed"));
        command.arg("--load").arg(self.pins()).output().unwrap()
    }

    #[track_caller]
    fn installs(&self, name: &str) {
        let output = self.install(name);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Nothing must be there afterwards that wasn't before.
    #[track_caller]
    fn refuses(&self, name: &str) -> String {
        let content = |path: &Path| fs::read_dir(path).map(Iterator::count).unwrap_or(0);
        let state = || (content(&self.path("installed")), content(&self.pins()), content(self.bpffs.path()));
        let before = state();
        let output = self.install(name);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(state(), before);
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A signer of packages and programs whose certificate says so, and whom the kernel knows.
fn known() -> Signer {
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let usage = Role::Signer.limited_to(&[Purpose::Program, Purpose::Package], DOCUMENTATION_PEN);
    let certificate = Certificate::issued_by(&ca(), usage, "packer", &key.public_key(), 1).unwrap();
    keyring::trust(certificate.to_der()).unwrap();
    Signer::new(key, certificate).unwrap()
}

fn round_trip() {
    let place = Place::new();
    place.write("lb.tar.gz", &package("1.0.0"), &known());
    place.installs("lb.tar.gz");
    ProgramHandle::from_pinned_path(place.pins().join("xdp_lb")).unwrap();
    assert!(place.path("installed/lb/1.0.0/lb").join(OBJECT).exists());
}

#[test]
#[ignore = "needs the patched kernel"]
fn programs_are_loaded_signed() {
    round_trip();
}

#[test]
#[ignore = "needs the patched kernel"]
fn attestations_travel_in_it() {
    let _on = SwitchedOn::new();
    let place = Place::new();
    let attestations = attestations(&Object::parse(bytes("xdp_lb")).unwrap(), attester());
    let file = File { path: format!("{OBJECT}.attest"), content: attestations.to_json().into() };
    place.write("lb.tar.gz", &package_with("1.0.0", vec![file]), &known());
    place.installs("lb.tar.gz");
    let program = ProgramHandle::from_pinned_path(place.pins().join("xdp_lb")).unwrap();
    assert!(matches!(attested(program.as_fd()), Attested::Attested { .. }));
    assert!(place.path("installed/lb/1.0.0/lb").join(format!("{OBJECT}.attest")).exists());
}

/// The name selects the machine that this runs on.
#[test]
#[ignore = "needs the patched kernel, booted with bpf_signature=required"]
fn programs_are_loaded_with_policy_required() {
    assert_eq!(sysctl("bpf_signature"), "1");
    round_trip();
}

#[test]
#[ignore = "needs the patched kernel"]
fn nothing_is_installed_if_the_kernel_refuses() {
    let place = Place::new();
    // The CA has issued a certificate for it, but it is in no keyring.
    place.write("lb.tar.gz", &package("1.0.0"), &issued_for("newcomer", Role::Signer));
    let error = place.refuses("lb.tar.gz");
    assert!(error.contains(OBJECT) && error.contains("ENOKEY"), "{error}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn nothing_stays_loaded_if_it_is_not_installed() {
    let place = Place::new();
    let signer = known();
    place.write("new.tar.gz", &package("2.0.0"), &signer);
    place.write("old.tar.gz", &package("1.0.0"), &signer);
    place.installs("new.tar.gz");
    fs::remove_dir_all(place.pins()).unwrap();
    let error = place.refuses("old.tar.gz");
    assert!(error.contains("lb 2.0.0 is installed"), "{error}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_damaged_package_does_not_get_as_far_as_the_kernel() {
    let place = Place::new();
    place.write("lb.tar.gz", &package("1.0.0"), &known());
    let mut archive = fs::read(place.path("lb.tar.gz")).unwrap();
    let middle = archive.len() / 2;
    archive[middle] ^= 1;
    fs::write(place.path("lb.tar.gz"), archive).unwrap();
    let error = place.refuses("lb.tar.gz");
    assert!(error.starts_with("bpfsig: error: "), "{error}");
}
