//! What is put on record: audit records, and a tracepoint.

use std::fs;
use std::os::fd::AsFd;

use bpfsig_loading::ProgramInfo;
use bpfsig_signing::Digest;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;

use crate::audit::Audit;
use crate::keys::{self, signer};
use crate::load::{load, sign, small, statement};
use crate::machine::Mount;

/// Loads a program unsigned, signed, by a stranger, and with another's signature; what must be said of each. The first
/// word of an expectation is that of a load or of a refusal.
fn loads(load_word: &str, refusal_word: &str, field: impl Fn(&str, &str) -> String) -> Vec<Vec<String>> {
    let program = Program { name: "recorded".into(), ..small() };
    let other = Program { name: "other".into(), ..small() };
    let digest = |program| Manifest::of(program).unwrap().digest().to_string();
    let signer_id = signer().certificate().subject_key_id().to_string();
    let statement_of = |program| Digest::of(statement(program).encode().unwrap()).to_string();

    load(&program, None).accepted();
    let signed = load(&program, Some(&sign(&program, signer()))).accepted();
    let id = ProgramInfo::of(signed.as_fd()).unwrap().id;
    load(&program, Some(&sign(&program, &keys::stranger()))).result.unwrap_err();
    load(&other, Some(&sign(&program, signer()))).result.unwrap_err();
    vec![
        vec![load_word.to_owned(), "=unsigned".to_owned()],
        vec![
            load_word.to_owned(),
            format!("={id} "),
            "=verified".to_owned(),
            field("signer", &signer_id),
            field("statement", &statement_of(&program)),
            field("program", &digest(&program)),
        ],
        vec![
            refusal_word.to_owned(),
            "recorded".to_owned(),
            "err=-126 ".to_owned(),
            "reason=\"signer is not in the keyring\"".to_owned(),
        ],
        vec![
            refusal_word.to_owned(),
            "other".to_owned(),
            "err=-129 ".to_owned(),
            format!("reason=\"statement does not list program {}\"", digest(&other)),
            field("signer", &signer_id),
            field("statement", &statement_of(&program)),
            field("program", &digest(&other)),
        ],
    ]
}

#[test]
#[ignore = "needs the patched kernel"]
fn audit() {
    let audit = Audit::listen();
    for words in loads("op=LOAD", "op=REFUSE_LOAD", |name, value| format!("{name}={value}")) {
        audit.expect(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn trace() {
    let tracefs = Mount::new(c"tracefs");
    let enable = tracefs.path().join("events/bpf_signature/bpf_signature/enable");
    fs::write(&enable, "1").unwrap();
    let expected = loads("err=0", "prog_id=0", |name, value| format!("{name}={value}"));
    fs::write(&enable, "0").unwrap();
    let trace = fs::read_to_string(tracefs.path().join("trace")).unwrap();
    let mut lines = trace.lines();
    for words in expected {
        let found = lines.any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line with {words:?} (in this order):\n{trace}");
    }
}
