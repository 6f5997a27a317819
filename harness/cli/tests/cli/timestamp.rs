//! `timestamp`, and signatures that outlive a certificate. The authority is `openssl ts`; to sign times of the past, it is
//! `openssl cms`.

use std::fs;

use bpfsig_signing::certificate::{Certificate, Signer};
use bpfsig_signing::key::PrivateKey;
use bpfsig_signing::package::{File, Package, SignedPackage};

use crate::scratch::Scratch;

const CONFIG: &str = "
    [ca]
    default_ca = default
    [default]
    database = index.txt
    new_certs_dir = .
    rand_serial = yes
    unique_subject = no
    default_md = sha256
    policy = policy
    [policy]
    commonName = supplied
    [root]
    subjectKeyIdentifier = hash
    basicConstraints = critical, CA:TRUE
    keyUsage = critical, keyCertSign
    [signer]
    subjectKeyIdentifier = hash
    basicConstraints = CA:FALSE
    keyUsage = critical, digitalSignature
    [authority]
    subjectKeyIdentifier = hash
    basicConstraints = CA:FALSE
    extendedKeyUsage = critical, timeStamping
    [tsa]
    default_tsa = tsa1
    [tsa1]
    serial = serial
    default_policy = 1.2.3.4
    digests = sha256
    signer_digest = sha256
    accuracy = secs:1
";

/// A signer, whose certificate was valid in 2024, and an authority, with CAs of their own.
fn scratch() -> Scratch {
    let scratch = Scratch::with_file();
    scratch.write("openssl.cnf", CONFIG.as_bytes());
    scratch.write("index.txt", b"");
    for (name, issuer, extensions, dates) in [
        ("ca", "ca", "root", "-startdate 20200101000000Z -enddate 20600101000000Z"),
        ("me", "ca", "signer", "-startdate 20240101000000Z -enddate 20250101000000Z"),
        ("tsa-ca", "tsa-ca", "root", "-startdate 20200101000000Z -enddate 20600101000000Z"),
        ("tsa", "tsa-ca", "authority", "-startdate 20200101000000Z -enddate 20600101000000Z"),
    ] {
        scratch.run(
            "openssl",
            &format!("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out csr -subj /CN={name}"),
        );
        let issuer = match issuer == name {
            true => "-selfsign".to_owned(),
            false => format!("-cert {issuer}.pem"),
        } + &format!(" -keyfile {issuer}.key");
        scratch.run(
            "openssl",
            &format!(
                "ca -batch -notext -config openssl.cnf -in csr -out {name}.pem -extensions {extensions} {issuer} {dates}"
            ),
        );
    }
    scratch
}

const SIGN: &str = "sign --any-cert --key me.key --cert me.pem";
const VERIFY: &str = "verify --ca ca.pem --cert me.pem";
const REPLY: &str = "ts -reply -config openssl.cnf -signer tsa.pem -inkey tsa.key";

/// A DER `SEQUENCE` of more than 255 bytes.
fn sequence(content: &[u8]) -> Vec<u8> {
    [&[0x30, 0x82][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// Writes the authority's answer to a request, with a time that it would not sign.
fn answer_at(scratch: &Scratch, request: &str, time: &str) {
    scratch.run("openssl", &format!("{REPLY} -queryfile {request} -token_out -out token"));
    scratch.run("openssl", "cms -verify -noverify -binary -inform DER -in token -out info");
    let mut info = scratch.read("info");
    let at = info.windows(2).position(|window| window == [0x18, 15]).unwrap() + 2;
    info[at..at + 15].copy_from_slice(time.as_bytes());
    scratch.write("info", &info);
    scratch.run(
        "openssl",
        "cms -sign -binary -nodetach -cades -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.4 -in info \
         -signer tsa.pem -inkey tsa.key -outform DER -out token",
    );
    let granted = [&[0x30, 3, 2, 1, 0][..], &scratch.read("token")].concat();
    scratch.write("answer", &sequence(&granted));
}

#[test]
fn a_signature_outlives_its_certificate() {
    let scratch = scratch();
    let expired = "file.txt: file.txt.p7s: the certificate of `CN=me` has expired";
    let refused = |authorities: &str| {
        let error = scratch.error(&format!("{VERIFY} {authorities} file.txt"));
        error
            .strip_suffix("\nbpfsig: error: not verified: file.txt")
            .unwrap_or_else(|| panic!("{error}"))
            .to_owned()
    };
    scratch.bpfsig(&format!("{SIGN} file.txt"));
    let unstamped = scratch.read("file.txt.p7s");
    assert_eq!(refused(""), expired);
    assert_eq!(refused("--tsa tsa-ca.pem"), format!("{expired}, and the signature has no timestamp"));

    let text = scratch.bpfsig("timestamp request file.txt.p7s");
    assert!(text.starts_with("file.txt.p7s.tsq: ") && text.ends_with(" bytes\n"), "{text}");
    answer_at(&scratch, "file.txt.p7s.tsq", "20240601120000Z");
    let text = scratch.bpfsig("timestamp add file.txt.p7s answer");
    let when = "timestamp of 2024-06-01T12:00:00Z by `CN=tsa`";
    assert!(text.starts_with(&format!("file.txt.p7s: {when}, ")), "{text}");
    let stamped = scratch.read("file.txt.p7s");
    scratch.run("openssl", "x509 -in tsa-ca.pem -outform DER -out tsa-ca.der");
    for authorities in ["--tsa tsa-ca.pem", "--tsa ca.pem --tsa tsa-ca.pem", "--tsa tsa-ca.der"] {
        let text = scratch.bpfsig(&format!("{VERIFY} {authorities} file.txt"));
        assert!(text.contains(&format!("\n  {when}\n")), "{text}");
    }
    scratch.bpfsig("verify --cert me.pem --tsa tsa-ca.pem file.txt");
    let shown = scratch.bpfsig("inspect file.txt.p7s");
    assert!(shown.contains("\ntimestamp  2024-06-01T12:00:00Z by CN=tsa\n"), "{shown}");
    let shown: serde_json::Value =
        serde_json::from_str(&scratch.bpfsig("inspect --json file.txt.p7s")).unwrap();
    assert_eq!(shown["signature"]["timestamps"][0]["authority"], "CN=tsa");

    assert_eq!(
        refused(""),
        format!(
            "{expired}, and its timestamp does not count: say with --tsa whose timestamps count; it is of \
             2024-06-01T12:00:00Z by `CN=tsa`"
        )
    );
    assert_eq!(
        refused("--tsa ca.pem"),
        format!(
            "{expired}, and its timestamp does not count: the timestamp authority is not trusted: no path from the \
             certificate of `CN=tsa` to a trusted CA: its issuer `CN=tsa-ca` is not among the CAs that are given: `CN=ca`"
        )
    );

    // The file itself has to be the signed one.
    scratch.write("file.txt", b"something else");
    let error = scratch.error(&format!("{VERIFY} --tsa tsa-ca.pem file.txt"));
    assert_eq!(error, "not verified: file.txt");
    scratch.write("file.txt", b"something to sign");

    // One bit of the token's signature, which is at the end.
    let mut altered = stamped.clone();
    *altered.last_mut().unwrap() ^= 1;
    scratch.write("file.txt.p7s", &altered);
    assert_eq!(
        refused("--tsa tsa-ca.pem"),
        format!(
            "{expired}, and its timestamp does not count: the timestamp's own signature is wrong: it has been altered"
        )
    );

    // When the certificate had expired, or not begun; a second counts, as much as the clock may be slow.
    for (time, refusal) in [
        ("20241231235958Z", None),
        ("20250101000000Z", Some("has expired")),
        ("20231231235958Z", Some("is not valid yet")),
    ] {
        scratch.write("file.txt.p7s", &unstamped);
        answer_at(&scratch, "file.txt.p7s.tsq", time);
        scratch.bpfsig("timestamp add file.txt.p7s answer");
        match refusal {
            None => drop(scratch.bpfsig(&format!("{VERIFY} --tsa tsa-ca.pem file.txt"))),
            Some(problem) => {
                let error = refused("--tsa tsa-ca.pem");
                assert!(
                    error.contains("file.txt.p7s: at 20") && error.contains("by its timestamp"),
                    "{error}"
                );
                assert!(error.ends_with(&format!("the certificate of `CN=me` {problem}")), "{error}");
            }
        }
    }
}

#[test]
fn a_timestamp_that_is_not_needed_does_no_harm() {
    let scratch = scratch();
    scratch.make_signer("now", "");
    scratch.bpfsig("sign --key now.key --cert now.pem file.txt");
    scratch.bpfsig("timestamp request file.txt.p7s");
    scratch.run("openssl", &format!("{REPLY} -queryfile file.txt.p7s.tsq -out file.txt.p7s.tsr"));
    scratch.bpfsig("timestamp add file.txt.p7s file.txt.p7s.tsr");
    let verify = "verify --ca ca.pem --cert now.pem";
    let text = scratch.bpfsig(&format!("{verify} file.txt"));
    assert!(text.contains("  its timestamp does not count: say with --tsa whose timestamps count"), "{text}");
    let text = scratch.bpfsig(&format!("{verify} --tsa ca.pem file.txt"));
    assert!(
        text.contains("  its timestamp does not count: the timestamp authority is not trusted"),
        "{text}"
    );
    let text = scratch.bpfsig(&format!("{verify} --tsa tsa-ca.pem file.txt"));
    assert!(text.contains("  timestamp of 20") && !text.contains("does not count"), "{text}");

    // Other tools find it, and find it right.
    scratch.run("openssl", "ts -verify -in file.txt.p7s.tsr -queryfile file.txt.p7s.tsq -CAfile tsa-ca.pem");
    scratch.run(
        "openssl",
        "cms -verify -purpose any -binary -inform DER -in file.txt.p7s -certfile now.pem -CAfile ca.pem -out statement",
    );
}

#[test]
fn answers_that_are_not_taken() {
    let scratch = scratch();
    scratch.bpfsig(&format!("{SIGN} file.txt"));
    let before = scratch.read("file.txt.p7s");
    scratch.bpfsig("timestamp request file.txt.p7s");
    scratch.run("openssl", &format!("{REPLY} -queryfile file.txt.p7s.tsq -out right.tsr"));
    let right = scratch.read("right.tsr");
    scratch.run("openssl", "ts -query -data file.txt -sha256 -cert -out other.tsq");
    scratch.run("openssl", &format!("{REPLY} -queryfile other.tsq -out other.tsr"));
    scratch.run("openssl", "ts -query -data file.txt -sha512 -cert -out rejected.tsq");
    scratch.run("openssl", &format!("{REPLY} -queryfile rejected.tsq -out rejected.tsr"));
    scratch.write("cut.tsr", &right[..right.len() - 1]);
    let mut altered = right.clone();
    *altered.last_mut().unwrap() ^= 1;
    scratch.write("altered.tsr", &altered);
    for (answer, problem) in [
        ("other.tsr", "file.txt.p7s: the timestamp is of another signature"),
        ("rejected.tsr", "rejected.tsr: the authority has not made a timestamp: it rejects the request"),
        ("cut.tsr", "cut.tsr: not a timestamp authority's answer (RFC 3161, DER)"),
        ("altered.tsr", "file.txt.p7s: the timestamp's own signature is wrong: it has been altered"),
        ("file.txt.p7s", "file.txt.p7s: not a timestamp authority's answer (RFC 3161, DER)"),
        ("file.txt.p7s.tsq", "file.txt.p7s.tsq: not a timestamp authority's answer (RFC 3161, DER)"),
        ("missing", "missing: "),
    ] {
        let error = scratch.error(&format!("timestamp add file.txt.p7s {answer}"));
        assert!(error.starts_with(problem), "{answer}: {error}");
    }
    assert_eq!(scratch.read("file.txt.p7s"), before);

    scratch.bpfsig("timestamp add file.txt.p7s right.tsr");
    let error = scratch.error("timestamp add file.txt.p7s right.tsr");
    assert!(error.contains("it has a timestamp already, of 20") && error.contains("sign again"), "{error}");
    assert_eq!(
        scratch.error("timestamp request file.txt.p7s"),
        "file.txt.p7s has a timestamp already; to replace it, sign again"
    );
    for file in ["file.txt", "right.tsr", "me.pem"] {
        for command in [format!("request {file}"), format!("add {file} right.tsr")] {
            let error = scratch.error(&format!("timestamp {command}"));
            assert!(
                error.starts_with(&format!("{file}: neither a signature (.p7s) nor an eBPF object")),
                "{error}"
            );
        }
    }
    scratch.write("image.c", b"int main(void) { return 0; }");
    scratch.run("x86_64-w64-mingw32-gcc", "-s -o image.exe image.c");
    let error = scratch.error("timestamp request image.exe");
    assert!(error.contains("image.exe: bpfsig gives no timestamps to Authenticode signatures"), "{error}");
}

#[test]
fn each_message_has_its_timestamp() {
    let scratch = scratch();
    let files: Vec<_> = (0..450).map(|number| format!("{number}.txt")).collect();
    for file in &files {
        scratch.write(file, file.as_bytes());
    }
    let files = files.join(" ");
    scratch.bpfsig(&format!("{SIGN} --output all.p7s {files}"));
    for step in ["1 of 2\n", "2 of 2\n"] {
        let text = scratch.bpfsig("timestamp request all.p7s");
        assert!(text.ends_with(&format!(", for message {step}")), "{text}");
        answer_at(&scratch, "all.p7s.tsq", "20240601120000Z");
        let text = scratch.bpfsig("timestamp add all.p7s answer");
        let next = "1 of 2 messages have none yet: request the next\n";
        assert_eq!(text.contains(next), step == "1 of 2\n", "{text}");
        if step == "1 of 2\n" {
            let error = scratch.error(&format!("{VERIFY} --tsa tsa-ca.pem --signature all.p7s 0.txt"));
            assert!(error.contains("has expired, and one of the CMS messages has no timestamp"), "{error}");
        }
    }
    scratch.bpfsig(&format!("{VERIFY} --tsa tsa-ca.pem --signature all.p7s 0.txt 449.txt"));
    let error = scratch.error("timestamp request all.p7s");
    assert!(error.starts_with("all.p7s has a timestamp already"), "{error}");
    assert_eq!(scratch.bpfsig("inspect all.p7s").matches("\ntimestamp ").count(), 2);

    // An authority that sends many certificates: too many for 300 entries.
    scratch.bpfsig(&format!("{SIGN} --output all.p7s {files}"));
    scratch.bpfsig("timestamp request all.p7s");
    let chain: Vec<_> = (0..12)
        .flat_map(|number| {
            scratch.bpfsig(&format!("keygen ca --name {number} --key {number}.key --cert {number}.pem"));
            scratch.read(&format!("{number}.pem"))
        })
        .collect();
    scratch.write("chain.pem", &chain);
    scratch.run("openssl", &format!("{REPLY} -chain chain.pem -queryfile all.p7s.tsq -out all.p7s.tsr"));
    let error = scratch.error("timestamp add all.p7s all.p7s.tsr");
    assert!(error.contains("no room for the timestamp") && error.contains("takes at most 16384"), "{error}");
}

#[test]
fn signatures_inside_of_objects() {
    let scratch = scratch();
    scratch.write("prog.c", b"__attribute__((section(\"tc\"))) int drop(void *context) { return 2; }");
    scratch.run("clang", "-O2 -g -target bpf -c -o prog.o prog.c");
    assert!(scratch.error("timestamp request prog.o").contains("neither a signature"));
    scratch.bpfsig(&format!("{SIGN} --embed prog.o"));
    scratch.bpfsig("timestamp request prog.o");
    scratch.run("openssl", &format!("{REPLY} -queryfile prog.o.tsq -out prog.o.tsr"));
    scratch.bpfsig("timestamp add prog.o prog.o.tsr");
    let error = scratch.error(&format!("{VERIFY} --tsa tsa-ca.pem prog.o"));
    assert!(error.contains("section .bpfsig: at 20") && error.contains("has expired"), "{error}");
    let shown = scratch.bpfsig("inspect prog.o");
    assert!(shown.contains("\ntimestamp  20"), "{shown}");
    // The descriptions are still there.
    scratch.run("llvm-objcopy", "--dump-section .bpfsig.json=words prog.o /dev/null");
    // Signing it again takes it out.
    scratch.bpfsig(&format!("{SIGN} --embed prog.o"));
    assert!(!scratch.bpfsig("inspect prog.o").contains("timestamp"));
}

#[test]
fn a_package_outlives_its_certificate() {
    let scratch = scratch();
    scratch.write("prog.c", b"__attribute__((section(\"tc\"))) int drop(void *context) { return 2; }");
    scratch.run("clang", "-O2 -g -target bpf -c -o prog.o prog.c");
    // `package create` would refuse the certificate.
    let signer = Signer::new(
        PrivateKey::read(&scratch.read("me.key"), None).unwrap(),
        Certificate::read(&scratch.read("me.pem")).unwrap(),
    );
    let signer = signer.unwrap();
    let archive = |program: &str| {
        let file = |path: &str, content: Vec<u8>| File { path: path.to_owned(), content };
        let manifest = br#"{"name": "filter", "version": "1.0.0", "artifact": "filter.tar.gz"}"#;
        let files = vec![file("manifest.json", manifest.to_vec()), file("prog.o", scratch.read(program))];
        Package::new("jammy", files).unwrap().sign(&signer, &[], 0).unwrap()
    };
    let unstamped = archive("prog.o");
    scratch.write("filter.tar.gz", &unstamped);

    let verify = "package verify --ca ca.pem filter.tar.gz";
    let expired = "filter.tar.gz: the certificate of `CN=me` has expired";
    assert_eq!(scratch.error(verify), expired);
    assert_eq!(
        scratch.error(&format!("{verify} --tsa tsa-ca.pem")),
        format!("{expired}, and the signature has no timestamp")
    );

    let text = scratch.bpfsig("timestamp request filter.tar.gz");
    assert!(text.starts_with("filter.tar.gz.tsq: "), "{text}");
    let stamp = |time: &str| {
        scratch.write("filter.tar.gz", &unstamped);
        answer_at(&scratch, "filter.tar.gz.tsq", time);
        scratch.bpfsig("timestamp add filter.tar.gz answer")
    };
    let when = "timestamp of 2024-06-01T12:00:00Z by `CN=tsa`";
    stamp("20250101000000Z");
    let error = scratch.error(&format!("{verify} --tsa tsa-ca.pem"));
    assert_eq!(
        error,
        "filter.tar.gz: at 2025-01-01T00:00:00Z, by its timestamp: the certificate of `CN=me` has expired"
    );
    let text = stamp("20240601120000Z");
    assert!(text.starts_with(&format!("filter.tar.gz: {when}, ")), "{text}");
    assert_eq!(
        scratch.error(verify),
        format!(
            "{expired}, and its timestamp does not count: say with --tsa whose timestamps count; it is of \
             2024-06-01T12:00:00Z by `CN=tsa`"
        )
    );
    assert!(scratch.error(&format!("{verify} --tsa ca.pem")).contains("authority is not trusted"));
    for trust in ["--ca ca.pem", "--cert me.pem"] {
        let text = scratch.bpfsig(&format!("package verify {trust} --tsa tsa-ca.pem filter.tar.gz"));
        assert!(text.contains("filter.tar.gz: signed by `CN=me`\n  timestamp of 2024"), "{text}");
    }
    assert_eq!(
        scratch.error("timestamp request filter.tar.gz"),
        "filter.tar.gz has a timestamp already; to replace it, sign again"
    );

    let shown = scratch.bpfsig("inspect filter.tar.gz");
    assert!(shown.contains("\ntimestamp  2024-06-01T12:00:00Z by CN=tsa\n"), "{shown}");

    // What is installed keeps it.
    fs::create_dir(scratch.path("installed")).unwrap();
    let install = "package install --ca ca.pem --into installed filter.tar.gz";
    assert!(scratch.error(install).contains("has expired"));
    scratch.bpfsig(&format!("{install} --tsa tsa-ca.pem"));
    let folder = "installed/filter/1.0.0/filter";
    scratch.bpfsig(&format!(
        "verify --ca ca.pem --cert {folder}/package.pem --tsa tsa-ca.pem --signature {folder}/package.p7s {folder}/prog.o"
    ));

    // A timestamp is of the signature, not of the files.
    let stamped = SignedPackage::read(&scratch.read("filter.tar.gz")).unwrap();
    let other = SignedPackage::read(&archive("prog.c")).unwrap();
    scratch.write("filter.tar.gz", &other.with_signature(stamped.signature().to_vec()).unwrap());
    assert_eq!(
        scratch.error(&format!("{verify} --tsa tsa-ca.pem")),
        "filter.tar.gz: `filter/package.sha256` is not the file that was signed"
    );
    scratch.run("tar", "-czf plain.tar.gz prog.o");
    for command in ["request plain.tar.gz", "add plain.tar.gz answer"] {
        let error = scratch.error(&format!("timestamp {command}"));
        assert!(error.starts_with("plain.tar.gz: "), "{error}");
    }
}
