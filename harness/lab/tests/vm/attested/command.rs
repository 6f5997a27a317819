//! `bpfsig load`, `ps`, `trust`, `policy` and `inspect` where there are attestations, as a user types them.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use bpfsig_loading::{self as bpf, ProgramInfo, keyring};
use bpfsig_signing::attestation::{Attestations, AttestedProgram, KernelAttestation};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;
use bpfsig_signing::statement::Statement;
use libc::{EKEYREVOKED, ENOKEY};
use tempfile::TempDir;

use super::{Subject, SwitchedOn, attest, attest_keyring, attester};
use crate::keys;
use crate::load::small;
use crate::loaded_object::{self, bytes};
use crate::machine::Mount;
use crate::policy_commands::{bpfsig, certificate, complains, json, says, text};

/// What an attester vouches for about an object on the running kernel.
pub fn attestations(object: &Object, attester: &Signer) -> Attestations {
    let programs = object.programs().iter().map(|program| AttestedProgram {
        name: program.name.clone(),
        manifest: Manifest::of(program).unwrap().digest(),
        facts: Subject::new(program.clone()).facts().encode(),
    });
    let programs: Vec<_> = programs.collect();
    let entries = programs.iter().map(|program| program.attestation().entry()).collect();
    let statement = Statement { expiry: 0, entries }.encode().unwrap();
    let message = cms::sign_attached(&statement, attester).unwrap();
    let build_id = bpf::build_id().unwrap();
    Attestations {
        kernels: vec![KernelAttestation { build_id, release: "this one".into(), message, programs }],
    }
}

/// A signed object in a directory of its own.
struct Place {
    _directory: TempDir,
    object: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let directory = TempDir::new().unwrap();
        let object = directory.path().join("object.o");
        fs::write(&object, bytes(name)).unwrap();
        let place = Place { object, _directory: directory };
        fs::write(place.beside(".p7s"), loaded_object::sign(&place.parsed())).unwrap();
        place
    }

    fn parsed(&self) -> Object {
        Object::parse(&fs::read(&self.object).unwrap()).unwrap()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", self.object()))
    }

    fn object(&self) -> &str {
        self.object.to_str().unwrap()
    }

    fn attest(&self, attestations: &Attestations) {
        fs::write(self.beside(".attest"), attestations.to_json()).unwrap();
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn load() {
    let place = Place::new("xdp_acl");
    let all = attestations(&place.parsed(), attester());
    place.attest(&all);
    let command = ["load", place.object(), "--json"];
    // What it says on standard error is that nothing stays.
    let load = || {
        let (stdout, stderr) = text(&bpfsig(&command));
        let report: serde_json::Value = serde_json::from_str(&stdout).expect(&stderr);
        (report["programs"][0].clone(), stderr)
    };
    assert_eq!(load().0["facts"], "switched-off");
    let _on = SwitchedOn::new();
    let (program, stderr) = load();
    assert_eq!(program["facts"], "attested", "{program}");
    assert_eq!(program["attester"], attester().certificate().subject_key_id().to_string());
    assert!(!stderr.contains(".attest"), "{stderr}");
    assert!(text(&bpfsig(&command[..2])).0.contains("attested"));

    let mut other = all.clone();
    other.kernels[0].build_id.0[0] ^= 1;
    place.attest(&other);
    let (program, stderr) = load();
    assert_eq!(program["facts"], "not-given", "{program}");
    assert!(stderr.contains("object.o.attest has nothing about the running kernel, "), "{stderr}");

    // The right one is found among several.
    other.insert(all.kernels[0].clone());
    place.attest(&other);
    assert_eq!(load().0["facts"], "attested");

    let mut unfit = all.clone();
    let program = &mut unfit.kernels[0].programs[0];
    *program.facts.last_mut().unwrap() ^= 0x80;
    unfit.kernels[0].message = attest(&place.parsed().programs()[0], &program.facts, attester());
    place.attest(&unfit);
    assert_eq!(load().0["facts"], "malformed");
    assert!(text(&bpfsig(&command[..2])).0.contains("verified: the facts do not fit it"));

    // Nobody whom this machine trusts has attested it: what is signed is verified.
    place.attest(&attestations(&place.parsed(), &keys::stranger()));
    let (program, stderr) = load();
    assert_eq!(program["facts"], "not-given", "{program}");
    let why = "the kernel does not take ";
    assert!(stderr.contains(why) && stderr.contains("signer is not in the keyring (ENOKEY)"), "{stderr}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn load_that_fails() {
    let _on = SwitchedOn::new();
    let place = Place::new("xdp_acl");
    for garbage in ["", "{}", r#"{"version": 1, "kernels": [{"build_id": "00"}]}"#] {
        fs::write(place.beside(".attest"), garbage).unwrap();
        let error = complains(&["load", place.object()]);
        assert!(error.contains("object.o.attest: not attestations: "), "{error}");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn trust_and_ps() {
    let _on = SwitchedOn::new();
    let directory = TempDir::new().unwrap();
    let newcomer = keys::issued_attester("newcomer");
    let key_id = newcomer.certificate().subject_key_id().to_string();
    let subject = Subject::new(small());
    let facts = subject.facts().encode();
    let message = attest(&subject.program, &facts, &newcomer);
    subject.load_with(&facts, &message).refused(ENOKEY, "attestation: signer is not in the keyring");

    let said = says(&["trust", "add", "--attester", &certificate(&directory, &newcomer)]);
    assert!(said.starts_with(&format!("{key_id} is trusted until ")), "{said}");
    let program = subject.load_with(&facts, &message).accepted();
    let listed = json(&["trust", "list", "--json"]);
    let key = listed.as_array().unwrap().iter().find(|key| key["id"] == key_id).unwrap();
    assert_eq!((&key["keyring"], &key["subject"]), (&"attester".into(), &"newcomer".into()));

    let serial = key["serial"].as_i64().unwrap() as i32;

    let id = ProgramInfo::of(program.as_fd()).unwrap().id;
    let listed = json(&["ps", "--json"]);
    let shown = listed.as_array().unwrap().iter().find(|item| item["id"] == id).unwrap();
    assert_eq!((&shown["facts"], &shown["attester"]), (&"attested".into(), &key_id[..].into()));
    let table = says(&["ps"]);
    let row = table.lines().find(|row| row.trim_start().starts_with(&format!("{id} "))).unwrap();
    assert!(row.trim_end().ends_with("attested"), "{row}");

    let said = says(&["trust", "revoke", &key_id]);
    assert!(said.contains("Still loaded:") && said.contains(&format!("  {id} ")), "{said}");
    subject.load_with(&facts, &message).refused(EKEYREVOKED, "attestation: ");
    keyring::unlink(serial, attest_keyring()).unwrap();
    let error = complains(&["trust", "add", "--attester", &certificate(&directory, &keys::stranger())]);
    assert!(error.contains("no builtin or secondary key has issued"), "{error}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn policy() {
    assert!(says(&["policy"]).ends_with("attestation off\n"));
    assert_eq!(json(&["policy", "attest", "on", "--json"])["attestation"], true);
    let said = says(&["policy"]);
    assert!(said.ends_with("attestation on: attested facts take the place of verification\n"), "{said}");
    assert!(says(&["policy", "attest", "off"]).ends_with("attestation off\n"));
}

#[test]
#[ignore = "needs the patched kernel"]
fn inspect() {
    let place = Place::new("xdp_acl");
    let mut attestations = attestations(&place.parsed(), attester());
    place.attest(&attestations);
    let file = place.beside(".attest");
    let inspect = |path: &Path| says(&["inspect", path.to_str().unwrap()]);
    let said = inspect(&file);
    let build_id = bpf::build_id().unwrap();
    let key_id = attester().certificate().subject_key_id();
    for line in [format!("build id   {build_id}"), format!("signer     {key_id}")] {
        assert!(said.lines().any(|shown| shown == line), "{line}: {said}");
    }
    assert!(said.contains(": accesses the context\n"), "{said}");
    assert!(said.contains("  program xdp_acl\n"), "{said}");

    attestations.kernels[0].programs[0].facts[16] ^= 1;
    place.attest(&attestations);
    assert!(inspect(&file).contains("  program xdp_acl: NOT ATTESTED\n"));
    attestations.kernels[0].programs[0].facts.pop();
    place.attest(&attestations);
    let error = complains(&["inspect", file.to_str().unwrap()]);
    assert!(error.contains("xdp_acl: the facts have "), "{error}");
}

/// An object that `bpfsig attest` has had verified in another machine: `scripts/vmtest.sh` leaves it beside the keys.
#[test]
#[ignore = "needs the patched kernel"]
fn attested_elsewhere() {
    let _on = SwitchedOn::new();
    let keys = PathBuf::from(std::env::var_os("BPFSIG_TEST_KEYS").unwrap());
    let directory = TempDir::new().unwrap();
    let object = directory.path().join("object.o");
    fs::copy(keys.join("attested.o"), &object).unwrap();
    fs::copy(keys.join("attested.o.attest"), directory.path().join("object.o.attest")).unwrap();
    let parsed = Object::parse(&fs::read(&object).unwrap()).unwrap();
    fs::write(directory.path().join("object.o.p7s"), loaded_object::sign(&parsed)).unwrap();
    says(&["trust", "add", "--attester", keys.join("attester.pem").to_str().unwrap()]);
    // Its maps are pinned by name.
    let bpffs = Mount::new(c"bpf");
    let pins = bpffs.path().to_str().unwrap();
    let output = bpfsig(&["load", object.to_str().unwrap(), "--json", "--pin-path", pins]);
    assert!(output.status.success(), "{}", text(&output).1);
    let report: serde_json::Value = serde_json::from_str(&text(&output).0).unwrap();
    for program in report["programs"].as_array().unwrap() {
        assert_eq!(program["facts"], "attested", "{program}");
    }
}
