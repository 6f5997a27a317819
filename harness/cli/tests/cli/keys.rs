//! Keys where they live: encrypted files, PKCS#11 tokens (SoftHSM), commands.

use std::fs;

use crate::scratch::{Scratch, error_of};

/// Debian's `libsofthsm2`.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

const VERIFY: &str =
    "cms -verify -binary -inform DER -in file.txt.p7s -CAfile ca.pem -purpose any -out statement";

/// A token with keys that it made itself: `rsa`, `p256` and `p384`.
fn desk_with_token() -> Scratch {
    let scratch = Scratch::with_file();
    fs::create_dir(scratch.path("tokens")).unwrap();
    let conf = format!("directories.tokendir = {}\nlog.level = ERROR\n", scratch.path("tokens").display());
    scratch.write("softhsm2.conf", conf.as_bytes());
    scratch.run("softhsm2-util", "--init-token --free --label 'a token' --so-pin 12345678 --pin 1234");
    for (label, id, kind) in
        [("rsa", "01", "rsa:2048"), ("p256", "02", "EC:prime256v1"), ("p384", "03", "EC:secp384r1")]
    {
        scratch.run(
            "pkcs11-tool",
            &format!(
                "--module {MODULE} --token-label 'a token' --login --pin 1234 --keypairgen --key-type {kind} \
                 --label {label} --id {id}"
            ),
        );
    }
    scratch
}

fn uri(attributes: &str) -> String {
    format!("'pkcs11:token=a%20token;{attributes}?module-path={MODULE}'")
}

#[test]
fn keys_in_a_token_sign() {
    let scratch = desk_with_token();
    scratch.make_ca();
    scratch.write("pin", b"1234\n");
    let pin_source = scratch.path("pin").display().to_string();
    for (key, attributes) in
        [("rsa", "object=rsa"), ("p256", "id=%02;type=private"), ("p384", "object=p384;id=%03")]
    {
        let uri = uri(attributes);
        let request = format!("keygen request --name {key} --key {uri} --request {key}.csr");
        assert!(scratch.bpfsig_with_pin("1234", &request).status.success());
        let verdict = scratch.run("openssl", &format!("req -in {key}.csr -noout -verify"));
        assert!(verdict.contains("verify OK"), "{verdict}");
        scratch.bpfsig(&format!(
            "keygen issue --request {key}.csr --ca-key ca.key --ca-cert ca.pem --cert {key}.pem"
        ));

        let with_pin = [
            uri.replace("?", "?pin-value=1234&"),
            uri.replace("?", &format!("?pin-source=file:{pin_source}&")),
        ];
        for uri in with_pin {
            scratch.bpfsig(&format!("sign --key {uri} --cert {key}.pem file.txt"));
            scratch.run("openssl", &format!("{VERIFY} -certfile {key}.pem"));
            scratch.bpfsig(&format!("verify --cert {key}.pem file.txt"));
        }
    }
    let mismatch = scratch
        .bpfsig_with_pin("1234", &format!("sign --key {} --cert p256.pem file.txt", uri("object=rsa")));
    assert_eq!(
        error_of(&mismatch),
        "pkcs11:token=a%20token;object=rsa and p256.pem: key and certificate don't belong together: the certificate of \
         `CN=p256` is for another key"
    );
}

#[test]
fn a_certificate_may_be_in_the_token_too() {
    let scratch = desk_with_token();
    scratch.make_ca();
    let key = uri("object=rsa").replace("?", "?pin-value=1234&");
    scratch.bpfsig(&format!("keygen request --name me --key {key} --request me.csr"));
    scratch.bpfsig("keygen issue --request me.csr --ca-key ca.key --ca-cert ca.pem --cert me.pem");
    scratch.run("openssl", "x509 -in me.pem -outform DER -out me.der");
    scratch.run(
        "pkcs11-tool",
        &format!("--module {MODULE} --token-label 'a token' --login --pin 1234 --write-object me.der --type cert --label rsa"),
    );
    let cert = uri("object=rsa;type=cert");
    let by_name = cert.replace(&format!("module-path={MODULE}"), "module-name=softhsm2");
    for cert in [cert, by_name] {
        let sign = format!("sign --key {} --cert {cert} file.txt", uri("object=rsa"));
        let output = scratch.bpfsig_with_pin("1234", &sign);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        scratch.bpfsig("verify --cert me.pem --ca ca.pem file.txt");
    }
    for (wrong, problem) in [
        (uri("object=none"), "no certificate in PKCS#11 fits the URI"),
        (uri("object=rsa;type=private"), "`type` is private, but what is needed here is cert"),
    ] {
        let sign = format!("sign --key {} --cert {wrong} file.txt", uri("object=rsa"));
        assert!(error_of(&scratch.bpfsig_with_pin("1234", &sign)).ends_with(problem));
    }
}

/// `CKA_ALWAYS_AUTHENTICATE`.
#[test]
fn a_key_may_want_the_pin_for_each_signature() {
    let scratch = desk_with_token();
    scratch.make_ca();
    for (label, kind) in
        [("each-rsa", "rsa:2048"), ("each-p256", "EC:prime256v1"), ("each-p384", "EC:secp384r1")]
    {
        scratch.run(
            "pkcs11-tool",
            &format!(
                "--module {MODULE} --token-label 'a token' --login --pin 1234 --keypairgen --key-type {kind} --label {label} \
                 --always-auth"
            ),
        );
        let key = uri(&format!("object={label}"));
        // Two signatures: of the request, and of the statement.
        let request = format!("keygen request --name {label} --key {key} --request {label}.csr");
        let output = scratch.bpfsig_with_pin("1234", &request);
        assert!(output.status.success(), "{label}: {}", String::from_utf8_lossy(&output.stderr));
        scratch.bpfsig(&format!(
            "keygen issue --request {label}.csr --ca-key ca.key --ca-cert ca.pem --cert {label}.pem"
        ));
        let sign = format!("sign --key {key} --cert {label}.pem file.txt file.txt --output all.p7s");
        let output = scratch.bpfsig_with_pin("1234", &sign);
        assert!(output.status.success(), "{label}: {}", String::from_utf8_lossy(&output.stderr));
        scratch.bpfsig(&format!("verify --cert {label}.pem --ca ca.pem --signature all.p7s file.txt"));
        let with_pin = key.replace("?", "?pin-value=1234&");
        scratch.bpfsig(&format!("sign --key {with_pin} --cert {label}.pem file.txt"));
        scratch.run("openssl", &format!("{VERIFY} -certfile {label}.pem"));
        assert!(error_of(&scratch.bpfsig_with_pin("9999", &sign)).contains("PinIncorrect"));
    }
}

#[test]
fn a_ca_may_be_in_a_token() {
    let scratch = desk_with_token();
    let uri = uri("object=p384").replace("?", "?pin-value=1234&");
    scratch.bpfsig(&format!("keygen ca --name CA --key {uri} --cert ca.pem"));
    scratch.bpfsig(&format!(
        "keygen signer --algorithm p-256 --name me --key me.key --cert me.pem --ca-key {uri} --ca-cert ca.pem"
    ));
    let verdict =
        scratch.run("openssl", "verify -x509_strict -check_ss_sig -purpose any -CAfile ca.pem me.pem");
    assert_eq!(verdict, "me.pem: OK\n");
}

#[test]
fn what_is_wrong_with_a_token_is_said() {
    let scratch = desk_with_token();
    scratch.make_ca();
    let attempt = |pin, uri: &str| {
        let request = format!("keygen request --name x --key {uri} --request x.csr");
        error_of(&scratch.bpfsig_with_pin(pin, &request))
    };
    let wrong = "pkcs11:token=a%20token;object=rsa: the passphrase or PIN in KBUILD_SIGN_PIN is wrong: PKCS#11: the token \
                 does not take the PIN: PinIncorrect";
    assert_eq!(attempt("9999", &uri("object=rsa")), wrong);
    assert!(attempt("1234", &uri("object=none")).ends_with("no private key in PKCS#11 fits the URI"));
    assert!(attempt("1234", &uri("serial=0;object=rsa")).ends_with("no token in PKCS#11 fits the URI"));
    let label_taken = format!(
        "--module {MODULE} --token-label 'a token' --login --pin 1234 --keypairgen --key-type EC:prime256v1 --label rsa"
    );
    scratch.run("pkcs11-tool", &label_taken);
    assert!(
        attempt("1234", &uri("object=rsa"))
            .ends_with("2 objects in PKCS#11 fit the URI as its private key: be more precise")
    );
    scratch.run(
        "pkcs11-tool",
        &format!(
            "--module {MODULE} --token-label 'a token' --login --pin 1234 --keypairgen --key-type EC:secp521r1 --label p521"
        ),
    );
    assert!(attempt("1234", &uri("object=p521")).contains("elliptic curve secp521r1 is not supported"));
    assert!(attempt("1234", "pkcs11:object=rsa").contains("PKCS11_MODULE_PATH"));
    assert!(attempt("1234", "pkcs11:object=rsa?module-path=/none.so").contains("can't be loaded"));
    for (bad, problem) in [
        ("pkcs11:token=x", "it names no object: give `object` or `id`"),
        ("'pkcs11:object=x;object=y'", "attribute `object` is there twice"),
        ("pkcs11:object", "attribute `object` has no value"),
        ("pkcs11:object=%ff", "`object` is not UTF-8"),
        ("'pkcs11:object=x;slot-id=one'", "`slot-id` is not a number: one"),
        ("'pkcs11:object=x;type=public'", "`type` is public, which is neither private nor cert"),
        ("'pkcs11:object=x?module-name=a/b'", "`module-name` is not a path: that would be `module-path`"),
        ("'pkcs11:object=x;colour=red'", "attribute `colour` is not supported"),
        ("'pkcs11:object=x?pin-source=|cat'", "commands as `pin-source` are not supported"),
    ] {
        assert_eq!(attempt("1234", bad), format!("PKCS#11 URI: {problem}"));
    }
    let error = attempt("1234", &uri("object=rsa").replace("?", "?pin-source=/none&"));
    assert!(error.contains("PIN source /none: No such file"), "{error}");
    assert!(!scratch.path("x.csr").exists());
}

/// `openssl` signs the statement's digest: the signature verifies.
#[test]
fn a_command_signs() {
    for algorithm in ["rsa-2048", "p-256", "p-384"] {
        let scratch = Scratch::with_file();
        scratch.make_ca();
        scratch.bpfsig(&format!(
            "keygen signer --algorithm {algorithm} --name kms --key kms.key --cert first.pem"
        ));
        scratch.run("openssl", "pkey -in kms.key -pubout -out kms.pub");
        let command = "--signer-command 'openssl pkeyutl -sign -inkey kms.key -pkeyopt digest:sha256'";
        scratch
            .bpfsig(&format!("keygen request --name kms {command} --public-key kms.pub --request kms.csr"));
        scratch.bpfsig("keygen issue --request kms.csr --ca-key ca.key --ca-cert ca.pem --cert kms.pem");
        scratch.bpfsig(&format!("sign {command} --cert kms.pem file.txt"));
        scratch.run("openssl", &format!("{VERIFY} -certfile kms.pem"));
    }
}

/// There is no digest of it that could be signed.
#[test]
fn a_command_signs_the_message_itself_with_ml_dsa() {
    let scratch = Scratch::with_file();
    scratch.bpfsig("keygen signer --algorithm ml-dsa-87 --name kms --key kms.key --cert kms.pem");
    scratch.bpfsig("sign --key kms.key --cert kms.pem file.txt");
    let signature = scratch.read("file.txt.p7s");
    scratch.write("signature", &signature[signature.len() - 4627..]);
    scratch.bpfsig("sign --signer-command 'sh -c \"cat >message; cat signature\"' --cert kms.pem file.txt");
    assert_eq!(scratch.read("file.txt.p7s"), signature);
    let message = scratch.read("message");
    assert!(message.starts_with(b"BPFSIGST") && message.len() == 32 + 36, "{message:?}");
}

#[test]
fn what_a_command_answers_is_not_believed() {
    let scratch = Scratch::with_file();
    scratch.make_ca();
    scratch.make_signer("me", "");
    scratch.write("signature", b"");
    let attempt = |command: &str| {
        let error = scratch.error(&format!("sign --signer-command '{command}' --cert me.pem file.txt"));
        assert!(!scratch.path("file.txt.p7s").exists());
        error
    };
    let wrong = "the key made a wrong signature: it is another key, or does not sign as asked";
    assert_eq!(attempt("openssl pkeyutl -sign -inkey ca.key -pkeyopt digest:sha256"), wrong);
    assert_eq!(attempt("true"), wrong);
    assert_eq!(attempt("cat"), wrong);
    assert_eq!(attempt("false"), "signer command `false`: exit status: 1");
    assert_eq!(attempt("none here"), "signer command `none`: No such file or directory (os error 2)");
    assert_eq!(attempt("yes"), "signer command `yes`: signal: 13 (SIGPIPE)");
    assert_eq!(attempt(""), "the signer command is empty");
}

#[test]
fn a_passphrase_comes_from_the_environment_or_the_terminal() {
    let scratch = Scratch::with_file();
    scratch.make_ca();
    scratch.make_signer("me", "");
    scratch.run("openssl", "pkcs8 -topk8 -in me.key -passout pass:sesame -out encrypted.key");
    let sign = "sign --key encrypted.key --cert me.pem file.txt";

    assert!(scratch.bpfsig_with_pin("sesame", sign).status.success());
    scratch.bpfsig("verify --cert me.pem file.txt");
    let error = error_of(&scratch.bpfsig_with_pin("wrong", sign));
    assert!(
        error.starts_with(
            "encrypted.key: the passphrase or PIN in KBUILD_SIGN_PIN is wrong: can't decrypt the private key"
        ),
        "{error}"
    );

    let (success, shown) = scratch.at_terminal("sesame\n", sign);
    assert!(success && shown.contains("Passphrase of encrypted.key: "), "{shown}");
    let (success, shown) = scratch.at_terminal("wrong\n", sign);
    assert!(!success && shown.contains("can't decrypt the private key with this passphrase"), "{shown}");
}

#[test]
fn certificates_may_be_der() {
    let scratch = Scratch::with_file();
    scratch.make_ca();
    scratch.run("openssl", "x509 -in ca.pem -outform DER -out ca.der");
    scratch.bpfsig(
        "keygen signer --algorithm p-256 --name me --key me.key --cert me.pem --ca-key ca.key --ca-cert ca.der",
    );
    scratch.run("openssl", "x509 -in me.pem -outform DER -out me.der");
    scratch.bpfsig("sign --key me.key --cert me.der file.txt");
    for (ca, cert) in [("ca.der", "me.der"), ("ca.pem", "me.der"), ("ca.der", "me.pem")] {
        scratch.bpfsig(&format!("verify --ca {ca} --cert {cert} file.txt"));
    }

    scratch.run("openssl", "pkcs8 -topk8 -nocrypt -in me.key -outform DER -out key.der");
    scratch.write("two.der", &[scratch.read("me.der"), scratch.read("ca.der")].concat());
    for (file, problem) in [
        ("key.der", "not an X.509 certificate in PEM or DER"),
        ("file.txt.p7s", "not an X.509 certificate in PEM or DER"),
        ("two.der", "there is more in it than one certificate in DER: several in one file have to be PEM"),
    ] {
        let error = scratch.error(&format!("verify --ca {file} --cert me.pem file.txt"));
        assert!(error.starts_with(&format!("{file}: {problem}")), "{error}");
    }
}

#[test]
fn there_is_one_key() {
    let scratch = Scratch::with_file();
    scratch.make_ca();
    for options in ["", "--key ca.key --signer-command true"] {
        let output = scratch.bpfsig_with_pin("", &format!("sign {options} --cert ca.pem file.txt"));
        assert_eq!(output.status.code(), Some(2));
    }
}
