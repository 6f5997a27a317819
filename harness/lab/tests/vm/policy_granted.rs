//! `bpfsig policy report`, and policies that grant what is not signed. Signatures are not required here: what a policy
//! grants is on record all the same.

use std::fs;
use std::os::fd::AsFd;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bpfsig_loading::{Origin, ProgramInfo, programs};
use bpfsig_signing::certificate::Purpose;
use bpfsig_signing::manifest::Manifest;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::{load, small};
use crate::machine;
use crate::policy_commands::{bpfsig, says, text};

/// Waits until a program of this name is loaded.
fn wait_for(name: &str) {
    for _ in 0..100 {
        if programs().unwrap().iter().any(|program| program.name == name) {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("no program `{name}` is loaded");
}

fn report(duration: &str) -> Child {
    let child = machine::bpfsig()
        .args(["policy", "report", "--for", duration, "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("report_load");
    child
}

fn finished(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs the patched kernel"]
fn report_sees_what_is_gone_again() {
    let child = report("3s");
    drop(load(&small(), None).accepted());
    drop(load(&small(), None).accepted());
    let report = finished(child);
    let loads = report["loads"].as_array().unwrap();
    let digest = Manifest::of(&small()).unwrap().digest().to_string();
    let entry = loads.iter().find(|entry| entry["digests"][0] == digest.as_str()).expect("not in the report");
    assert_eq!((&entry["count"], &entry["signed"]), (&2.into(), &false.into()));
    let executable = fs::read_link("/proc/self/exe").unwrap();
    assert_eq!(entry["executable"], executable.to_str().unwrap());
}

/// Somebody whose certificate is for these purposes, and the files that the command wants.
pub struct PolicySigner {
    folder: TempDir,
}

impl PolicySigner {
    pub fn new(purposes: &[Purpose]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [key, certificate] =
            ["key", "pem"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        let keys = std::env::var("BPFSIG_TEST_KEYS").unwrap();
        let mut arguments = vec!["keygen".to_owned(), "signer".into(), "--name".into(), "policy".into()];
        arguments.extend(["--algorithm", "p-256", "--key", &key, "--cert", &certificate].map(String::from));
        arguments.extend([
            "--ca-key".into(),
            format!("{keys}/ca.key"),
            "--ca-cert".into(),
            format!("{keys}/ca.pem"),
        ]);
        for purpose in purposes {
            arguments.extend(["--purpose".to_owned(), purpose.to_string()]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        says(&arguments);
        says(&["trust", "add", &certificate]);
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Signs a policy that grants one program.
    pub fn sign(&self, version: u64, digest: &str) -> String {
        let policy = format!("version = {version}\n[[program]]\nname = 'small'\ndigest = '{digest}'\n");
        fs::write(self.path("policy.toml"), policy).unwrap();
        says(&[
            "policy",
            "sign",
            "--key",
            &self.path("key"),
            "--cert",
            &self.path("pem"),
            &self.path("policy.toml"),
        ]);
        self.path("policy.bpf.o")
    }
}

/// Has a policy attached until it is dropped.
pub struct Attached(Child);

impl Attached {
    pub fn new(policy: &str) -> Self {
        let child = machine::bpfsig().args(["load", "--keyring", "bpf", "--attach", policy]).spawn().unwrap();
        wait_for("decide_load");
        // It is attached right after.
        sleep(Duration::from_secs(1));
        Self(child)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_policy_grants_what_it_names() {
    let signer = PolicySigner::new(&[Purpose::Program, Purpose::Policy]);
    let digest = Manifest::of(&small()).unwrap().digest().to_string();
    let origin = || ProgramInfo::of(load(&small(), None).accepted().as_fd()).unwrap().origin;
    {
        let _policy = Attached::new(&signer.sign(1, &digest));
        assert!(matches!(origin(), Some(Origin::Granted(_))), "{:?}", origin());
    }
    assert_eq!(origin(), Some(Origin::Unsigned));
    {
        let _policy = Attached::new(&signer.sign(2, &"ab".repeat(32)));
        assert_eq!(origin(), Some(Origin::Unsigned));
    }
    // The machine has seen version 2.
    let _policy = Attached::new(&signer.sign(1, &digest));
    assert_eq!(origin(), Some(Origin::Unsigned));
}

#[test]
#[ignore = "needs the patched kernel"]
fn only_a_signer_of_policies_decides() {
    let stranger = PolicySigner::new(&[Purpose::Program]);
    let policy = stranger.path("policy.toml");
    fs::write(&policy, "version = 9").unwrap();
    let output =
        bpfsig(&["policy", "sign", "--key", &stranger.path("key"), "--cert", &stranger.path("pem"), &policy]);
    let (_, stderr) = text(&output);
    assert!(stderr.contains("the certificate is not for a policy"), "{stderr}");
}
