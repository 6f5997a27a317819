//! Objects that can't be signed, and files that are not objects. The objects are compiled by clang.

use std::io::Write;
use std::process::{Command, Stdio};

use bpfsig_signing::btf::Btf;
use bpfsig_signing::description::Description;
use bpfsig_signing::insn::{self, Insn};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::object::{Initial, InitialEntry, Object, ObjectError};
use bpfsig_signing::program::{Attach, Program, Records};
use object::LittleEndian;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

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

/// An object with subprograms, a callback, CO-RE, BTF, maps, entries, data, externs and struct_ops, so that there is
/// something everywhere to damage.
fn sound() -> Vec<u8> {
    compile(
        r#"
        struct inner { int (*type)[1]; int (*max_entries)[7]; int *key; long *value; } inner SEC(".maps");
        struct { int (*type)[13]; int (*max_entries)[8]; int *key; struct inner *values[]; } outer
            SEC(".maps") = { .values = { [5] = &inner } };
        static void *(*lookup)(void *, void *) = (void *)1;
        extern int kernel_function(int) SEC(".ksyms");
        extern const int kernel_variable SEC(".ksyms");
        int counter = 3;
        static long (*loop)(unsigned, void *, void *, unsigned long long) = (void *)181;
        static NOINLINE int leaf(struct kernel_struct *k) { return k->field; }
        NOINLINE int middle(void *context) { return leaf(context) + 1; }
        static long callback(unsigned index, void *context) { return index; }
        SEC("fentry/f") int program(void *context)
        {
            loop(3, callback, 0, 0);
            counter += (long)lookup(&outer, &context) + kernel_function(1) + kernel_variable;
            return middle(context);
        }
        SEC("struct_ops") int member(void *context) { return 0; }
        SEC(".struct_ops") struct ops { int number; int (*member)(void *); } ops = { 1, (void *)member };
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

/// The externs that a program refers to: which instruction, what it became, the name, the kind of record.
fn externs(program: &Program) -> Vec<(Insn, Insn, String, u32)> {
    let btf = Btf::parse(program.btf.as_deref().unwrap()).unwrap();
    let insns: Vec<_> = insn::decode(&program.insns).collect();
    let (records, rest) = program.core_relos.bytes.as_chunks::<16>();
    assert!(rest.is_empty() && program.core_relos.record_size == 16);
    let mut last = 0;
    let records = records.iter().map(|record| {
        let (words, _) = record.as_chunks::<4>();
        let [offset, type_id, access, kind] = [0, 1, 2, 3].map(|word| u32::from_le_bytes(words[word]));
        assert!(offset % 8 == 0 && offset >= last, "out of order");
        last = offset;
        assert!(kind < 256 || access == 0);
        let at = offset as usize / 8;
        (insns[at], insns[at + 1], btf.name(type_id).unwrap().to_owned(), kind)
    });
    records.collect()
}

#[test]
fn externs_are_bound_by_name() {
    let source = r#"
        #define __ksym SEC(".ksyms")
        #define __weak __attribute__((weak))
        struct opaque;
        extern int function(int) __ksym;
        extern int optional___v2(void) __ksym __weak;
        extern const struct opaque typed __ksym;
        extern const int optional_typed __ksym __weak;
        extern const void typeless __ksym;
        extern const void optional_typeless __ksym __weak;
        static NOINLINE long subprogram(struct kernel_struct *k) { return k->field + (long)&typed; }
        SEC("fentry/f") int program(struct kernel_struct **context)
        {
            return function(context[0]->field) + subprogram(context[0]);
        }
        SEC("fentry/f") int optional(struct kernel_struct **context)
        {
            return optional___v2 ? optional___v2() : 0;
        }
        SEC("fentry/f") long addresses(void *context)
        {
            return (long)&typeless + (long)&optional_typeless + (long)&optional_typed;
        }
        SEC("fentry/f") long without(void *context) { return 0; }
    "#;
    let object = Object::parse(&compile(source)).unwrap();
    let shown = |program: &Program| -> Vec<_> {
        let records = externs(program).into_iter();
        records
            .map(|(insn, next, name, kind)| match insn.code {
                insn::CALL => {
                    assert_eq!((insn.src, insn.imm, insn.off), (insn::PSEUDO_KFUNC_CALL, 0, 0));
                    format!("call {name} {kind}")
                }
                insn::LD_IMM64 => {
                    assert_eq!((insn.imm, next.imm), (0, 0));
                    format!("address {} {name} {kind}", insn.src)
                }
                _ => format!("CO-RE {name} {kind}"),
            })
            .collect()
    };
    let [program, optional, addresses, without] = object.programs() else { panic!() };
    assert_eq!(
        shown(program),
        ["CO-RE kernel_struct 0", "call function 256", "CO-RE kernel_struct 0", "address 3 typed 256"]
    );
    assert_eq!(shown(optional), ["address 3 optional___v2 257", "call optional___v2 257"]);
    let mut addresses = shown(addresses);
    addresses.sort();
    assert_eq!(
        addresses,
        ["address 0 optional_typeless 257", "address 0 typeless 256", "address 3 optional_typed 257"]
    );
    assert_eq!(without.core_relos, Records::default());
    assert!(object.programs().iter().all(|program| Description::of(program).is_ok()));
}

#[test]
fn impossible_externs_are_refused() {
    let program = |declaration: &str, body: &str| {
        compile(&format!(r#"{declaration} SEC("tc") long program(void *context) {{ {body} }}"#))
    };
    for (declaration, body, message) in [
        (
            "extern int function(int);",
            "return function(1);",
            "extern `function` is defined nowhere, and not declared to be in `.ksyms`",
        ),
        (
            r#"extern const int array[4] SEC(".ksyms");"#,
            r#"long inside; asm("%0 = array + 8 ll" : "=r"(inside)); return inside + (long)array;"#,
            "function `program`: instruction 0 refers to the inside of `array`",
        ),
        (
            r#"extern const int variable SEC(".ksyms");"#,
            r#"asm("call variable"); return (long)&variable;"#,
            "function `program`: instruction 0 calls `variable`, which is not a function",
        ),
    ] {
        assert_eq!(error(&program(declaration, body)).to_string(), message);
    }
    let without_btf =
        assemble(".section xdp,\"ax\"\n.globl p\n.type p,@function\np: call function\nexit\n.size p, 16\n");
    assert_eq!(
        error(&without_btf).to_string(),
        "the object has no BTF, which says what extern `function` is: compile it with -g"
    );
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
        btf: "vmlinux".to_owned(),
        name: "tcp_congestion_ops".to_owned(),
        member: member.to_owned(),
    };
    assert_eq!(members, [member("ssthresh"), member("init")]);
    assert!(object.programs().iter().all(|program| program.prog_type == BPF_PROG_TYPE_STRUCT_OPS));

    let [ops, other] = object.struct_ops() else { panic!() };
    assert_eq!((&*other.name, &*ops.name, ops.is_link), ("other", "ops", true));
    assert_eq!(ops.type_name, "tcp_congestion_ops");
    let layout: Vec<_> = ops
        .members
        .iter()
        .map(|member| (&*member.name, member.offset, member.size, member.program))
        .collect();
    assert_eq!(layout, [("key", 0, 4, None), ("ssthresh", 8, 8, Some(0)), ("init", 16, 8, Some(1))]);
    assert_eq!((ops.data[0], ops.data.len()), (1, 24));
    assert!(other.data.iter().all(|byte| *byte == 0) && other.members[1].program.is_none());

    assert_eq!(
        error(&compile(programs)).to_string(),
        "function `ssthresh`: is in no variable of a struct_ops type"
    );
}

#[test]
fn impossible_struct_ops_are_refused() {
    let programs = r#"
        SEC("struct_ops/f") int f(void *context) { return 2; }
        NOINLINE int helper(void *context) { return 2; }
    "#;
    for (table, message) in [
        (r#"SEC(".struct_ops") int number = 1;"#, "variable `number` for struct_ops is not a struct"),
        (
            r#"SEC(".struct_ops") struct { int (*f)(void *); } ops = { (void *)f };"#,
            "variable `ops` for struct_ops has a type without a name",
        ),
        (
            r#"SEC(".struct_ops") struct ops { int bits : 3; int (*f)(void *); } ops = { 0, (void *)f };"#,
            "variable `ops` for struct_ops has a member `bits` that is not made of bytes",
        ),
        (
            r#"SEC(".struct_ops") struct ops { int (*f)(void *); } ops = { (void *)helper };"#,
            "section `.struct_ops` refers to something other than a program",
        ),
        (
            r#"SEC(".struct_ops") struct ops { char bytes[8]; void *pointers[2]; } ops = { .pointers = { f } };"#,
            "section `.struct_ops` has a function that is in no member of its struct",
        ),
        (
            r#"SEC(".struct_ops") struct ops { int (*f)(void *), (*g)(void *); } ops = { (void *)f, (void *)f };"#,
            "variable `ops` for struct_ops has a program for `g` that is used for something else, too",
        ),
    ] {
        assert_eq!(error(&compile(&format!("{programs}{table}"))).to_string(), message);
    }
}

#[test]
fn a_tracing_program_can_attach_to_a_program() {
    let source = r#"
        SEC("fentry/f") int entry(void *context) { return 0; }
        SEC("fexit.s/f") int leave(void *context) { return 0; }
        SEC("freplace/f") int replace(void *context) { return 0; }
        SEC("fmod_ret/f") int modify(void *context) { return 0; }
        SEC("fentry/module:f") int module(void *context) { return 0; }
        SEC("lsm/file_open") int policy(void *context) { return 0; }
        SEC("xdp") int packets(void *context) { return 0; }
    "#;
    for program in Object::parse(&compile(source)).unwrap().programs() {
        let mut program = program.clone();
        let unchanged = program.clone();
        match &*unchanged.name {
            "entry" | "leave" | "replace" => {
                let target = |name: &str| Attach::Program { name: name.to_owned() };
                program.attach_to_program(None).unwrap();
                assert_eq!(program.attach, target("f"));
                program.attach_to_program(Some("g")).unwrap();
                assert_eq!(program.attach, target("g"));
            }
            name => {
                assert_eq!(
                    program.attach_to_program(Some("g")).unwrap_err().to_string(),
                    format!(
                        "program `{name}`: only fentry, fexit and freplace programs can attach to a program"
                    )
                );
                assert_eq!(program, unchanged);
            }
        }
    }
}

const MAPS: &str = r#"
    static void *(*lookup)(void *, void *) = (void *)1;
    struct pair { int a; long b; };
    struct { int (*type)[9]; int (*max_entries)[512]; int *key; struct pair *value; } recent SEC(".maps");
    struct { int (*type)[2]; int (*max_entries)[3]; int (*key_size)[4]; int (*value_size)[9]; } unused SEC(".maps");
    struct { int (*type)[27]; int (*max_entries)[5000]; } events SEC(".maps");
    struct { int (*type)[4]; int (*key_size)[4]; int (*value_size)[4]; } perf SEC(".maps");
    struct inner { int (*type)[1]; int (*map_flags)[1]; int (*max_entries)[7]; int *key; long *value; };
    struct { int (*type)[13]; int (*max_entries)[8]; int *key; struct inner *values[]; } outer SEC(".maps");
    int counter;
    static long hidden_counter;
    long initialised = 5;
    const volatile int limits[3] = { 1, 2, 3 };
"#;

#[test]
fn maps_are_read() {
    let source = format!(
        r#"{MAPS} SEC("xdp") int program(void *context)
        {{
            int key = 0;
            hidden_counter += (long)context;
            counter += hidden_counter;
            return (long)lookup(&recent, &key) + (long)lookup(&events, &key) + (long)lookup(&perf, &key)
                + (long)lookup(&outer, &key) + initialised;
        }}"#
    );
    let object = Object::parse(&compile(&source)).unwrap();
    let map = |name: &str| {
        let found = object.maps().iter().find(|map| map.name == name);
        MapDefinition::clone(found.unwrap_or_else(|| panic!("no map {name}")))
    };
    let names: Vec<_> = object.maps().iter().map(|map| map.name.as_str()).collect();
    assert_eq!(names[..5], ["recent", "events", "perf", "outer", "unused"]);

    let recent = map("recent");
    assert_eq!((recent.map_type, recent.key_size, recent.value_size, recent.max_entries), (9, 4, 16, 512));
    assert!(recent.btf_key_type_id != 0 && recent.btf_value_type_id != 0);
    assert_eq!(map("unused").value_size, 9);
    assert_eq!(map("events").max_entries, 8192, "a power of two pages");
    assert_eq!(map("perf").max_entries, 0);

    let outer = map("outer");
    assert_eq!((outer.key_size, outer.value_size, outer.btf_key_type_id), (4, 4, 0));
    let inner = outer.inner.unwrap();
    assert_eq!((inner.map_type, inner.flags, inner.value_size, inner.max_entries), (1, 1, 8, 7));

    let rodata = map(".rodata");
    assert_eq!((rodata.flags, rodata.frozen, rodata.value_size), (0x480, true, 12));
    assert_eq!(rodata.contents, [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!((map(".data").contents, map(".data").flags), (vec![5, 0, 0, 0, 0, 0, 0, 0], 0x400));
    assert_eq!((map(".bss").contents, map(".bss").frozen), (vec![], false));

    // Each program has what it uses, in the object's order.
    let program = &object.programs()[0];
    let slots: Vec<_> = program.slots.iter().map(|map| map.name.as_str()).collect();
    let used: Vec<_> = names.into_iter().filter(|name| !matches!(*name, "unused" | ".rodata")).collect();
    assert_eq!(slots, used);
}

#[test]
fn instructions_refer_to_slots() {
    let source = r#"
        long first = 1, second = 2;
        static long third = 3;
        SEC("xdp") int program(void *context) { return second += third++; }
    "#;
    let object = Object::parse(&compile(source)).unwrap();
    let map = &object.maps()[0];
    let mut insns = insn::decode(&object.programs()[0].insns);
    let mut values = Vec::new();
    while let Some(insn) = insns.next() {
        if insn.code == insn::LD_IMM64 {
            assert_eq!((insn.src, insn.imm), (insn::PSEUDO_MAP_IDX_VALUE, 0));
            let at = insns.next().unwrap().imm as usize;
            values.push(map.contents[at]);
        }
    }
    values.sort();
    values.dedup();
    assert_eq!(values, [2, 3]);
}

#[test]
fn impossible_maps_are_refused() {
    for (members, problem) in [
        ("int *key;", "has no type"),
        (
            "int (*type)[1]; int (*key_size)[8]; int *key;",
            "has sizes that contradict each other: 8 and `key`",
        ),
        ("int (*type)[1]; int colour;", "has a member `colour`, which is not supported"),
        ("int type;", "has a `type` that is not a number"),
        ("int (*type)[1]; void *value;", "has a `value` that is not a pointer to a type with a size"),
        ("int (*type)[1]; int *values[];", "has `values` that do not fit its type"),
        ("int (*type)[12]; int *values[];", "is not defined by a struct"),
        (
            "int (*type)[10]; int (*map_flags)[2];",
            "has BPF_F_NO_COMMON_LRU: its size depends on the number of CPUs",
        ),
    ] {
        let source = format!(
            r#"struct {{ {members} }} odd SEC(".maps"); SEC("xdp") int program(void *context) {{ return 2; }}"#
        );
        assert_eq!(error(&compile(&source)).to_string(), format!("map `odd` {problem}"));
    }
}

#[test]
fn initial_entries_are_listed() {
    let source = r#"
        struct inner { int (*type)[1]; int (*max_entries)[1]; int *key; long *value; };
        struct inner here SEC(".maps"), there SEC(".maps");
        struct {
            int (*type)[13]; int (*max_entries)[9]; int *key; struct inner *values[];
        } hash SEC(".maps") = { .values = { [70] = &there, [3] = &here } };
        int last(void *);
        SEC("xdp") int first(void *context) { return 2; }
        struct {
            int (*type)[3]; int (*max_entries)[4]; int *key; int (*values[])(void *);
        } calls SEC(".maps") = { .values = { first, [3] = last } };
        SEC("xdp") int last(void *context) { return 2; }
    "#;
    let object = Object::parse(&compile(source)).unwrap();
    let map = |name: &str| object.maps().iter().position(|map| map.name == name).unwrap();
    let mut expected = [
        (map("hash"), 3, Initial::Map(map("here"))),
        (map("hash"), 70, Initial::Map(map("there"))),
        (map("calls"), 0, Initial::Program(0)),
        (map("calls"), 3, Initial::Program(1)),
    ]
    .map(|(map, index, value)| InitialEntry { map, index, value });
    expected.sort_by_key(|entry| (entry.map, entry.index));
    assert_eq!(object.entries(), expected);
}

#[test]
fn impossible_initial_entries_are_refused() {
    for (map, message) in [
        (
            "int (*type)[3]; int (*max_entries)[2]; int *key; int (*values[])(void *); } odd = { .values = { [2] = program }",
            "map `odd` has an initial value 2, but only 2 entries",
        ),
        (
            "int (*type)[3]; int (*max_entries)[2]; int *key; int (*values[])(void *); } odd = { .values = { helper }",
            "map `odd` holds `helper`, which is not a program",
        ),
        (
            "int (*type)[3]; int (*max_entries)[2]; int *key; int (*values[])(void *); } odd = { .values = { (void *)&inner }",
            "map `odd` holds `inner`, which is not a program",
        ),
        (
            "int (*type)[12]; int (*max_entries)[2]; int *key; struct inner *values[]; } odd = { .values = { (void *)program }",
            "map `odd` holds `program`, which is not a map",
        ),
        (
            "int (*type)[12]; int (*max_entries)[2]; int *key; struct inner *values[]; } odd = { .values = { (void *)&number }",
            "map `odd` holds `number`, which is not a map",
        ),
        (
            "int (*type)[13]; int (*max_entries)[2]; long *key; struct inner *values[]; } odd = { .values = { &inner }",
            "map `odd` has initial values, so that its keys must have 4 bytes",
        ),
        (
            "int (*type)[12]; int (*max_entries)[2]; int *key; struct inner *values[]; } odd = { .key = &number, .values = { &inner }",
            "map `odd` has an initial value that is not in its `values`",
        ),
        (
            "int (*type)[1]; int (*max_entries)[2]; int *key; int *value; } odd = { .value = &number",
            "map `odd` has an initial value that is not in its `values`",
        ),
    ] {
        let source = format!(
            r#"
            int number = 1;
            struct inner {{ int (*type)[2]; int (*max_entries)[1]; int *key; long *value; }} inner SEC(".maps");
            NOINLINE int helper(void *context) {{ return 2; }}
            SEC("xdp") int program(void *context) {{ return number; }}
            SEC(".maps") struct {{ {map} }};
            "#
        );
        assert_eq!(error(&compile(&source)).to_string(), message);
    }
}

#[test]
fn references_to_no_map_are_refused() {
    let source = r#"SEC("xdp") int program(void *context) { return ((volatile char *)_license)[0]; }"#;
    assert_eq!(
        error(&compile(source)).to_string(),
        "function `program`: instruction 0 refers to `_license` in section `license`, where no map is"
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
            "program `p`: section name `unheard` does not say what kind of program it is; say so with \
             --type unheard=TYPE, where TYPE is a section name that libbpf knows (xdp, tc, kprobe/FUNCTION, …)",
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

/// Makes the relocations of a section refer to the symbol that stands for none.
fn without_symbols(mut bytes: Vec<u8>, section: &str) -> Vec<u8> {
    let file = ElfFile64::<LittleEndian>::parse(&*bytes).unwrap();
    let section = file.section_by_name(&format!(".rel{section}")).unwrap();
    let (start, size) = section.file_range().unwrap();
    for relocation in bytes[start as usize..][..size as usize].chunks_exact_mut(16) {
        // The upper half of r_info.
        relocation[12..].fill(0);
    }
    bytes
}

#[test]
fn relocations_against_nothing_are_refused() {
    for (section, message) in [
        (".maps", "map `outer` holds ``, which is not a map"),
        (".struct_ops", "section `.struct_ops` refers to something other than a program"),
        ("fentry/f", "function `program`: instruction 2 refers to a symbol that is in no section"),
    ] {
        assert_eq!(error(&without_symbols(sound(), section)).to_string(), message);
    }
    let source = r#"
        extern int function(void) SEC(".ksyms");
        SEC("fentry/f") int program(void *context) { return function(); }
    "#;
    assert_eq!(
        error(&without_symbols(compile(source), "fentry/f")).to_string(),
        "function `program`: instruction 0 refers to a function that is not in `.text`"
    );
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
