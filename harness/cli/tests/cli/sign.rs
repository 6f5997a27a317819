//! `sign`, `verify` and `inspect`: one signature for files of both systems, and what goes wrong.
//! Judged by `openssl` and `osslsigncode`.

use std::fs;

use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::certificate::{Certificate, Signer};
use bpfsig_signing::key::PrivateKey;
use bpfsig_signing::signature;
use bpfsig_signing::statement::Statement;

use crate::scratch::{self, Scratch};

const LINUX: &str = r#"
    #define SEC(name) __attribute__((section(name)))
    char _license[] SEC("license") = "GPL";
    struct { int (*type)[1]; int (*max_entries)[SIZE]; int *key; long *value; } config SEC(".maps");
    static void *(*lookup)(void *, void *) = (void *)1;
    const volatile int limit = LIMIT;
    SEC("xdp") int pass(void *context) { int key = limit; return lookup(&config, &key) ? 2 : 1; }
    SEC("tc") int drop(void *context) { return 2; }
"#;

const WINDOWS: &str = r#"
    #define SEC(name) __attribute__((section(name)))
    typedef struct _bpf_sock_addr { unsigned family; unsigned user_ip4; } bpf_sock_addr_t;
    SEC("cgroup/connect4") int authorize(bpf_sock_addr_t *context) { return context->family == 2; }
"#;

/// One of each kind.
const FILES: &str = "linux.o windows.o driver.sys program.exe program";

/// With keys, and with these files to sign.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    keys(&scratch, "p-256");
    scratch.write("linux.c", LINUX.as_bytes());
    scratch.write("windows.c", WINDOWS.as_bytes());
    scratch.write("driver.c", b"int DriverEntry(void *driver, void *path) { return 0; }");
    scratch.write("program.c", b"int main(void) { return 0; }");
    compile_linux(&scratch, 7, 3);
    scratch.run("clang", "-O2 -g -target bpf -mcpu=v3 -c -o windows.o windows.c");
    let driver = "-s -Wl,--subsystem,native -nostdlib -e DriverEntry -o driver.sys driver.c";
    scratch.run("x86_64-w64-mingw32-gcc", driver);
    scratch.run("x86_64-w64-mingw32-gcc", "-s -o program.exe program.c");
    scratch.run("gcc", "-o program program.c");
    scratch
}

/// A CA, and a signer with its certificate.
fn keys(scratch: &Scratch, algorithm: &str) {
    for file in ["ca.key", "ca.pem", "me.key", "me.pem"] {
        let _ = fs::remove_file(scratch.path(file));
    }
    scratch.bpfsig(&format!("keygen ca --algorithm {algorithm} --name CA --key ca.key --cert ca.pem"));
    scratch.bpfsig(&format!(
        "keygen signer --algorithm {algorithm} --purpose program --purpose code --name me --key me.key \
         --cert me.pem --ca-key ca.key --ca-cert ca.pem"
    ));
}

fn compile_linux(scratch: &Scratch, size: u32, limit: u32) {
    let options = "-O2 -g -target bpf -mcpu=v3 -c -o linux.o linux.c";
    scratch.run("clang", &format!("-DSIZE={size} -DLIMIT={limit} {options}"));
}

/// The instructions in a section of an object.
fn code(scratch: &Scratch, object: &str, section: &str) -> Vec<u8> {
    scratch.run("llvm-objcopy", &format!("--dump-section {section}=code {object} /dev/null"));
    scratch.read("code")
}

/// Runs bpfsig, which must fail, and returns what it prints and its errors.
fn refused(scratch: &Scratch, arguments: &str) -> (String, String) {
    let output = scratch::output(&mut scratch.command(env!("CARGO_BIN_EXE_bpfsig"), arguments));
    let [text, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(1), "bpfsig {arguments}: {text}{errors}");
    assert!(errors.starts_with("bpfsig: error: "), "{errors}");
    (text, errors)
}

const SIGN: &str = "sign --key me.key --cert me.pem";
const VERIFY: &str = "verify --ca ca.pem --cert me.pem";

#[test]
fn one_signature_covers_files_of_both_systems() {
    let scratch = scratch();
    for algorithm in ["p-256", "rsa-2048"] {
        keys(&scratch, algorithm);
        scratch.bpfsig(&format!("{SIGN} --output all.p7s {FILES}"));
        scratch.run("openssl", "cms -verify -binary -inform DER -in all.p7s -certfile me.pem -CAfile ca.pem -purpose any -out statement");
        assert_eq!(scratch.read("statement").len(), 32 + 36 * 6);
        scratch.bpfsig(&format!("{VERIFY} --signature all.p7s {FILES}"));
        scratch.bpfsig(&format!("verify --cert me.pem --signature all.p7s {FILES}"));

        // The same input gives the same bytes.
        scratch.bpfsig(&format!("{SIGN} --output again.p7s {FILES}"));
        assert_eq!(scratch.read("again.p7s"), scratch.read("all.p7s"));
    }

    // A byte of a program's code, of a symbol's name, of the headers. In an object for Linux, not all matter.
    for (file, part) in [
        ("linux.o", &code(&scratch, "linux.o", "xdp")[..]),
        ("windows.o", b"authorize"),
        ("driver.sys", b"DOS mode"),
        ("program.exe", b"DOS mode"),
        ("program", b".interp"),
    ] {
        let bytes = scratch.read(file);
        let mut changed = bytes.clone();
        let offset = bytes.windows(part.len()).position(|window| window == part).unwrap();
        changed[offset] ^= 1;
        scratch.write(file, &changed);
        let (text, errors) = refused(&scratch, &format!("{VERIFY} --signature all.p7s {FILES}"));
        let last = errors.lines().last().unwrap();
        assert_eq!(last, format!("bpfsig: error: not verified: {file}"), "{text}{errors}");
        scratch.write(file, &bytes);
    }
}

#[test]
fn signatures_inside_of_files() {
    let scratch = scratch();
    let files = "linux.o windows.o driver.sys program.exe";
    let before: Vec<_> = files.split(' ').map(|file| scratch.read(file)).collect();
    scratch.bpfsig(&format!("{SIGN} --embed {files}"));
    let signed: Vec<_> = files.split(' ').map(|file| scratch.read(file)).collect();
    let text = scratch.bpfsig(&format!("{VERIFY} {files}"));
    assert!(!text.contains("warning"), "{text}");
    let text = scratch.bpfsig("verify --cert me.pem linux.o");
    assert!(text.contains("warning: without --ca, nobody has checked who issued"), "{text}");
    for file in ["driver.sys", "program.exe"] {
        scratch.bpfsig(&format!("verify --ca ca.pem {file}"));
        let text = scratch.run("osslsigncode", &format!("verify -CAfile ca.pem -in {file}"));
        assert!(text.contains("Number of verified signatures: 1"), "{text}");
    }
    // A program stays one.
    assert!(scratch.path("program.exe").metadata().is_ok_and(|metadata| is_executable(&metadata)));

    // Signing again replaces, by the same or by another signer.
    scratch.bpfsig(&format!("{SIGN} --embed {files}"));
    for (file, signed) in files.split(' ').zip(&signed) {
        assert_eq!(scratch.read(file), *signed, "{file}");
    }
    keys(&scratch, "rsa-2048");
    assert!(scratch.error(&format!("{VERIFY} {files}")).contains("signed by"));
    let error = scratch.error(&format!("{SIGN} --embed {files}"));
    assert_eq!(error, "driver.sys: it is signed by `CN=me`: --replace puts the new signature in its place");
    assert_eq!(scratch.read("linux.o"), signed[0]);
    scratch.bpfsig(&format!("{SIGN} --embed --replace {files}"));
    scratch.bpfsig(&format!("{VERIFY} {files}"));

    // A signature beside them is for the same things.
    scratch.bpfsig(&format!("{SIGN} --output all.p7s {files}"));
    for (file, before) in files.split(' ').zip(&before) {
        scratch.write(file, before);
    }
    scratch.bpfsig(&format!("{VERIFY} --signature all.p7s {files}"));

    // If one has no room, none is touched.
    let error = scratch.error(&format!("{SIGN} --embed linux.o program"));
    assert!(error.contains("program: only eBPF objects and PE images have room"), "{error}");
    assert_eq!(scratch.read("linux.o"), before[0]);

    // One beside a file is looked at first.
    let text = scratch.bpfsig(&format!("{SIGN} --embed linux.o"));
    assert!(!text.contains("warning"), "{text}");
    scratch.bpfsig(&format!("{SIGN} linux.o"));
    let text = scratch.bpfsig(&format!("{SIGN} --embed linux.o"));
    assert!(text.contains("warning: linux.o.p7s exists, too"), "{text}");
}

fn is_executable(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

#[test]
fn a_mismatch_is_explained() {
    let scratch = scratch();
    for place in ["", "--embed"] {
        compile_linux(&scratch, 7, 3);
        scratch.bpfsig(&format!("{SIGN} {place} linux.o"));
        if place == "--embed" {
            fs::remove_file(scratch.path("linux.o.p7s")).unwrap();
            fs::remove_file(scratch.path("linux.o.p7s.json")).unwrap();
            let section = "--dump-section .bpfsig=message --dump-section .bpfsig.json=words linux.o";
            scratch.run("llvm-objcopy", section);
            compile_linux(&scratch, 8, 4);
            scratch.run(
                "llvm-objcopy",
                "--add-section .bpfsig=message --add-section .bpfsig.json=words linux.o",
            );
        } else {
            compile_linux(&scratch, 8, 4);
        }
        let (text, errors) = refused(&scratch, &format!("{VERIFY} linux.o"));
        assert!(text.contains("program pass: NOT SIGNED"), "{text}");
        assert!(text.contains("slot 0 `config`: max_entries 8, signed 7"), "{text}");
        assert!(text.contains("slot 1 `.rodata`: contents differ"), "{text}");
        assert_eq!(errors, "bpfsig: error: not verified: linux.o\n");
    }

    // Descriptions of something that was not signed, or that are none, explain nothing and do no harm.
    compile_linux(&scratch, 9, 4);
    scratch.bpfsig(&format!("{SIGN} --output other.p7s linux.o"));
    compile_linux(&scratch, 7, 3);
    scratch.bpfsig(&format!("{SIGN} linux.o"));
    compile_linux(&scratch, 8, 4);
    for words in [scratch.read("other.p7s.json"), b"{".to_vec(), Vec::new()] {
        scratch.write("linux.o.p7s.json", &words);
        let (text, _) = refused(&scratch, &format!("{VERIFY} linux.o"));
        assert!(text.contains("pass: NOT SIGNED") && !text.contains("slot"), "{text}");
    }
}

#[test]
fn who_has_signed_matters() {
    let scratch = scratch();
    scratch.bpfsig(&format!("{SIGN} linux.o"));
    scratch.bpfsig("keygen ca --algorithm p-256 --name Other --key other.key --cert other.pem");
    for (signers, problem) in [
        (
            "--ca other.pem --cert me.pem",
            "its issuer `CN=CA` is not among the CAs that are given: `CN=Other`",
        ),
        ("--ca ca.pem", "say with --cert where its certificate is"),
        ("--cert other.pem", "but the certificate is for key"),
        ("--cert me.key", "me.key: it holds a private key, but a certificate is needed here"),
        ("--cert missing.pem", "missing.pem"),
        ("--cert me.pem --ca me.key", "me.key: it holds a private key, but a certificate is needed here"),
    ] {
        let error = scratch.error(&format!("verify {signers} linux.o"));
        assert!(error.contains(problem), "{signers}: {error}");
    }

    // A certificate that is for something else.
    let issuer = "--ca-key ca.key --ca-cert ca.pem";
    for (purpose, file, place, problem) in [
        ("program", "driver.sys", "--embed", "is not for signing code"),
        ("attestation", "linux.o", "", "is not for signing programs"),
    ] {
        scratch.bpfsig(&format!(
            "keygen signer --algorithm p-256 --purpose {purpose} --name {purpose} --key {purpose}.key \
             --cert {purpose}.pem {issuer}"
        ));
        let sign = format!("sign --key {purpose}.key --cert {purpose}.pem {place} {file}");
        let error = match place {
            "--embed" => scratch.error(&sign),
            _ => {
                assert!(scratch.error(&sign).contains(problem));
                let text = scratch.bpfsig(&format!("{sign} --any-cert"));
                assert!(text.contains("warning: ") && text.contains(problem), "{text}");
                scratch.error(&format!("verify --ca ca.pem --cert {purpose}.pem {file}"))
            }
        };
        assert!(error.contains(problem), "{error}");
    }

    // Another signer of the same CA.
    scratch.bpfsig(&format!("{SIGN} --embed driver.sys"));
    scratch.make_signer("you", "--purpose code");
    for signers in ["--cert you.pem", "--cert you.pem --ca ca.pem"] {
        let error = scratch.error(&format!("verify {signers} driver.sys"));
        assert!(error.contains("signed by `CN=me`, not by `CN=you`"), "{error}");
    }

    // A CA that signs certificates as nobody should any more.
    scratch.write("old.ext", b"subjectKeyIdentifier=hash\n");
    scratch.run("openssl", "req -newkey rsa:2048 -nodes -keyout old.key -out old.csr -subj /CN=old");
    let sign = "-sha1 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile old.ext -days 3";
    scratch.run("openssl", &format!("x509 -req -in old.csr -out old.pem {sign}"));
    let error = scratch.error("sign --key old.key --cert old.pem linux.o");
    assert!(error.ends_with("is signed with ECDSA and SHA-1, which is not accepted"), "{error}");
    scratch.bpfsig("sign --any-cert --key old.key --cert old.pem linux.o");
    let error = scratch.error("verify --ca ca.pem --cert old.pem linux.o");
    assert!(error.contains("a certificate is signed with an algorithm that is not accepted"), "{error}");
    assert!(!error.contains("Context"), "{error}");

    // A chain in one file, through a CA below the CA.
    scratch.write("ext", b"basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n");
    scratch.run("openssl", "req -newkey rsa:2048 -nodes -keyout middle.key -out middle.csr -subj /CN=middle");
    let sign = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -days 3";
    scratch.run("openssl", &format!("x509 -req -in middle.csr -out middle.pem {sign}"));
    let issuer = "--ca-key middle.key --ca-cert middle.pem";
    scratch
        .bpfsig(&format!("keygen signer --algorithm p-256 --name low --key low.key --cert low.pem {issuer}"));
    scratch.bpfsig("sign --key low.key --cert low.pem linux.o");
    let error = scratch.error("verify --ca ca.pem --cert low.pem linux.o");
    let missing = "its issuer `CN=middle` is not among the CAs that are given: `CN=CA`";
    assert!(error.contains(missing), "{error}");
    scratch.write("chain.pem", &[scratch.read("low.pem"), scratch.read("middle.pem")].concat());
    scratch.bpfsig("verify --ca ca.pem --cert chain.pem linux.o");
}

/// A signature of a file that was valid for the first second of 1970.
fn expired(scratch: &Scratch, file: &str) -> Vec<u8> {
    let key = PrivateKey::read(&scratch.read("me.key"), None).unwrap();
    let signer = Signer::new(key, Certificate::read(&scratch.read("me.pem")).unwrap()).unwrap();
    let entries = Artifact::of(&scratch.read(file), None).unwrap().entries();
    signature::sign(&Statement { expiry: 1, entries }, &signer).unwrap()
}

#[test]
fn what_goes_wrong_is_said() {
    let scratch = scratch();
    let missing = scratch.error(&format!("{SIGN} missing.o"));
    assert_eq!(missing, "missing.o: No such file or directory (os error 2)");
    let (_, missing) = refused(&scratch, &format!("{VERIFY} missing.o"));
    assert!(
        missing.starts_with("bpfsig: error: missing.o: No such file or directory (os error 2)\n"),
        "{missing}"
    );
    let several = scratch.error(&format!("{SIGN} linux.o windows.o"));
    assert!(several.contains("say with --output"), "{several}");
    let unsigned = scratch.error(&format!("{VERIFY} linux.o"));
    assert!(unsigned.contains("no signature in it and no linux.o.p7s"), "{unsigned}");
    let unsigned = scratch.error(&format!("{VERIFY} driver.sys"));
    assert!(unsigned.contains("has no Authenticode signature"), "{unsigned}");

    // Damaged files are named; the others are checked all the same.
    scratch.bpfsig(&format!("{SIGN} linux.o"));
    scratch.bpfsig(&format!("{SIGN} program"));
    scratch.write("short.o", &scratch.read("linux.o")[..1000]);
    scratch.write("short.o.p7s", &scratch.read("linux.o.p7s"));
    let (text, errors) = refused(&scratch, &format!("{VERIFY} missing.o short.o linux.o program"));
    assert!(text.contains("program pass: ok") && text.contains("file: ok"), "{text}");
    assert!(errors.contains("short.o: damaged ELF file"), "{errors}");
    assert!(errors.ends_with("not verified: missing.o, short.o\n"), "{errors}");

    scratch.write("linux.o.p7s", b"not a signature");
    let error = scratch.error(&format!("{VERIFY} linux.o"));
    assert!(error.contains("linux.o.p7s: not a signature (CMS)"), "{error}");
    scratch.write("linux.o.p7s", &expired(&scratch, "linux.o"));
    let error = scratch.error(&format!("{VERIFY} linux.o"));
    assert!(error.contains("the signature has expired"), "{error}");

    // An object that does not tell which system it is for.
    let source = WINDOWS.replace("bpf_sock_addr_t", "context_t").replace("cgroup/connect4", "netevent");
    scratch.write("foreign.c", source.as_bytes());
    scratch.run("clang", "-O2 -target bpf -c -o foreign.o foreign.c");
    let error = scratch.error(&format!("{SIGN} foreign.o"));
    assert!(error.contains("say so with --type netevent=TYPE"), "{error}");
    scratch.bpfsig(&format!("{SIGN} --platform windows foreign.o"));
    scratch.bpfsig(&format!("{VERIFY} --platform windows foreign.o"));
}

#[test]
fn what_an_object_does_not_say_is_said_when_it_is_signed() {
    let scratch = scratch();
    let source = LINUX.replace("\"xdp\"", "\"xdp_gatekeeper\"").replace("\"tc\"", "\"ingress\"");
    scratch.write("linux.c", source.as_bytes());
    compile_linux(&scratch, 0, 3);
    let error = scratch.error(&format!("{SIGN} linux.o"));
    assert!(error.contains("say so with --type ingress=TYPE"), "{error}");
    assert_eq!(scratch.bpfsig("inspect --type ingress=tc linux.o").matches("note ").count(), 2);
    for place in ["", "--embed"] {
        let text = scratch.bpfsig(&format!("{SIGN} {place} --type ingress=tc linux.o"));
        assert!(text.contains("section `xdp_gatekeeper` is taken for `xdp`"), "{text}");
        assert!(text.contains("warning: linux.o: map `config` has no size"), "{text}");
        let text = scratch.bpfsig(&format!("{VERIFY} linux.o"));
        assert!(text.contains("program drop: ok"), "{text}");
        let _ = fs::remove_file(scratch.path("linux.o.p7s"));
    }
    let error = scratch.bpfsig_with_pin("", &format!("{SIGN} --type ingress linux.o"));
    assert_eq!(error.status.code(), Some(2));
}

/// Few machines have an `openssl` to judge these: the signing crate has its vectors.
#[test]
fn ml_dsa_signs_all_but_images() {
    let scratch = scratch();
    for algorithm in ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87"] {
        keys(&scratch, algorithm);
        scratch.bpfsig(&format!("{SIGN} --output all.p7s {FILES}"));
        scratch.bpfsig(&format!("{VERIFY} --signature all.p7s {FILES}"));
        let text = scratch.bpfsig("inspect all.p7s --cert me.pem");
        let name = algorithm.to_uppercase();
        for line in [format!("algorithm  {name}\n"), format!("key        {algorithm}\n")] {
            assert!(text.contains(&line), "{text}");
        }
        scratch.bpfsig(&format!("{SIGN} --embed linux.o windows.o"));
        scratch.bpfsig(&format!("{VERIFY} linux.o windows.o"));
        assert_eq!(
            scratch.error(&format!("{SIGN} --embed driver.sys")),
            "driver.sys: PE images are not signed with ML-DSA: Authenticode takes RSA and ECDSA keys"
        );
    }
}

#[test]
fn an_object_may_have_more_programs_than_a_message_lists() {
    let scratch = scratch();
    let programs = (0..450)
        .map(|n| format!("SEC(\"tc\") int program_with_a_long_name_{n}(void *c) {{ return {n}; }}\n"));
    let source =
        format!("#define SEC(name) __attribute__((section(name)))\n{}", programs.collect::<String>());
    scratch.write("many.c", source.as_bytes());
    scratch.run("clang", "-O2 -g -target bpf -mcpu=v3 -c -o many.o many.c");
    for place in ["", "--embed"] {
        let text = scratch.bpfsig(&format!("{SIGN} {place} many.o"));
        assert!(text.contains("program program_with_a_long_name_449"), "{text}");
        let split = "450 entries in 2 CMS messages: the kernel takes at most 16384 bytes in one\n";
        assert!(text.contains(split), "{text}");
        let text = scratch.bpfsig(&format!("{VERIFY} many.o"));
        assert_eq!(text.matches(": ok").count(), 450, "{text}");
        let _ = fs::remove_file(scratch.path("many.o.p7s"));
    }
    let text = scratch.bpfsig("inspect many.o");
    assert!(text.contains("2 CMS messages, attached statements"), "{text}");
}

#[test]
fn nobody_has_to_read_all_of_it() {
    let scratch = scratch();
    for arguments in [&format!("{SIGN} linux.o"), &format!("{VERIFY} linux.o"), "inspect linux.o"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = scratch.command(env!("CARGO_BIN_EXE_bpfsig"), arguments);
        let output = scratch::output(command.stdout(writer));
        assert_eq!(output.status.code(), Some(141), "{arguments}");
        assert!(output.stderr.is_empty(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        scratch.bpfsig(&format!("{SIGN} linux.o"));
    }
}

#[test]
fn inspect_shows_files_and_signatures() {
    let scratch = scratch();
    scratch.bpfsig(&format!("{SIGN} --days 1 --output all.p7s {FILES}"));
    scratch.bpfsig(&format!("{SIGN} --embed linux.o windows.o driver.sys"));
    let json = |arguments: &str| -> serde_json::Value {
        serde_json::from_str(&scratch.bpfsig(&format!("inspect --json {arguments}"))).unwrap()
    };
    let all = json("all.p7s --cert me.pem");
    assert_eq!(all["kind"], "signature");
    assert_eq!(all["signature"]["certificate"]["issuer"], "CN=CA");
    assert!(all["signature"]["statement"]["expires"].is_string());
    let kinds: Vec<_> = all["signature"]["statement"]["entries"].as_array().unwrap().iter().collect();
    let kinds: Vec<_> = kinds.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["program", "program", "file", "PE image", "PE image", "file"]);

    let linux = json("linux.o");
    assert_eq!(linux["kind"], "eBPF object for Linux");
    assert_eq!(linux["binds"][0]["program"]["slots"][0]["map"]["name"], "config");
    assert_eq!(linux["signature"]["algorithm"], "ECDSA with SHA-256");
    assert_eq!(linux["signature"]["statement"]["expires"], serde_json::Value::Null);
    let driver = json("driver.sys");
    assert_eq!(driver["signature"]["format"], "Authenticode");
    assert_eq!(driver["signature"]["certificate"]["subject"], "CN=me");
    assert_eq!(json("program")["binds"][0]["kind"], "file");

    let text = scratch.bpfsig("inspect linux.o");
    assert!(text.contains("program pass\n  prog_type") && text.contains("expires    never"), "{text}");
    assert!(scratch.error("inspect missing").contains("missing"));
    scratch.write("short.exe", &scratch.read("program.exe")[..1000]);
    let error = scratch.error("inspect short.exe");
    assert!(error.contains("short.exe: the PE image is cut off"), "{error}");
}

#[test]
fn whoever_loads_an_object_may_choose_parameters() {
    let scratch = scratch();
    let embed = format!("{SIGN} --embed");
    for (options, message) in [
        ("--parameter limit=1..5", "--embed"),
        ("--embed --parameter limit=5..1", "a range is MIN..MAX"),
        ("--embed --parameter limit", "there is no `=` in it"),
        ("--embed --parameter missing=1..5", "parameter `missing` is not a variable of the object"),
        (
            "--embed --parameter _license=1..5",
            "parameter `_license` is neither in `.rodata` nor a map in `.maps`",
        ),
        (
            "--embed --parameter limit=0..2147483648",
            "parameter `limit` can be -2147483648..2147483647 by its type",
        ),
    ] {
        let output = scratch::output(
            &mut scratch.command(env!("CARGO_BIN_EXE_bpfsig"), &format!("{SIGN} {options} linux.o")),
        );
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(message), "{error}");
    }
    scratch.bpfsig(&format!("{embed} --parameter limit=1..5 --parameter config=1..100 linux.o"));
    for shown in [scratch.bpfsig("inspect linux.o"), scratch.bpfsig(&format!("{VERIFY} linux.o"))] {
        for line in [
            "parameter `limit`: 1..5, for whoever loads it to choose; 3 in the object",
            "size of map `config`: 1..100, for whoever loads it to choose; 7 in the object",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
    }
    // The tags stay when it is signed again.
    let error = scratch.error(&format!("{embed} --parameter limit=1..6 linux.o"));
    assert!(error.contains("parameter `limit` has two ranges"), "{error}");
    scratch.bpfsig(&format!("{embed} linux.o"));
    assert!(scratch.bpfsig("inspect linux.o").contains("parameter `limit`: 1..5"));
}
