//! `bpfsig ps`, `trust`, `deny` and `policy`, as a user types them.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Output;

use bpfsig_loading::ProgramInfo;
use bpfsig_loading::keyring::Keyring;
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use libc::{EKEYREJECTED, EKEYREVOKED};
use serde_json::Value;
use tempfile::TempDir;

use crate::keys::{self, signer};
use crate::load::{load, load_with, sign, small};
use crate::loaded_object::{self, bytes};
use crate::machine;
use crate::policy_failures::Limit;

/// Runs the command with arguments.
pub fn bpfsig(arguments: &[&str]) -> Output {
    machine::bpfsig().args(arguments).output().unwrap()
}

/// What a command that succeeds says.
#[track_caller]
pub fn says(arguments: &[&str]) -> String {
    let output = bpfsig(arguments);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
    assert_eq!(stderr, "");
    stdout
}

/// Why a command fails.
#[track_caller]
pub fn complains(arguments: &[&str]) -> String {
    let output = bpfsig(arguments);
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stdout}{stderr}");
    assert!(stderr.starts_with("bpfsig: error: "), "{stderr}");
    assert_eq!(stdout, "");
    stderr
}

pub fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// What a command says that succeeds, as JSON.
pub fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&says(arguments)).unwrap()
}

/// A file with a signer's certificate.
pub fn certificate(directory: &TempDir, signer: &Signer) -> String {
    let id = signer.certificate().subject_key_id();
    let path = directory.path().join(format!("{id}.pem"));
    std::fs::write(&path, signer.certificate().to_pem()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs the patched kernel"]
fn ps() {
    let program = load(&small(), Some(&sign(&small(), signer()))).accepted();
    let unsigned = load(&small(), None).accepted();
    let id = |program: &std::os::fd::OwnedFd| ProgramInfo::of(program.as_fd()).unwrap().id;
    let signer_id = signer().certificate().subject_key_id().to_string();
    let digest = Manifest::of(&small()).unwrap().digest().to_string();

    let listed = json(&["ps", "--json"]);
    let find = |id: u32| listed.as_array().unwrap().iter().find(|item| item["id"] == id).unwrap();
    let found = find(id(&program));
    assert_eq!(found["verdict"], "verified");
    assert_eq!(found["signer"], signer_id);
    assert_eq!(found["keyring_id"], 1);
    assert_eq!(found["program"], digest);
    assert_eq!(find(id(&unsigned))["verdict"], "unsigned");

    let table = says(&["ps"]);
    let row = table.lines().find(|row| row.contains(&signer_id)).unwrap();
    for word in ["verified", "secondary", &digest[..16]] {
        assert!(row.contains(word), "{row}");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn trust() {
    let directory = TempDir::new().unwrap();
    let newcomer = keys::issued("command");
    let key_id = newcomer.certificate().subject_key_id().to_string();
    let load =
        || load_with(&small(), Some(&sign(&small(), &newcomer)), |attr| attr.keyring_id = Keyring::BPF.0);

    let said = says(&["trust", "add", &certificate(&directory, &newcomer)]);
    assert!(said.starts_with(&format!("{key_id} is trusted until ")), "{said}");
    let _program = load().accepted();
    let listed = json(&["trust", "list", "--json"]);
    let listed = listed.as_array().unwrap();
    let is_in = |keyring| listed.iter().any(|key| key["keyring"] == keyring);
    let key = listed.iter().find(|key| key["id"] == key_id).unwrap();
    assert_eq!(key["keyring"], "bpf");
    assert_eq!(key["subject"], "command");
    // The certificate is good for a day.
    assert!(key["state"]["valid-for"].is_string(), "{key}");
    assert!(is_in("builtin") && is_in("secondary"), "{listed:?}");
    assert!(says(&["trust", "list"]).contains(&key_id));

    let said = says(&["trust", "revoke", &key_id.to_uppercase()]);
    assert!(said.starts_with(&format!("{key_id} (command) is not trusted any more")), "{said}");
    assert!(said.contains("Still loaded:"), "{said}");
    load().refused(EKEYREVOKED, "");
    assert!(complains(&["trust", "revoke", &key_id]).contains("has been revoked before"));
}

#[test]
#[ignore = "needs the patched kernel"]
fn trust_in_nobody_else() {
    let directory = TempDir::new().unwrap();
    let stranger = certificate(&directory, &keys::stranger());
    assert!(complains(&["trust", "add", &stranger]).contains("no builtin or secondary key has issued"));
    assert!(complains(&["trust", "add", "/nonexistent"]).contains("/nonexistent"));
    assert!(complains(&["trust", "revoke", "xyz"]).contains("no trusted key begins with xyz"));
    let secondary = signer().certificate().subject_key_id().to_string();
    assert!(complains(&["trust", "revoke", &secondary]).contains("is a secondary key"));
}

#[test]
#[ignore = "needs the patched kernel"]
fn deny() {
    let directory = TempDir::new().unwrap();
    let keys = PathBuf::from(std::env::var_os("BPFSIG_TEST_KEYS").unwrap());
    let file = |name: &str| keys.join(name).to_str().unwrap().to_owned();
    let by = |name: &str, program: &str| {
        let (key, cert) = (file(&format!("{name}.key")), file(&format!("{name}.pem")));
        ["deny", "--key", &key, "--cert", &cert, program].map(str::to_owned)
    };
    let run = |name: &str, program: &str| bpfsig(&by(name, program).each_ref().map(String::as_str));

    // By digest, twice: the second time there is nothing to do.
    let program = Program { name: "denied".into(), ..small() };
    let signature = sign(&program, signer());
    let _loaded = load(&program, Some(&signature)).accepted();
    let digest = Manifest::of(&program).unwrap().digest().to_string();
    assert!(!run("rsa-2048", &digest).status.success());
    load(&program, Some(&signature)).accepted();
    for _ in 0..2 {
        let output = run("ca", &digest.to_uppercase());
        let (stdout, stderr) = text(&output);
        assert!(output.status.success(), "{stderr}");
        assert!(stdout.starts_with(&format!("{digest}  program: denied\nStill loaded:\n")), "{stdout}");
        assert!(stdout.contains(" denied (socket_filter)"), "{stdout}");
    }
    load(&program, Some(&signature)).refused(EKEYREJECTED, "is blacklisted");

    // All programs of an object, one that no other test loads.
    let mut object = bytes("cgroup_sysctl_guard").to_vec();
    let license = object.windows(4).position(|bytes| bytes == b"GPL\0").unwrap();
    object[license..][..3].copy_from_slice(b"BSD");
    let path = directory.path().join("object.bpf.o");
    std::fs::write(&path, &object).unwrap();
    let output = run("ca", path.to_str().unwrap());
    assert!(output.status.success(), "{}", text(&output).1);
    let object = Object::parse(&object).unwrap();
    for program in object.programs() {
        load(program, Some(&loaded_object::sign(&object))).refused(EKEYREJECTED, "is blacklisted");
    }

    for (argument, reason) in [("12ab", "neither a SHA-256 digest"), ("/dev/null", "/dev/null")] {
        let output = run("ca", argument);
        assert!(!output.status.success());
        assert!(text(&output).1.contains(reason), "{}", text(&output).1);
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn policy() {
    let limit = Limit::new("1234");
    let shown = json(&["policy", "--json"]);
    assert_eq!(shown["mode"], "optional");
    assert_eq!(shown["failures_us"], 1234);
    let text = "signatures  optional\nfailures    may cost a user 1234 µs of each second\nattestation off\n";
    assert_eq!(says(&["policy", "show"]), text);
    drop(limit);
    let _limit = Limit::new("0");
    assert!(says(&["policy"]).contains("\nfailures    may cost any time\n"));
}
