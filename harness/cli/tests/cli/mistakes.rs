//! What people get wrong, above all at first: it is said what is wrong, and nothing is done by halves.

use std::process::Output;

use crate::scratch::{self, Scratch, error_of};

const SIGN: &str = "sign --key me.key --cert me.pem";

/// With a CA, a signer and a file.
fn scratch() -> Scratch {
    let scratch = Scratch::with_file();
    scratch.make_ca();
    scratch.make_signer("me", "--purpose program --purpose package");
    scratch
}

/// Runs bpfsig, whatever comes of it.
fn run(scratch: &Scratch, arguments: &str) -> Output {
    scratch::output(&mut scratch.command(env!("CARGO_BIN_EXE_bpfsig"), arguments))
}

/// The names of all files.
fn files(scratch: &Scratch) -> Vec<String> {
    let entries = std::fs::read_dir(scratch.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_said_to_be_signed_before_it_is() {
    let scratch = scratch();
    scratch.make_signer("at", "--purpose attestation");
    std::fs::create_dir(scratch.path("folder")).unwrap();
    let before = files(&scratch);
    for (command, problem) in [
        ("sign --signer-command false --cert me.pem file.txt", "signer command `false`: exit status: 1"),
        ("sign --key at.key --cert at.pem file.txt", "`verify` would refuse the signature"),
        (&format!("{SIGN} --output all.p7s file.txt missing"), "missing: No such file"),
        (&format!("{SIGN} --output none/a.p7s file.txt"), "none/a.p7s: there is no directory none"),
        (&format!("{SIGN} --output folder file.txt"), "folder is a directory: name a file in it"),
    ] {
        let output = run(&scratch, command);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{command}");
        let error = error_of(&output);
        assert!(error.contains(problem), "{command}: {error}");
        assert_eq!(files(&scratch), before, "{command}");
    }
}

#[test]
fn a_signature_is_valid_for_a_time_that_can_be_written() {
    let scratch = scratch();
    for days in ["0", "4294967295"] {
        let error = scratch.error(&format!("{SIGN} --days {days} file.txt"));
        assert!(error.starts_with(&format!("a signature can't be valid for {days} days: give from 1 to 29")));
        assert!(!scratch.path("file.txt.p7s").exists());
        let package = "package create --key me.key --cert me.pem --platform any";
        let error = scratch.error(&format!("{package} --days {days} missing"));
        assert!(error.starts_with(&format!("a signature can't be valid for {days} days")), "{error}");
    }
    scratch.bpfsig(&format!("{SIGN} --days 2000000 file.txt"));
    assert!(scratch.bpfsig("inspect file.txt.p7s").contains("expires    7"));
}

#[test]
fn a_file_that_holds_something_else_is_named() {
    let scratch = scratch();
    scratch.bpfsig("keygen request --algorithm p-256 --name you --key you.key --request you.csr");
    scratch.run("openssl", "pkey -in me.key -pubout -out me.pub");
    scratch.write("empty", b"");
    let issue = "keygen issue --request you.csr --cert new.pem";
    for (command, error) in [
        (
            "sign --key me.pem --cert me.key file.txt",
            "me.key: it holds a private key, but a certificate is needed here: did you swap --key and --cert?",
        ),
        (
            "sign --key me.pem --cert me.pem file.txt",
            "me.pem: it holds a certificate, but a private key is needed here: did you swap --key and --cert?",
        ),
        (
            "sign --key you.csr --cert me.pem file.txt",
            "you.csr: it holds a certificate request, but a private key",
        ),
        (
            "sign --key me.pub --cert me.pem file.txt",
            "me.pub: it holds a public key, but a private key is needed",
        ),
        (
            "sign --key me.key --cert you.csr file.txt",
            "you.csr: it holds a certificate request, but a certificate",
        ),
        (
            "sign --key empty --cert me.pem file.txt",
            "empty: it holds nothing, but a private key is needed here",
        ),
        (
            "sign --key me.key --cert empty file.txt",
            "empty: it holds nothing, but a certificate is needed here",
        ),
        (
            "sign --signer-command true --cert me.key file.txt",
            "me.key: it holds a private key, but a certificate is needed here",
        ),
        (
            "keygen issue --request me.pem --ca-key ca.key --ca-cert ca.pem --cert new.pem",
            "me.pem: it holds a certificate, but a certificate request is needed here",
        ),
        (
            &format!("{issue} --ca-key ca.pem --ca-cert ca.key"),
            "ca.key: it holds a private key, but a certificate is needed here: did you swap --ca-key and --ca-cert?",
        ),
        (
            "keygen request --name x --signer-command true --public-key me.pem --request new.csr",
            "me.pem: it holds a certificate, but a public key is needed here",
        ),
        (
            &format!("{issue} --ca-key me.key --ca-cert ca.pem"),
            "me.key and ca.pem: key and certificate don't belong together: the certificate of `CN=CA` is for another key",
        ),
        (
            "sign --key ca.key --cert me.pem file.txt",
            "ca.key and me.pem: key and certificate don't belong together: the certificate of `CN=me` is for another key",
        ),
    ] {
        let said = scratch.error(command);
        assert!(said.starts_with(error), "{command}: {said}");
        assert_eq!(said.contains("swap"), error.contains("swap"), "{command}: {said}");
    }
    // A file may hold both.
    scratch.write("both.pem", &[scratch.read("me.key"), scratch.read("me.pem")].concat());
    scratch.bpfsig("sign --key both.pem --cert both.pem file.txt");
}

/// Two programs, a constant, and, with -DMAP, a map; with -DKFUNC, a function of the kernel.
const SOURCE: &str = r#"
    #define SEC(name) __attribute__((section(name)))
    char _license[] SEC("license") = "GPL";
    const volatile int limit = 3;
    #ifdef MAP
    struct { int (*type)[1]; int (*max_entries)[7]; int *key; long *value; } config SEC(".maps");
    static void *(*lookup)(void *, void *) = (void *)1;
    SEC("tc") int count(void *context) { int key = 1; return !lookup(&config, &key); }
    #endif
    #ifdef KFUNC
    extern void bpf_rcu_read_lock(void) SEC(".ksyms");
    SEC("tc") int lock(void *context) { bpf_rcu_read_lock(); return 0; }
    #endif
    SEC("xdp") int pass(void *context) { return limit; }
    SEC("fentry/vfs_read") int watch(void *context) { return 0; }
"#;

/// Compiles it to `object.o`.
fn compile(scratch: &Scratch, options: &str) {
    scratch.write("object.c", SOURCE.as_bytes());
    scratch.run("clang", &format!("-O2 -target bpf -mcpu=v3 -c -o object.o object.c {options}"));
}

#[test]
fn an_object_without_type_information_is_told_from_one_that_needs_it() {
    let scratch = scratch();
    compile(&scratch, "");
    let said = scratch.bpfsig(&format!("{SIGN} object.o"));
    assert!(
        said.contains("object.o: no type information (BTF) in it, as it was compiled without -g"),
        "{said}"
    );
    assert!(said.contains("it is signed all the same"), "{said}");
    scratch.bpfsig("verify --ca ca.pem --cert me.pem object.o");
    assert!(scratch.bpfsig("inspect object.o").contains("note       no type information (BTF)"));
    std::fs::remove_file(scratch.path("object.o.p7s")).unwrap();

    for (option, what) in [("-DMAP", "each map in `.maps`"), ("-DKFUNC", "extern `bpf_rcu_read_lock`")] {
        compile(&scratch, option);
        let error = scratch.error(&format!("{SIGN} object.o"));
        assert_eq!(
            error,
            format!("object.o: the object has no BTF, which says what {what} is: compile it with -g")
        );
        assert!(!scratch.path("object.o.p7s").exists());
        compile(&scratch, &format!("-g {option}"));
        let said = scratch.bpfsig(&format!("{SIGN} object.o"));
        assert!(!said.contains("BTF"), "{said}");
        std::fs::remove_file(scratch.path("object.o.p7s")).unwrap();
    }
}

#[test]
fn names_that_are_not_in_the_object_are_refused() {
    let scratch = scratch();
    compile(&scratch, "-g -DMAP");
    for (options, error) in [
        (
            "--type ingres=tc",
            "no program is in a section `ingres`, which --type is for: there are `fentry/vfs_read`, `tc`, `xdp`",
        ),
        ("--target-function wacth=f", "there is no program `wacth`: there are `count`, `pass`, `watch`"),
        (
            "--also wacth=fentry/f",
            "object.o: there is no program `wacth`: there are `count`, `pass`, `watch`",
        ),
        (
            "--type tc=trafic",
            "object.o: program `count`: in `--type tc=trafic`, `trafic` is not a section name that libbpf knows (xdp, tc, \
             kprobe/FUNCTION, …)",
        ),
    ] {
        assert_eq!(scratch.error(&format!("{SIGN} {options} object.o")), error);
        let shown = scratch.error(&format!("inspect {options} object.o"));
        assert!(shown.ends_with(error), "{shown}");
    }
    let error = scratch.error(&format!("{SIGN} --embed --parameter limmit=1..2 object.o"));
    assert_eq!(
        error,
        "object.o: parameter `limmit` is not a variable of the object, which has `config`, `limit`"
    );
    let error = scratch.error(&format!("{SIGN} --type tc=xdp file.txt"));
    assert_eq!(error, "no program is in a section `tc`, which --type is for: there are none");
    assert!(!scratch.path("object.o.p7s").exists() && !scratch.path("file.txt.p7s").exists());

    // It is enough if one of several objects has it.
    scratch.write("other.o", &scratch.read("object.o"));
    compile(&scratch, "-g");
    scratch.bpfsig(&format!("{SIGN} --type tc=xdp --output all.p7s object.o other.o file.txt"));

    // Also if another one has a program of the same name in another section.
    scratch.write("elsewhere.c", SOURCE.replace("SEC(\"tc\")", "SEC(\"socket\")").as_bytes());
    scratch.run("clang", "-g -DMAP -O2 -target bpf -c -o elsewhere.o elsewhere.c");
    scratch.bpfsig(&format!("{SIGN} --type tc=xdp --output all.p7s other.o elsewhere.o"));

    let said = scratch.bpfsig(&format!("{SIGN} --module nf_tables object.o"));
    assert!(said.contains("program watch (module nf_tables)") && !said.contains("warning"), "{said}");
    let source = SOURCE.replace("fentry/vfs_read", "tc");
    scratch.write("plain.c", source.as_bytes());
    scratch.run("clang", "-g -O2 -target bpf -c -o plain.o plain.c");
    let said = scratch.bpfsig(&format!("{SIGN} --module nf_tables plain.o"));
    assert!(said.contains("warning: --module nf_tables changes nothing"), "{said}");
}

#[test]
fn it_is_said_what_is_not_an_ebpf_object() {
    let scratch = scratch();
    scratch.write("host.c", b"int main(void) { return 0; }");
    scratch.run("gcc", "-c -o host.o host.c");
    scratch.run("gcc", "-o host host.c");
    scratch.run("clang", "-target bpf -emit-llvm -c -o bitcode.o host.c");
    scratch.write("empty", b"");
    let machine = if cfg!(target_arch = "x86_64") { "x86-64" } else { "AArch64" };
    let other = format!("not an eBPF object: its machine is {machine}; it is signed as a plain file");
    for (file, said) in [
        ("host.o", format!("bpfsig: warning: host.o: {other}\n")),
        ("host", format!("bpfsig: host: {other}\n")),
        ("bitcode.o", "bpfsig: warning: bitcode.o: not an eBPF object but LLVM bitcode".to_owned()),
        ("empty", "bpfsig: warning: empty: the file is empty; it is signed as a plain file\n".to_owned()),
    ] {
        let output = scratch.bpfsig(&format!("{SIGN} {file}"));
        assert!(output.contains(&said), "{output}");
        scratch.bpfsig(&format!("verify --ca ca.pem --cert me.pem {file}"));
    }
    let output = scratch.bpfsig(&format!("{SIGN} file.txt"));
    assert!(!output.contains("bpfsig:"), "{output}");
}

#[test]
fn the_issuer_that_is_missing_is_named() {
    let scratch = scratch();
    for name in ["one", "two"] {
        scratch
            .bpfsig(&format!("keygen ca --algorithm p-256 --name {name} --key {name}.key --cert {name}.pem"));
    }
    scratch.bpfsig(&format!("{SIGN} file.txt"));
    let error = scratch.error("verify --cert me.pem --ca one.pem --ca two.pem file.txt");
    let missing = "no path from the certificate of `CN=me` to a trusted CA: its issuer `CN=CA` is not among the CAs that are \
                   given: `CN=one`, `CN=two`";
    assert!(error.contains(missing), "{error}");

    scratch.bpfsig("keygen signer --algorithm p-256 --name own --key own.key --cert own.pem");
    scratch.bpfsig("sign --key own.key --cert own.pem file.txt");
    let error = scratch.error("verify --cert own.pem --ca one.pem file.txt");
    assert!(
        error.contains("`CN=own` has issued its certificate itself, and is not among the CAs"),
        "{error}"
    );

    // Keys were made again under the same name.
    scratch.bpfsig(&format!("{SIGN} file.txt"));
    std::fs::remove_file(scratch.path("ca.pem")).unwrap();
    scratch.bpfsig("keygen ca --algorithm p-256 --name CA --key new.key --cert ca.pem");
    let error = scratch.error("verify --cert me.pem --ca ca.pem file.txt");
    assert!(error.contains("its issuer is given with another key"), "{error}");
}

#[test]
fn the_number_of_another_enterprise_is_named() {
    let scratch = scratch();
    scratch.make_signer("acme", "--pen 12345");
    let other = "the certificate of `CN=acme` is for signing programs, but with the private enterprise number 12345 instead of \
                 32473: give `--pen 12345` if that is the one to trust";
    let sign = "sign --key acme.key --cert acme.pem";
    let error = scratch.error(&format!("{sign} file.txt"));
    assert!(error.ends_with(other), "{error}");
    scratch.bpfsig(&format!("{sign} --any-cert file.txt"));
    for ca in ["--ca ca.pem", ""] {
        let error = scratch.error(&format!("verify --cert acme.pem {ca} file.txt"));
        assert!(error.contains(other), "{error}");
        scratch.bpfsig(&format!("verify --cert acme.pem {ca} --pen 12345 file.txt"));
    }
    let error = scratch.error(&format!("{SIGN} --pen 12345 file.txt"));
    assert!(error.contains("with the private enterprise number 32473 instead of 12345"), "{error}");
}

#[test]
fn a_signature_that_is_none_is_told_apart() {
    let scratch = scratch();
    compile(&scratch, "-g");
    scratch.bpfsig(&format!("{SIGN} object.o"));
    let signature = scratch.read("object.o.p7s");
    for (bytes, problem) in [
        (&b""[..], "object.o.p7s: the signature is empty"),
        (&signature[..1], "object.o.p7s: the signature is cut short"),
        (&signature[..100], "object.o.p7s: the signature is cut short"),
        (&signature[..signature.len() - 1], "object.o.p7s: the signature is cut short"),
        (b"<html><body>404 Not Found</body></html>", "object.o.p7s: not a signature (CMS)"),
        (b"Not found\n", "object.o.p7s: not a signature (CMS)"),
        (b"-----BEGIN CMS-----", "object.o.p7s: not a signature (CMS)"),
        (&scratch.read("object.o"), "object.o.p7s: "),
    ] {
        scratch.write("object.o.p7s", bytes);
        for command in ["verify --ca ca.pem --cert me.pem object.o", "inspect object.o.p7s", "load object.o"]
        {
            if cfg!(not(target_os = "linux")) && command.starts_with("load") {
                continue;
            }
            let error = scratch.error(command);
            assert!(error.contains(problem), "{command}: {error}");
            assert!(!error.contains("ASN.1") && !error.contains("DER"), "{command}: {error}");
        }
    }
}

/// Most machines that run tests have such a kernel.
#[cfg(target_os = "linux")]
#[test]
fn a_kernel_that_checks_no_signatures_is_named_by_each_command() {
    if std::path::Path::new("/proc/sys/kernel/bpf_signature").exists() {
        return;
    }
    let scratch = scratch();
    compile(&scratch, "-g");
    scratch.bpfsig(&format!("{SIGN} object.o"));
    let missing = "the running kernel does not check signatures of programs (/proc/sys/kernel/bpf_signature is missing): \
                   that takes a kernel with the series in kernel-patch/ and CONFIG_BPF_SIGNATURE=y";
    let mut commands = vec![
        "load object.o",
        "trust add me.pem",
        "trust add --attester me.pem",
        "trust revoke 12",
        "deny --key me.key --cert me.pem object.o",
        "policy",
        "policy --json",
        "policy require --yes",
        "policy attest on",
    ];
    if cfg!(feature = "policy") {
        commands.push("policy report --for 1s");
    }
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    if is_root {
        commands.extend(["ps", "ps --json", "trust list", "trust list --json"]);
    }
    for command in commands {
        let error = scratch.error(command);
        assert!(error.ends_with(missing), "{command}: {error}");
    }
}

#[test]
fn inspect_shows_names_with_the_numbers() {
    let scratch = scratch();
    compile(&scratch, "-g -DMAP");
    let shown = scratch.bpfsig("inspect object.o");
    for line in [
        "  prog_type            xdp (6)\n  expected_attach_type xdp (37)\n",
        "  prog_type            sched_cls (3)\n  expected_attach_type none (0)\n  prog_flags           0x0\n",
        "  prog_type            tracing (26)\n  expected_attach_type trace_fentry (24)\n",
        "  attach_kind          type of the kernel (1)\n",
        "  attaches to          vmlinux:vfs_read\n",
        "  slot 0               `config`: hash, key_size 4, value_size 8, max_entries 7, flags 0x0\n",
        "  slot 0               `.rodata`: array, key_size 4, value_size 4, max_entries 1, flags 0x480 (rdonly_prog, mmapable), \
         contents ",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let json: serde_json::Value = serde_json::from_str(&scratch.bpfsig("inspect --json object.o")).unwrap();
    let attach_types = json["binds"].as_array().unwrap().iter();
    let attach_types: Vec<_> = attach_types.map(|bind| &bind["program"]["expected_attach_type"]).collect();
    assert_eq!(attach_types, [0, 37, 24]);
}

/// What the signer has said of the object is beside the signature: without it, the object could not be read.
#[cfg(feature = "lab")]
#[test]
fn attest_knows_what_the_signer_has_said() {
    let scratch = scratch();
    scratch.make_signer("at", "--purpose attestation");
    scratch.write("hook.c", b"__attribute__((section(\"lsm\"))) int hook(void *context) { return 0; }");
    scratch.run("clang", "-O2 -g -target bpf -c -o hook.o hook.c");
    let attest = "attest --key at.key --cert at.pem --kernel none/bzImage hook.o";
    assert!(scratch.error(attest).starts_with("hook.o: "));
    scratch.bpfsig(&format!("{SIGN} --target-function hook=file_open hook.o"));
    let error = scratch.error(attest);
    assert!(error.contains("none/bzImage"), "{error}");
}
