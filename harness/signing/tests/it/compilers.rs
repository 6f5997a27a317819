//! Files to sign, as compilers write them.

use std::ffi::OsStr;
use std::process::Command;

use crate::openssl::Dir;

/// What an eBPF program needs of its system's headers.
const PRELUDE: &str =
    "#define SEC(name) __attribute__((section(name)))\nchar _license[] SEC(\"license\") = \"GPL\";\n";

/// An eBPF object with two programs, a map and data, for Linux.
pub const LINUX: &str = r#"
    struct { int (*type)[1]; int (*max_entries)[7]; int *key; long *value; } map SEC(".maps");
    static void *(*lookup)(void *, void *) = (void *)1;
    const volatile int limit = 3;
    SEC("xdp") int pass(void *context) { int key = 0; return lookup(&map, &key) ? 2 : 1; }
    SEC("tc") int drop(void *context) { return limit; }
"#;

/// An eBPF object for Windows: same section names as on Linux, the context types of eBPF for Windows.
pub const WINDOWS: &str = r#"
    typedef struct _bpf_sock_addr { unsigned family; unsigned user_ip4; } bpf_sock_addr_t;
    SEC("cgroup/connect4") int authorize(bpf_sock_addr_t *context) { return context->family == 2; }
"#;

/// Compiles C to an eBPF object.
pub fn ebpf(source: &str) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("program.c", format!("{PRELUDE}{source}"));
    run(&dir, "clang", "-O2 -g -target bpf -mcpu=v3 -c -o program.o program.c");
    dir.read("program.o")
}

/// Compiles C to an ELF program for this machine.
pub fn program(source: &str) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("program.c", source);
    run(&dir, "gcc", "-O2 -o program program.c");
    dir.read("program")
}

/// Runs a command whose arguments have no spaces in them; it must succeed.
pub fn run(dir: &Dir, program: impl AsRef<OsStr>, arguments: &str) {
    let program = program.as_ref();
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .current_dir(dir.path())
        .output()
        .unwrap_or_else(|error| panic!("{program:?} must be installed: {error}"));
    assert!(output.status.success(), "{program:?} {arguments}: {output:?}");
}
