//! `keygen`: purposes, and requests that go to a CA elsewhere and come from one.

use crate::scratch::{Scratch, error_of, output};

/// What `openssl` shows of a certificate or a request.
fn text(scratch: &Scratch, kind: &str, file: &str) -> String {
    scratch.run("openssl", &format!("{kind} -in {file} -noout -text"))
}

#[test]
fn a_signer_is_for_programs_unless_said_otherwise() {
    let scratch = Scratch::new();
    scratch.make_ca();
    scratch.make_signer("me", "");
    assert!(
        text(&scratch, "x509", "me.pem")
            .contains("Extended Key Usage: \n                1.3.6.1.4.1.32473.1\n")
    );
    assert!(!text(&scratch, "x509", "ca.pem").contains("Extended Key Usage"));

    let said = scratch.bpfsig("keygen signer --algorithm p-256 --name you --key you.key --cert you.pem");
    assert!(said.contains("purpose: program (1.3.6.1.4.1.32473.1)"), "{said}");
    assert!(said.contains("32473 is for documentation (RFC 5612)"), "{said}");
}

#[test]
fn purposes_are_below_the_number_of_an_enterprise() {
    let scratch = Scratch::new();
    let purposes = "--purpose attestation --purpose package --pen 4294967295";
    scratch.bpfsig(&format!("keygen ca --algorithm p-256 --name CA --key ca.key --cert ca.pem {purposes}"));
    scratch.make_signer("me", purposes);
    for file in ["ca.pem", "me.pem"] {
        let text = text(&scratch, "x509", file);
        let usages =
            "Extended Key Usage: \n                1.3.6.1.4.1.4294967295.2, 1.3.6.1.4.1.4294967295.3\n";
        assert!(text.contains(usages), "{text}");
    }
    let verdict = scratch.run("openssl", "verify -x509_strict -purpose any -CAfile ca.pem me.pem");
    assert_eq!(verdict, "me.pem: OK\n");

    let output = scratch.bpfsig_with_pin("", "keygen ca --name x --key x --cert y --purpose cooking");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("unknown purpose `cooking`; there are program, attestation, package, policy and code"),
        "{error}"
    );
}

#[test]
fn a_request_is_issued_here() {
    for algorithm in ["rsa-2048", "p-256", "p-384"] {
        let scratch = Scratch::new();
        scratch.make_ca();
        scratch.bpfsig(&format!(
            "keygen request --algorithm {algorithm} --name me --key me.key --request me.csr"
        ));
        let verdict = scratch.run("openssl", "req -in me.csr -noout -verify");
        assert!(verdict.contains("verify OK"), "{verdict}");
        let text = text(&scratch, "req", "me.csr");
        for line in ["Subject: CN = me", "Digital Signature", "1.3.6.1.4.1.32473.1", "Subject Key Identifier"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }

        let issue = "keygen issue --request me.csr --ca-key ca.key --ca-cert ca.pem --cert me.pem";
        assert!(scratch.bpfsig(issue).contains("subject: CN=me\n"));
        scratch.run("openssl", "verify -x509_strict -purpose any -CAfile ca.pem me.pem");
        scratch.write("file.txt", b"something to sign");
        scratch.bpfsig("sign --key me.key --cert me.pem file.txt");
        assert_eq!(scratch.error(issue), "me.pem exists; keygen overwrites nothing");
    }
}

#[test]
fn a_request_is_issued_by_a_ca_of_openssl() {
    let scratch = Scratch::with_file();
    scratch
        .run("openssl", "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /O=Real/CN=CA");
    scratch
        .bpfsig("keygen request --algorithm p-256 --name me --key me.key --request me.csr --purpose package");
    scratch.run(
        "openssl",
        "x509 -req -in me.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -out me.pem",
    );
    let text = text(&scratch, "x509", "me.pem");
    for line in ["1.3.6.1.4.1.32473.3", "CA:FALSE", "Digital Signature", "Subject Key Identifier"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    scratch.run("openssl", "verify -purpose any -CAfile ca.pem me.pem");
    scratch.bpfsig("sign --any-cert --key me.key --cert me.pem file.txt");
}

#[test]
fn a_request_of_openssl_is_issued_here() {
    let scratch = Scratch::new();
    scratch.make_ca();
    scratch.run(
        "openssl",
        "req -new -newkey rsa:2048 -nodes -keyout me.key -out me.csr -subj '/C=DE/O=An Owner/CN=me'",
    );
    scratch.bpfsig("keygen issue --request me.csr --ca-key ca.key --ca-cert ca.pem --cert me.pem");
    let text = text(&scratch, "x509", "me.pem");
    assert!(text.contains("Subject: C = DE, O = An Owner, CN = me"), "{text}");
    scratch.run("openssl", "verify -x509_strict -purpose any -CAfile ca.pem me.pem");

    scratch.run("openssl", "req -in me.csr -outform DER -out me.der");
    scratch.bpfsig("keygen issue --request me.der --ca-key ca.key --ca-cert ca.pem --cert der.pem");
}

#[test]
fn a_request_may_be_for_a_key_that_is_there() {
    let scratch = Scratch::new();
    scratch.run("openssl", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out me.key");
    let before = scratch.read("me.key");
    scratch.bpfsig("keygen request --name me --key me.key --request me.csr");
    assert_eq!(scratch.read("me.key"), before);
    scratch.run("openssl", "req -in me.csr -noout -verify");
}

#[test]
fn bad_requests_are_refused() {
    let scratch = Scratch::new();
    scratch.make_ca();
    scratch.bpfsig("keygen request --algorithm p-256 --name me --key me.key --request me.csr");
    scratch.run("openssl", "req -in me.csr -outform DER -out me.der");
    let issue = |request| {
        let error = scratch.error(&format!(
            "keygen issue --request {request} --ca-key ca.key --ca-cert ca.pem --cert me.pem"
        ));
        assert!(!scratch.path("me.pem").exists());
        error
    };
    let mut forged = scratch.read("me.der");
    let name = forged.windows(2).position(|bytes| bytes == b"me").unwrap();
    forged[name..name + 2].copy_from_slice(b"ca");
    scratch.write("forged.der", &forged);
    assert!(issue("forged.der").starts_with("forged.der: wrong signature"));
    assert!(
        issue("me.key").starts_with("me.key: it holds a private key, but a certificate request is needed")
    );
    assert!(issue("nothing").starts_with("nothing: No such file"));

    scratch.run("openssl", "req -new -sha512 -key me.key -subj /CN=me -out sha512.csr");
    assert!(issue("sha512.csr").contains("is signed with ecdsa-with-SHA512, not by the key"));
    scratch.run("openssl", "req -new -newkey ed25519 -nodes -keyout ed.key -subj /CN=me -out ed.csr");
    assert!(issue("ed.csr").contains("key algorithm id-Ed25519 is not supported"));
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let scratch = Scratch::new();
    scratch.make_ca();
    let long = "x".repeat(65);
    let error = scratch.error(&format!("keygen ca --algorithm p-256 --name {long} --key x.key --cert x.pem"));
    assert_eq!(error, "a common name has 1 to 64 characters, not 65");
    let error = scratch.error("keygen ca --algorithm p-256 --name x --days 0 --key x.key --cert x.pem");
    let days = "give at least 1, and none beyond the year 9999";
    assert_eq!(error, format!("a certificate can't be valid for 0 days: {days}"));
    let error =
        scratch.error("keygen ca --algorithm p-256 --name x --days 4294967295 --key x.key --cert x.pem");
    assert_eq!(error, format!("a certificate can't be valid for 4294967295 days: {days}"));
    let error = scratch.error("keygen ca --algorithm p-256 --name x --key ca.key --cert x.pem");
    assert_eq!(error, "ca.key exists; keygen overwrites nothing");
    scratch.bpfsig("keygen signer --algorithm p-256 --name me --key me.key --cert me.pem");
    let error = scratch.error(
        "keygen signer --algorithm p-256 --name x --key x.key --cert x.pem --ca-key me.key --ca-cert me.pem",
    );
    assert_eq!(error, "`CN=me` can't issue certificates: it is not a CA");
    assert!(!scratch.path("x.key").exists() && !scratch.path("x.pem").exists());
}

/// The key is removed again; `ulimit` lets the certificate's file be opened, but not written as a whole.
#[test]
fn a_key_is_not_left_without_its_certificate() {
    let scratch = Scratch::with_file();
    let keygen = |kind: &str| format!("keygen {kind} --algorithm ml-dsa-44 --name x --key x.key");
    for (command, problem) in [
        (keygen("ca") + " --cert none/x.pem", "none/x.pem: No such file or directory (os error 2)"),
        (keygen("signer") + " --cert none/x.pem", "none/x.pem: No such file or directory (os error 2)"),
        (keygen("request") + " --request file.txt/x", "file.txt/x: Not a directory (os error 20)"),
        (keygen("ca") + " --cert x.key", "x.key: File exists (os error 17)"),
    ] {
        assert_eq!(scratch.error(&command), problem, "{command}");
        assert_eq!(std::fs::read_dir(scratch.path("")).unwrap().count(), 1, "{command}");
    }

    let bpfsig = env!("CARGO_BIN_EXE_bpfsig");
    let limited = format!("'trap \"\" XFSZ; ulimit -f 1; {bpfsig} {} --cert x.pem'", keygen("ca"));
    let error = error_of(&output(&mut scratch.command("sh", &format!("-c {limited}"))));
    assert_eq!(error, "x.pem: File too large (os error 27)");
    assert_eq!(std::fs::read_dir(scratch.path("")).unwrap().count(), 1);

    // A key that was there is none of this command's.
    scratch.bpfsig(&(keygen("request") + " --request x.csr"));
    let key = scratch.read("x.key");
    scratch.error(&(keygen("request") + " --request none/x.csr"));
    assert_eq!(scratch.read("x.key"), key);
}
