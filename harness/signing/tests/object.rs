//! Objects that can't be signed, and files that are none. The objects are compiled by clang.

use std::io::Write;
use std::process::{Command, Stdio};

use bpfsig_signing::object::{Object, ObjectError};
use bpfsig_signing::program::Attach;

const BPF_PROG_TYPE_STRUCT_OPS: u32 = 27;

const PRELUDE: &str = r#"
#define SEC(name) __attribute__((section(name)))
#define NOINLINE __attribute__((noinline))
struct kernel_struct { int field; } __attribute__((preserve_access_index));
char _license[] SEC("license") = "GPL";
"#;

fn clang(arguments: &[&str], source: &str) -> Vec<u8> {
    let mut clang = Command::new("clang")
        .args(["-O2", "-c", "-o", "-"])
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("clang must be installed");
    clang.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let output = clang.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn compile(source: &str) -> Vec<u8> {
    clang(&["-target", "bpf", "-mcpu=v3", "-g", "-x", "c"], &format!("{PRELUDE}{source}"))
}

fn assemble(source: &str) -> Vec<u8> {
    clang(&["-target", "bpf", "-x", "assembler"], source)
}

fn error(bytes: &[u8]) -> ObjectError {
    Object::parse(bytes).expect_err("the object must be refused")
}

/// A program with subprograms, a callback, CO-RE and BTF, so that there is something everywhere to damage.
fn sound() -> Vec<u8> {
    compile(
        r#"
        static long (*loop)(unsigned, void *, void *, unsigned long long) = (void *)181;
        static NOINLINE int leaf(struct kernel_struct *k) { return k->field; }
        NOINLINE int middle(void *context) { return leaf(context) + 1; }
        static long callback(unsigned index, void *context) { return index; }
        SEC("fentry/f") int program(void *context)
        {
            loop(3, callback, 0, 0);
            return middle(context);
        }
        "#,
    )
}

#[test]
fn other_files_are_named_as_what_they_are() {
    assert!(matches!(error(b""), ObjectError::NotElf));
    assert!(matches!(error(b"\x7fELF"), ObjectError::NotElf));
    assert!(matches!(error(b"#!/bin/sh\nexit 0\n"), ObjectError::NotElf));
    let source = "int f(void) { return 0; }";
    assert!(matches!(error(&clang(&["-x", "c"], source)), ObjectError::Machine(_)));
    assert!(matches!(error(&clang(&["-target", "bpfeb", "-x", "c"], source)), ObjectError::BigEndian));
    assert!(matches!(error(&compile(source)), ObjectError::NoPrograms));
}

#[test]
fn what_a_signature_does_not_cover_is_named() {
    let declarations = r#"
        static void *(*lookup)(void *, void *) = (void *)1;
        struct { int (*type)[1]; int *key; int *value; int (*max_entries)[1]; } config SEC(".maps");
        int counter;
        extern int kernel_function(int) SEC(".ksyms");
        extern int kernel_variable SEC(".ksyms");
    "#;
    for (body, what, symbol) in [
        ("int key = 0; return (long)lookup(&config, &key);", "map", "config"),
        ("return ++counter;", "global data", "counter"),
        ("return kernel_function(1);", "kernel function", "kernel_function"),
        ("return (long)&kernel_variable;", "kernel variable", "kernel_variable"),
    ] {
        let source = format!(r#"{declarations} SEC("tc") int program(void *context) {{ {body} }}"#);
        assert_eq!(
            error(&compile(&source)).to_string(),
            format!("program `program` refers to {what} `{symbol}`: signing such programs is not supported")
        );
    }
}

#[test]
fn a_struct_ops_program_attaches_to_its_member() {
    let table = r#"
        struct tcp_congestion_ops___small { int key; int (*ssthresh)(void *); void (*init)(void *); };
        SEC(".struct_ops.link") struct tcp_congestion_ops___small other;
        SEC(".struct_ops.link") struct tcp_congestion_ops___small ops = { 1, (void *)ssthresh, (void *)init };
    "#;
    let programs = r#"
        SEC("struct_ops/ssthresh") int ssthresh(void *context) { return 2; }
        SEC("struct_ops.s") void init(void *context) {}
    "#;
    let object = Object::parse(&compile(&format!("{programs}{table}"))).unwrap();
    let members: Vec<_> = object.programs().iter().map(|program| program.attach.clone()).collect();
    let member = |member: &str| Attach::KernelType {
        object: "vmlinux".to_owned(),
        name: "tcp_congestion_ops".to_owned(),
        member: member.to_owned(),
    };
    assert_eq!(members, [member("ssthresh"), member("init")]);
    assert!(object.programs().iter().all(|program| program.prog_type == BPF_PROG_TYPE_STRUCT_OPS));

    assert_eq!(
        error(&compile(programs)).to_string(),
        "function `ssthresh`: is in no variable of a struct_ops type"
    );
}

#[test]
fn a_subprogram_is_refused_in_the_name_of_the_program() {
    let source = r#"
        int counter;
        static NOINLINE int count(void) { return ++counter; }
        SEC("xdp") int harmless(void *context) { return 2; }
        SEC("xdp") int counting(void *context) { return count(); }
    "#;
    assert!(
        error(&compile(source)).to_string().starts_with("program `counting` refers to global data `counter`")
    );
}

#[test]
fn impossible_functions_are_refused() {
    for (source, message) in [
        (
            // Two functions that call each other.
            ".text\n.globl a\n.type a,@function\na: call b\nexit\n.size a, .-a\n\
             .globl b\n.type b,@function\nb: call a\nexit\n.size b, .-b\n\
             .section xdp,\"ax\"\n.globl p\n.type p,@function\np: call a\nexit\n.size p, .-p\n",
            "function `a`: calls itself, directly or through others",
        ),
        (
            ".section xdp,\"ax\"\n.globl p\n.type p,@function\np: r0 = 0\nexit\n.size p, 24\n",
            "function `p`: crosses the end of its section",
        ),
        (
            ".section xdp,\"ax\"\n.globl p\n.type p,@function\np: r0 = 0\nexit\n.size p, 12\n",
            "function `p`: is not made of whole instructions",
        ),
        (
            ".section xdp,\"ax\"\n.globl p\n.type p,@function\np: r0 = 0\n.globl q\n.type q,@function\nq: exit\n\
             .size p, 16\n.size q, 8\n",
            "function `q`: overlaps with `p`",
        ),
        (
            ".section xdp,\"ax\"\n.type p,@function\np: r0 = 0\nexit\n.size p, 16\n",
            "function `p`: is static: only functions in `.text` can be",
        ),
        (
            ".section tc,\"ax\"\n.globl p\n.type p,@function\np: r0 = 0\nexit\n.size p, 16\n\
             .globl q\n.type q,@function\nq: call p\nexit\n.size q, 16\n",
            "function `q`: instruction 0 refers to a function that is not in `.text`",
        ),
        (
            ".section unheard,\"ax\"\n.globl p\n.type p,@function\np: r0 = 0\nexit\n.size p, 16\n",
            "program `p`: section name `unheard` does not say what kind of program it is",
        ),
    ] {
        assert_eq!(error(&assemble(source)).to_string(), message);
    }
}

/// A number that stands for a map or a kernel function on one host only.
#[test]
fn numbers_of_this_host_are_refused() {
    for bytes in ["0x18,0x11,0,0,3,0,0,0,0,0,0,0,0,0,0,0", "0x85,0x20,0,0,3,0,0,0"] {
        let object = assemble(&format!(
            ".section xdp,\"ax\"\n.globl p\n.type p,@function\np: .byte {bytes}\nexit\n.size p, .-p\n"
        ));
        assert_eq!(
            error(&object).to_string(),
            "function `p`: instruction 0 refers to something by a number that means nothing on another host"
        );
    }
}

/// Whatever is damaged, the result is an object or an error: never a panic, an overflow or an endless loop.
#[test]
fn damage_is_survived() {
    let sound = sound();
    assert!(Object::parse(&sound).is_ok());
    for size in 0..sound.len() {
        assert!(Object::parse(&sound[..size]).is_err(), "the section headers are at the end");
    }
    for index in 0..sound.len() {
        for value in [0, 0xff, sound[index] ^ 1, sound[index] ^ 0x80] {
            let mut damaged = sound.clone();
            damaged[index] = value;
            let _ = Object::parse(&damaged);
        }
    }
}
