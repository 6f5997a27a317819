//! Files to sign, as compilers write them.

use std::process::{Command, Output};

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
    ebpf_for("bpf", source)
}

/// Compiles C to an eBPF object for big-endian machines.
pub fn big_endian_ebpf(source: &str) -> Vec<u8> {
    ebpf_for("bpfeb", source)
}

fn ebpf_for(target: &str, source: &str) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("program.c", format!("{PRELUDE}{source}"));
    run(&dir, "clang", &format!("-O2 -g -target {target} -mcpu=v3 -c -o program.o program.c"));
    dir.read("program.o")
}

/// Compiles C to an ELF program for this machine.
pub fn program(source: &str) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("program.c", source);
    run(&dir, "gcc", "-O2 -o program program.c");
    dir.read("program")
}

/// Compiles C to a Windows program with mingw-w64.
pub fn windows_program() -> Vec<u8> {
    windows_image("int main(void) { return 0; }", "")
}

/// Compiles C to a Windows driver, as far as mingw-w64 goes: a native image that links with nothing.
pub fn windows_driver() -> Vec<u8> {
    let source = "int DriverEntry(void *driver, void *path) { return 0; }";
    windows_image(source, "-Wl,--subsystem,native -nostdlib -e DriverEntry")
}

fn windows_image(source: &str, options: &str) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("image.c", source);
    run(&dir, "x86_64-w64-mingw32-gcc", &format!("-O2 {options} -o image.exe image.c"));
    dir.read("image.exe")
}

/// Runs a command whose arguments have no spaces in them.
pub fn try_run(dir: &Dir, program: &str, arguments: &str) -> Output {
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).current_dir(dir.path());
    command.output().unwrap_or_else(|error| panic!("{program} must be installed: {error}"))
}

/// Runs a command, which must succeed, and returns what it prints.
pub fn run(dir: &Dir, program: &str, arguments: &str) -> String {
    let output = try_run(dir, program, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {text}{errors}");
    text
}
