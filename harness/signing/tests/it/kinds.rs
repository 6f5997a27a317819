//! Kinds of objects that people have, each with what makes it special.

use bpfsig_signing::Digest;
use bpfsig_signing::artifact::Artifact;
use bpfsig_signing::btf::kind;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::{Description, from_json, to_json};
use bpfsig_signing::embed;
use bpfsig_signing::insn::{self, PSEUDO_MAP_IDX_VALUE};
use bpfsig_signing::map::HostKind;
use bpfsig_signing::object::{Object, ObjectError, Remark, annotate};
use bpfsig_signing::parameter::Range;
use bpfsig_signing::program::Attach;

use crate::compilers::{ebpf, run};
use crate::openssl::Dir;

fn object(source: &str) -> Object {
    Object::parse(&ebpf(source)).unwrap()
}

fn refused(source: &str) -> String {
    Object::parse(&ebpf(source)).unwrap_err().to_string()
}

/// A program that looks something up in a hash table with these members besides type, key and value.
fn with_map(members: &str) -> String {
    format!(
        r#"static void *(*lookup)(void *, void *) = (void *)1;
        struct {{ int (*type)[1]; int *key; long *value; {members} }} table SEC(".maps");
        SEC("xdp") int program(void *context) {{ int key = 1; return lookup(&table, &key) ? 1 : 2; }}"#
    )
}

/// `{ symbol: type }`, as `--type` has it.
fn types(section: &str, name: &str) -> Choices {
    Choices { types: [(section.into(), name.into())].into(), ..Choices::default() }
}

fn targets(program: &str, function: &str) -> Choices {
    Choices { targets: [(program.into(), function.into())].into(), ..Choices::default() }
}

#[test]
fn a_section_name_may_go_on_after_a_known_one() {
    let gate = r#"SEC("xdp_gatekeeper") int gate(void *context) { return 2; }"#;
    let plain = gate.replace("xdp_gatekeeper", "xdp");
    let [gate, plain] = [gate, &plain].map(object);
    assert_eq!(gate.programs()[0].prog_type, plain.programs()[0].prog_type);
    let described = |object: &Object| Description::of(&object.programs()[0]).unwrap().prog_type;
    assert_eq!(described(&gate), described(&plain));
    let remark = Remark::Prefix { section: "xdp_gatekeeper".into(), prefix: "xdp" };
    assert_eq!(gate.remarks(), [remark]);
    assert!(plain.remarks().is_empty());
}

#[test]
fn what_a_section_does_not_say_can_be_chosen() {
    let source = r#"SEC("ingress") int program(void *context) { return 0; }"#;
    let error = refused(source);
    assert!(error.contains("--type ingress=TYPE") && !error.contains("windows"), "{error}");
    let file = ebpf(source);
    let object = Object::parse_with(&file, &types("ingress", "tc")).unwrap();
    assert_eq!((object.programs()[0].prog_type, &*object.programs()[0].section), (3, "tc"));

    let source = r#"SEC("?lsm") int program(void *context) { return 0; }"#;
    let error = refused(source);
    assert!(error.contains("--target-function program=FUNCTION"), "{error}");
    let file = ebpf(source);
    let choices = targets("program", "file_open");
    let object = Object::parse_with(&file, &choices).unwrap();
    assert_eq!(object.programs()[0].section, "?lsm/file_open");
    let Attach::KernelType { name, .. } = &object.programs()[0].attach else { panic!() };
    assert_eq!(name, "bpf_lsm_file_open");

    // What is in an object with its signature counts when it is read again.
    let described = [Description::of(&object.programs()[0]).unwrap()];
    let json = to_json(&described, &choices);
    assert_eq!(from_json(json.as_bytes()).unwrap().choices, choices);
    let signed = embed::write(&file, b"a signature", json.as_bytes()).unwrap();
    assert_eq!(Artifact::of(&signed, None).unwrap().programs(), described);

    let file = ebpf(r#"SEC("freplace") int program(void *context) { return 0; }"#);
    let object = Object::parse_with(&file, &targets("program", "f")).unwrap();
    assert_eq!(object.programs()[0].attach, Attach::Program { name: "f".into() });
    let file = ebpf(r#"SEC("xdp") int program(void *context) { return 0; }"#);
    let error = Object::parse_with(&file, &targets("program", "f")).unwrap_err();
    assert!(
        matches!(error, ObjectError::NoTargetTaken { .. } | ObjectError::UnknownSection { .. }),
        "{error}"
    );
}

#[test]
fn the_host_fills_kconfig() {
    let object = object(
        r#"#define __kconfig SEC(".kconfig")
        enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };
        extern int LINUX_KERNEL_VERSION __kconfig;
        extern _Bool CONFIG_MADE_UP __kconfig __attribute__((weak));
        extern const char CONFIG_LOCALVERSION[16] __kconfig;
        extern unsigned long CONFIG_HZ __kconfig;
        extern enum libbpf_tristate CONFIG_EXT4_FS __kconfig __attribute__((weak));
        SEC("xdp") int program(void *context) {
            return CONFIG_MADE_UP + LINUX_KERNEL_VERSION + CONFIG_HZ + CONFIG_LOCALVERSION[3] + CONFIG_EXT4_FS;
        }"#,
    );
    let map = object.maps().iter().find(|map| map.name == ".kconfig").unwrap();
    let int = HostKind::Int { is_signed: true };
    let laid_out: Vec<_> = map.host.iter().map(|v| (&*v.name, v.offset, v.size, v.kind, v.is_weak)).collect();
    assert_eq!(
        laid_out,
        [
            ("CONFIG_HZ", 0, 8, HostKind::Int { is_signed: false }, false),
            ("CONFIG_EXT4_FS", 8, 4, HostKind::Tristate, true),
            ("LINUX_KERNEL_VERSION", 12, 4, int, false),
            ("CONFIG_MADE_UP", 16, 1, HostKind::Bool, true),
            ("CONFIG_LOCALVERSION", 17, 16, HostKind::Text, false),
        ]
    );
    assert_eq!((map.value_size, map.frozen), (33, false));
    let program = &object.programs()[0];
    let description = Description::of(program).unwrap();
    assert_eq!(description.slots[0].map.name, ".kconfig");
    assert_eq!(description.slots[0].contents_sha256, None);
    let references =
        insn::decode(&program.insns).filter(|insn| insn.src == PSEUDO_MAP_IDX_VALUE && insn.code == 0x18);
    assert_eq!(references.count(), 5);
    assert!(matches!(object.remarks(), [Remark::HostVariables { names }] if names.len() == 5));

    let error = refused(
        r#"extern struct { int a; } CONFIG_X SEC(".kconfig");
        SEC("xdp") int program(void *context) { return CONFIG_X.a; }"#,
    );
    assert!(error.contains("extern `CONFIG_X` has a type that `.kconfig` can't have"), "{error}");
}

/// What the host says is a constant to the kernel then, which leaves out what is for other kernels.
#[test]
fn numbers_of_kconfig_are_parameters() {
    let source = r#"#define __kconfig SEC(".kconfig")
        enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };
        extern _Bool CONFIG_BPF __kconfig;
        extern char CONFIG_C __kconfig;
        extern unsigned int CONFIG_HZ __kconfig;
        extern enum libbpf_tristate CONFIG_EXT4_FS __kconfig __attribute__((weak));
        SEC("xdp") int program(void *context) {
            return CONFIG_BPF + CONFIG_C + CONFIG_HZ + CONFIG_EXT4_FS;
        }"#;
    assert_eq!(tags(&object(source)), [""; 0]);
    let constant = Choices { constant_kconfig: true, ..Choices::default() };
    let object = Object::parse_with(&ebpf(source), &constant).unwrap();
    let map = object.maps().iter().find(|map| map.name == ".kconfig").unwrap();
    assert!(map.frozen && map.parameters.is_empty());
    // An int, an enum, a char and a bool, and what fills up an array's entry: all as zeros.
    assert_eq!(map.value_size, 10);
    let description = Description::of(&object.programs()[0]).unwrap();
    assert_eq!(description.slots[0].contents_sha256, Some(Digest::of([0; 16])));
    assert_eq!(tags(&object), ["-128:127", "0:1", "0:2", "0:4294967295"]);
    assert!(matches!(object.remarks(), [Remark::HostVariables { names }] if names.len() == 4));

    let limits = [("CONFIG_HZ".to_owned(), Range { min: 100, max: 1000 })];
    let limited = annotate(&ebpf(source), &limits).unwrap();
    let error = Object::parse(&limited).unwrap_err().to_string();
    assert!(error.starts_with("map `.kconfig` has a parameter, and numbers that are none"), "{error}");
    let limited = Object::parse_with(&limited, &constant).unwrap();
    assert_eq!(tags(&limited), ["-128:127", "0:1", "0:2", "100:1000"]);
    let text = source.replace("char CONFIG_C ", "char CONFIG_C[8] ").replace("_C +", "_C[1] +");
    let error = Object::parse_with(&annotate(&ebpf(&text), &limits).unwrap(), &constant).unwrap_err();
    assert_eq!(error.to_string(), "map `.kconfig` has a parameter, and a text, which can't be one");
}

/// The ranges of all parameters, sorted.
fn tags(object: &Object) -> Vec<String> {
    let text = String::from_utf8_lossy(object.btf().unwrap());
    let mut tags: Vec<_> =
        text.split('\0').filter_map(|s| s.strip_prefix("bpf_param:")).map(String::from).collect();
    tags.sort();
    tags
}

#[test]
fn programs_that_nobody_can_load_as_they_are_are_left_out() {
    let source = r#"
        SEC("?fentry") int observer(void *context) { return 0; }
        SEC("?struct_ops/unused") int unused(void *context) { return 0; }
        static void *(*lookup)(void *, void *) = (void *)1;
        long table[2] SEC(".jumptables") = { 8, 16 };
        SEC("?tc") int jumps(void *context) { return lookup(table, context) ? 1 : 2; }
        SEC("xdp") int gate(void *context) { return 2; }"#;
    let object = object(source);
    assert_eq!(object.programs().iter().map(|program| &*program.name).collect::<Vec<_>>(), ["gate"]);
    for (program, reason) in [
        ("observer", "section name `?fentry` does not say what it attaches to"),
        ("unused", "is in no variable of a struct_ops type"),
        ("jumps", "jumps through a table"),
    ] {
        let start = format!("program `{program}`, which is not loaded unless asked for, is not signed: ");
        let is_said = |remark: &Remark| {
            let text = remark.to_string();
            remark.is_warning() && text.starts_with(&start) && text.contains(reason)
        };
        assert!(object.remarks().iter().any(is_said), "{program}: {:?}", object.remarks());
    }

    let file = ebpf(source);
    let chosen = Object::parse_with(&file, &targets("observer", "do_exit")).unwrap();
    assert_eq!(chosen.programs().len(), 2);
    let error = refused(&source.replace("?fentry", "fentry"));
    assert!(error.contains("--target-function observer=FUNCTION"), "{error}");
    let error = refused(&source.replace("?struct_ops", "struct_ops"));
    assert_eq!(error, "function `unused`: is in no variable of a struct_ops type");
}

#[test]
fn a_table_may_be_for_later() {
    let object = object(
        r#"struct ops { int (*first)(void *); };
        SEC("struct_ops/first") int first(void *context) { return 0; }
        SEC("?.struct_ops") struct ops later = { (void *)first };
        SEC(".struct_ops.link") struct ops now = { (void *)first };"#,
    );
    let tables: Vec<_> = object.struct_ops().iter().map(|table| (&*table.name, table.autocreate)).collect();
    assert_eq!(tables, [("now", true), ("later", false)]);
    // A table may have no functions.
    let alone = ebpf(r#"SEC(".struct_ops.link") struct ops { int number; } ops = { 1 };"#);
    assert!(matches!(Artifact::of(&alone, None).unwrap(), Artifact::MapsOnly(_)));
}

#[test]
fn programs_are_signed_for_the_modules_that_the_signer_names() {
    let file = ebpf(
        r#"SEC("fentry/nft_init") int anywhere(void *context) { return 0; }
        SEC("fentry/nf_tables:nft_init") int in_one(void *context) { return 0; }
        SEC("fentry.multi/nft_*") int several(void *context) { return 0; }
        SEC("xdp") int gate(void *context) { return 2; }"#,
    );
    let choices = Choices { modules: ["nf_tables".to_owned()].into(), ..Choices::default() };
    let attached = |choices: &Choices| {
        let artifact = Artifact::with_choices(&file, None, choices).unwrap();
        let mut names: Vec<_> =
            artifact.programs().iter().map(|it| format!("{} {}", it.name, it.attach)).collect();
        assert_eq!(artifact.entries().len(), names.len());
        names.sort();
        names
    };
    let without = attached(&Choices::default());
    assert_eq!(
        without,
        [
            "anywhere vmlinux:nft_init",
            "gate none",
            "in_one nf_tables:nft_init",
            "several vmlinux:bpf_multi_func",
        ]
    );
    let mut with = attached(&choices);
    with.retain(|name| !without.contains(name));
    assert_eq!(with, ["anywhere nf_tables:nft_init"]);
    let json = to_json(&[], &choices);
    assert_eq!(from_json(json.as_bytes()).unwrap().choices, choices);
}

#[test]
fn global_data_of_each_cpu() {
    let object = object(
        r#"int numbers[3] SEC(".percpu") = { 1, 2, 3 };
        SEC("xdp") int program(void *context) { return numbers[1]; }"#,
    );
    let map = &object.maps()[0];
    assert_eq!((&*map.name, map.map_type, map.value_size, map.flags), (".percpu", 6, 12, 0));
    assert_eq!(Description::of(&object.programs()[0]).unwrap().slots[0].contents_sha256, None);
}

#[test]
fn jump_tables_are_refused_with_their_reason() {
    let error = refused(
        r#"static void *(*lookup)(void *, void *) = (void *)1;
        long table[2] SEC(".jumptables") = { 8, 16 };
        SEC("xdp") int program(void *context) { return lookup(table, context) ? 1 : 2; }"#,
    );
    assert!(
        error.contains("jumps through a table (`.jumptables`)") && error.contains("-fno-jump-tables"),
        "{error}"
    );
}

#[test]
fn maps_of_all_kinds() {
    let near = object(&with_map("int (*max_entries)[8]; int (*map_flags)[4]; int (*numa_node)[3];"));
    assert_eq!((near.maps()[0].numa_node, near.maps()[0].flags), (3, 4));

    let later = object(&with_map(""));
    let [remark] = later.remarks() else { panic!("{:?}", later.remarks()) };
    assert!(remark.is_warning());
    assert!(remark.to_string().starts_with("map `table` has no size (`max_entries` is 0)"), "{remark}");
}

/// A program that looks something up in a map that is defined in the old way: its section, the numbers of the definition.
fn with_old_map(section: &str, numbers: &str) -> String {
    format!(
        r#"int table[] SEC("{section}") = {{ {numbers} }};
        static void *(*lookup)(void *, void *) = (void *)1;
        SEC("xdp") int program(void *context) {{ int key = 1; return lookup(&table, &key) ? 1 : 2; }}"#
    )
}

#[test]
fn maps_of_the_old_way() {
    // As libbpf had it, as aya-ebpf has it, and as iproute2 has it.
    for numbers in ["1, 4, 8, 16, 1", "1, 4, 8, 16, 1, 0, 0", "1, 4, 8, 16, 1, 7, 0, 0, 0"] {
        let object = object(&with_old_map("maps", numbers));
        let [map] = object.maps() else { panic!("{:?}", object.maps()) };
        let sizes = (map.key_size, map.value_size, map.max_entries, map.flags);
        assert_eq!((&*map.name, map.map_type, sizes, map.pin_by_name), ("table", 1, (4, 8, 16, 1), false));
        assert_eq!((map.btf_key_type_id, map.btf_value_type_id), (0, 0));
        let slots = Description::of(&object.programs()[0]).unwrap().slots;
        assert_eq!(slots.len(), 1);
        let [remark] = object.remarks() else { panic!("{:?}", object.remarks()) };
        assert!(remark.to_string().contains("libbpf has not taken since 1.0"), "{remark}");
    }
    assert!(object(&with_old_map("maps", "1, 4, 8, 16, 1, 0, 1")).maps()[0].pin_by_name);
    assert_eq!(object(&with_old_map("maps", "27, 0, 0, 5000, 0")).maps()[0].max_entries, 8192);

    for (numbers, problem) in [
        ("1, 4, 8, 16", "map `table` is defined by less than 20 bytes"),
        ("1, 4, 8, 16, 0, 0, 2", "map `table` is to be pinned in a way that is not LIBBPF_PIN_BY_NAME"),
        ("13, 4, 4, 16, 0, 0, 0, 7", "map `table` is defined by more than is known here"),
        ("9, 4, 8, 16, 2", "map `table` has BPF_F_NO_COMMON_LRU"),
    ] {
        let error = refused(&with_old_map("maps", numbers));
        assert!(error.contains(problem), "{error}");
    }
    for section in ["maps/table", "lirc_mode2/maps"] {
        let error = refused(&with_old_map(section, "1, 4, 8, 16, 1"));
        assert!(
            error.contains(&format!("section `{section}` defines a map as gobpf or ir-keytable want it")),
            "{error}"
        );
    }
}

/// See data/aya/count.rs.
#[test]
fn an_object_that_aya_made() {
    let object = Object::parse(include_bytes!("../data/aya/count.o")).unwrap();
    let programs: Vec<_> = object.programs().iter().map(|program| &*program.name).collect();
    assert_eq!(programs, ["count", "opened", "pass"]);
    let maps: Vec<_> = object.maps().iter().map(|map| (&*map.name, map.map_type)).collect();
    assert_eq!(maps, [("COUNTS", 1), ("TOTAL", 2), (".rodata", 2), (".rodata.cst8", 2)]);
}

#[test]
fn maps_alone_are_signed_as_a_file() {
    let file = ebpf(
        r#"struct { int (*type)[2]; int (*max_entries)[8]; int *key; long *value; } table SEC(".maps");"#,
    );
    assert!(Object::parse(&file).unwrap().programs().is_empty());
    let artifact = Artifact::of(&file, None).unwrap();
    assert!(matches!(artifact, Artifact::MapsOnly(_)));
    let signed = embed::write(&file, b"a signature", b"").unwrap();
    assert_eq!(Artifact::of(&signed, None).unwrap(), artifact);
    let library = refused("int function(void) { return 0; }");
    assert_eq!(library, "the object has no programs and no maps");
}

#[test]
fn stripped_objects_are_not_taken_for_maps_alone() {
    let dir = Dir::new();
    dir.write(
        "object.o",
        ebpf(r#"int version; SEC("xdp") int program(void *context) { return ++version; }"#),
    );
    run(&dir, "llvm-strip", "--strip-all -o stripped.o object.o");
    let error = Object::parse(&dir.read("stripped.o")).unwrap_err();
    assert!(matches!(error, ObjectError::Stripped), "{error}");
    run(&dir, "llvm-strip", "-g -o debugless.o object.o");
    let programs = |name: &str| Object::parse(&dir.read(name)).unwrap().programs().len();
    assert_eq!(programs("debugless.o"), 1);
}

const ARENA: &str = r#"
    struct { int (*type)[33]; int (*max_entries)[2]; int (*map_flags)[1024]; } arena SEC(".maps");
    int first SEC(".addr_space.1") = 7;
    int second SEC(".addr_space.1") = 8;
    SEC("syscall") int program(void *context) { void *a = &arena; asm volatile("" :: "r"(a)); return second; }
"#;

#[test]
fn variables_of_an_arena_lie_in_its_last_pages() {
    let object = object(ARENA);
    assert_eq!(object.maps().len(), 1);
    assert_eq!(object.maps()[0].contents, [7, 0, 0, 0, 8, 0, 0, 0]);
    let insns: Vec<_> = insn::decode(&object.programs()[0].insns).collect();
    let at = insns.iter().position(|insn| insn.src == PSEUDO_MAP_IDX_VALUE).unwrap();
    assert_eq!((insns[at].imm, insns[at + 1].imm), (0, 4096 + 4));

    let without = ARENA.replace("int (*type)[33]", "int (*type)[2]");
    assert!(refused(&without).contains("there is not exactly one arena"));
    // Two pages of two.
    let full = ARENA.replace("int second", "int large[1023] SEC(\".addr_space.1\") = { 1 };\nint second");
    let insns: Vec<_> = insn::decode(&self::object(&full).programs()[0].insns).collect();
    let at = insns.iter().position(|insn| insn.src == PSEUDO_MAP_IDX_VALUE).unwrap();
    assert_eq!(insns[at + 1].imm, 4096);
    let large = ARENA.replace("int second", "int large[4000] SEC(\".addr_space.1\") = { 1 };\nint second");
    assert!(refused(&large).contains("is larger than the arena"));
    let tag = r#"__attribute__((btf_decl_tag("bpf_param:1:8")))"#;
    let sized = ARENA.replace("arena SEC(\".maps\")", &format!("arena {tag} SEC(\".maps\")"));
    assert!(refused(&sized).contains("whose place depends on the arena's size"), "{}", refused(&sized));
}

#[test]
fn a_callback_for_exceptions_is_appended() {
    let source = r#"
        extern void bpf_throw(unsigned long long) SEC(".ksyms");
        __attribute__((noinline)) int handler(unsigned long long cookie) { return 3; }
        SEC("tc") __attribute__((btf_decl_tag("exception_callback:handler")))
        int program(int *context) { if (*context > 9000) bpf_throw(1); return 0; }
        SEC("tc") int other(int *context) { return 0; }
    "#;
    let object = object(source);
    let functions = |index: usize| object.programs()[index].func_info.count();
    assert_eq!([functions(0), functions(1)], [2, 1]);
    let error = refused(&source.replace("callback:handler", "callback:missing"));
    assert!(
        error.contains("function `program`: names a callback for exceptions that is not a global function"),
        "{error}"
    );
}

/// Where the BTF of an object starts: magic, version, flags, size of the header, offset of the types.
fn btf_of(file: &[u8]) -> usize {
    const HEADER: [u8; 12] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0];
    file.windows(HEADER.len()).position(|window| window == HEADER).unwrap()
}

/// As the Rust compiler writes them; no kernel takes BTF with such names.
#[test]
fn names_of_pointers_are_taken_away() {
    let file = ebpf(r#"SEC("xdp") int program(int *context) { return *context; }"#);
    let first = btf_of(&file) + 24;
    assert_eq!(file[first..first + 8], [0, 0, 0, 0, 0, 0, 0, kind::PTR as u8]);
    let mut named = file.clone();
    named[first] = 1;
    let btf = |file: &[u8]| Object::parse(file).unwrap().btf().unwrap().to_vec();
    assert_eq!(btf(&named), btf(&file));
}

#[test]
fn types_of_another_btf_are_refused() {
    let mut file = ebpf(r#"SEC("xdp") int program(int *context) { return *context; }"#);
    let at = btf_of(&file);
    let strings = u32::from_le_bytes(file[at + 16..at + 20].try_into().unwrap()) as usize;
    file[at + 24 + strings] = b'x';
    let error = Object::parse(&file).unwrap_err().to_string();
    assert!(error.starts_with(".BTF is split: its types refer to those of another BTF"), "{error}");
}

#[test]
fn long_names_are_kept_whole_beside_what_is_signed() {
    let object = object(
        r#"SEC("xdp") int a_long_common_prefix_one(void *context) { return 1; }
        SEC("xdp") int a_long_common_prefix_two(void *context) { return 2; }"#,
    );
    let described: Vec<_> =
        object.programs().iter().map(|program| Description::of(program).unwrap()).collect();
    assert_eq!(described[0].name, described[1].name);
    let names: Vec<_> = described.iter().map(Description::whole_name).collect();
    assert_eq!(names, ["a_long_common_prefix_one", "a_long_common_prefix_two"]);
    let read = from_json(to_json(&described, &Choices::default()).as_bytes()).unwrap();
    assert_eq!(read.programs, described);
}

/// libxdp makes XDP programs replace functions of its dispatcher, and xdpdump has its programs observe another one.
#[test]
fn a_program_can_be_signed_as_of_several_sections() {
    let file = ebpf(
        r#"
        SEC("xdp") int pass(void *context) { return 2; }
        SEC("fentry/func") int watch(void *context) { return 0; }
        "#,
    );
    let also = |pairs: &[(&str, &str)]| {
        let mut choices = Choices::default();
        for (program, section) in pairs {
            choices.also.entry((*program).into()).or_default().insert((*section).into());
        }
        Artifact::with_choices(&file, None, &choices).map_err(|error| error.to_string())
    };
    let wanted = [("pass", "freplace/prog1"), ("pass", "xdp.frags"), ("watch", "fentry/bpf:pass")];
    let artifact = also(&wanted).unwrap();
    assert_eq!(artifact.entries().len(), 5);
    let looks: Vec<_> = artifact
        .programs()
        .iter()
        .map(|program| (&*program.name, program.prog_type, program.prog_flags, program.attach.to_string()))
        .collect();
    let look = |name, prog_type, flags, attach: &str| (name, prog_type, flags, attach.to_owned());
    let expected = [
        look("pass", 6, 0, "none"),
        look("watch", 26, 0, "vmlinux:func"),
        look("pass", 28, 0, "prog1 of a program"),
        look("pass", 6, 32, "none"),
        look("watch", 26, 0, "pass of a program"),
    ];
    assert_eq!(looks, expected);

    for (program, section, message) in [
        ("other", "xdp", "there is no program `other`: there are `pass`, `watch`"),
        ("pass", "xdp_tool", "program `pass`: no loader takes it for one in section `xdp_tool`"),
        ("pass", "fentry", "program `pass`: no loader takes it for one in section `fentry`"),
        ("watch", "lsm/bpf:pass", "program `watch`: no loader takes it for one in section `lsm/bpf:pass`"),
    ] {
        let error = also(&[(program, section)]).unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
}
