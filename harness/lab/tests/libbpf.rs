//! Compares load-invariant form with what libbpf makes of the same object.
//!
//! When libbpf prepares to generate a loader program, it does everything that does not depend on the host, makes no
//! system call, and leaves the result for inspection. There are two exceptions: programs for struct_ops need a kernel,
//! and libbpf looks up addresses that no BTF describes on the host. There, only what it has read is compared.

#[path = "common/xdp_tools.rs"]
mod xdp_tools;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::{ptr, slice};

use bpfsig_lab::corpus;
use bpfsig_signing::btf::{Btf, kind};
use bpfsig_signing::insn::{self, LD_IMM64, PSEUDO_MAP_IDX, PSEUDO_MAP_IDX_VALUE};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::object::{Initial, InitialEntry, Object};
use bpfsig_signing::program::{INSN_SIZE, Program};
use bpfsig_signing::uapi::{attach_type, map_type, prog_type};
use libbpf_rs::libbpf_sys as sys;

/// What libbpf would load.
struct Expected {
    programs: Vec<Program>,
    maps: Vec<MapDefinition>,
    btf: Vec<u8>,
}

fn libbpf(bytes: &[u8], prepare: bool) -> Expected {
    // SAFETY: the object is closed after everything that belongs to it has been copied, and each pointer comes with
    // its length.
    unsafe {
        let object = sys::bpf_object__open_mem(bytes.as_ptr().cast(), bytes.len() as _, ptr::null());
        assert!(!object.is_null(), "libbpf does not open the object");
        // Preparing gives up the inner maps.
        let mut maps = Vec::new();
        let mut map = sys::bpf_object__next_map(object, ptr::null_mut());
        while !map.is_null() {
            if sys::bpf_map__type(map) == map_type::STRUCT_OPS {
                sys::bpf_map__set_autocreate(map, false);
            } else {
                maps.push((map, expected_map(map)));
            }
            // Pinning would make system calls.
            sys::bpf_map__set_pin_path(map, ptr::null());
            map = sys::bpf_object__next_map(object, map);
        }
        let mut options =
            sys::gen_loader_opts { sz: size_of::<sys::gen_loader_opts>() as _, ..Default::default() };
        assert_eq!(sys::bpf_object__gen_loader(object, &mut options), 0);
        if prepare {
            assert_eq!(sys::bpf_object__prepare(object), 0);
        }

        // For some types of maps, preparing gives up the type ids.
        let maps = maps.into_iter().map(|(map, mut expected)| {
            expected.btf_key_type_id = sys::bpf_map__btf_key_type_id(map);
            expected.btf_value_type_id = sys::bpf_map__btf_value_type_id(map);
            expected
        });
        let maps = maps.collect();

        let mut programs = Vec::new();
        let mut program = sys::bpf_object__next_program(object, ptr::null_mut());
        while !program.is_null() {
            programs.push(expected_program(program));
            program = sys::bpf_object__next_program(object, program);
        }
        let mut size = 0;
        let btf = sys::bpf_object__btf(object);
        let bytes = copy(sys::btf__raw_data(btf, &mut size).cast::<u8>(), size as usize);
        // Preparing stands 0 in for the file descriptor, which would be closed.
        sys::btf__set_fd(btf, -1);
        sys::bpf_object__close(object);
        Expected { programs, maps, btf: bytes }
    }
}

/// # Safety
/// `map` must belong to an object that is neither prepared nor closed.
unsafe fn expected_map(map: *mut sys::bpf_map) -> MapDefinition {
    // SAFETY: as the caller promises; the size is that of the initial value.
    unsafe {
        let mut size = 0;
        let value = sys::bpf_map__initial_value(map, &mut size);
        let inner = sys::bpf_map__inner_map(map);
        MapDefinition {
            name: std::ffi::CStr::from_ptr(sys::bpf_map__name(map)).to_str().unwrap().to_owned(),
            map_type: sys::bpf_map__type(map),
            key_size: sys::bpf_map__key_size(map),
            value_size: sys::bpf_map__value_size(map),
            max_entries: sys::bpf_map__max_entries(map),
            flags: sys::bpf_map__map_flags(map),
            extra: sys::bpf_map__map_extra(map),
            btf_key_type_id: sys::bpf_map__btf_key_type_id(map),
            btf_value_type_id: sys::bpf_map__btf_value_type_id(map),
            inner: (!inner.is_null()).then(|| Box::new(expected_map(inner))),
            contents: copy(value.cast::<u8>(), size as usize),
            pin_by_name: !sys::bpf_map__pin_path(map).is_null(),
            frozen: sys::bpf_map__is_internal(map) && sys::bpf_map__map_flags(map) & F_RDONLY_PROG != 0,
            numa_node: sys::bpf_map__numa_node(map),
            ..MapDefinition::default()
        }
    }
}

/// `BPF_F_LINK`.
const F_LINK: u32 = 1 << 13;
/// `BPF_F_RDONLY_PROG`.
const F_RDONLY_PROG: u32 = 1 << 7;

/// # Safety
/// `program` must belong to an object that is prepared and not closed.
unsafe fn expected_program(program: *mut sys::bpf_program) -> Program {
    // SAFETY: as the caller promises; the lengths are those of the arrays.
    unsafe {
        let name = std::ffi::CStr::from_ptr(sys::bpf_program__name(program));
        let mut expected = Program {
            name: name.to_str().unwrap().to_owned(),
            prog_type: sys::bpf_program__type(program),
            expected_attach_type: sys::bpf_program__expected_attach_type(program),
            insns: copy(sys::bpf_program__insns(program), sys::bpf_program__insn_cnt(program) as usize),
            ..Program::default()
        };
        let count = sys::bpf_program__func_info_cnt(program) as usize;
        expected.func_info.record_size = 8;
        expected.func_info.bytes = copy(sys::bpf_program__func_info(program), count);
        let count = sys::bpf_program__line_info_cnt(program) as usize;
        expected.line_info.record_size = 16;
        expected.line_info.bytes = copy(sys::bpf_program__line_info(program), count);
        expected
    }
}

/// # Safety
/// `start` must point to `count` initialised elements without padding, or be null.
unsafe fn copy<T>(start: *const T, count: usize) -> Vec<u8> {
    if start.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(start.cast::<u8>(), count * size_of::<T>()).to_vec() }
}

/// Compiles `tests/objects/NAME` and compares it straight from the compiler and after it went through libbpf's linker.
fn compile_and_compare(name: &str) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects").join(name);
    let bytes = clang(&source);
    compare(name, &bytes);

    let dir = tempfile::tempdir().unwrap();
    let (compiled, linked) = (dir.path().join("compiled.o"), dir.path().join("linked.o"));
    std::fs::write(&compiled, &bytes).unwrap();
    let mut linker = libbpf_rs::Linker::new(&linked).unwrap();
    linker.add_file(&compiled).unwrap();
    linker.link().unwrap();
    compare(&format!("{name}, linked"), &std::fs::read(linked).unwrap());
    bytes
}

fn compare(name: &str, bytes: &[u8]) {
    let object = Object::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let is_prepared = !object.programs().iter().any(has_addresses);
    let expected = libbpf(bytes, is_prepared);
    assert_eq!(object.programs().len(), expected.programs.len(), "{name}");
    for (program, expected) in object.programs().iter().zip(&expected.programs) {
        let label = format!("{name}: {}", program.name);
        assert_eq!(program.name, expected.name, "{label}");
        assert_eq!(program.prog_type, expected.prog_type, "{label}");
        assert_eq!(program.expected_attach_type, expected.expected_attach_type, "{label}");
        if !is_prepared || program.prog_type == prog_type::STRUCT_OPS {
            continue;
        }
        let insns = with_object_indexes(program, object.maps());
        assert_eq!(insns, expected.insns, "{label}: instructions");
        assert_eq!(program.func_info, expected.func_info, "{label}: func_info");
        assert_eq!(program.line_info, expected.line_info, "{label}: line_info");
    }
    assert_eq!(object.maps().len(), expected.maps.len(), "{name}");
    for (map, expected) in object.maps().iter().zip(&expected.maps) {
        if is_prepared {
            compare_map(map, expected, &format!("{name}: {}", map.name));
        }
    }
    let btf = object.programs()[0].btf.as_deref().unwrap();
    assert_eq!(btf, expected.btf, "{name}: BTF");
}

/// Whether a program refers to an address in the kernel that no BTF describes.
fn has_addresses(program: &Program) -> bool {
    let insns: Vec<_> = insn::decode(&program.insns).collect();
    let (records, _) = program.core_relos.bytes.as_chunks::<16>();
    records.iter().any(|record| {
        let (words, _) = record.as_chunks();
        let (offset, kind) = (u32::from_le_bytes(words[0]), u32::from_le_bytes(words[3]));
        let insn = insns[offset as usize / INSN_SIZE];
        kind >= RELO_EXTERN && insn.code == LD_IMM64 && insn.src == 0
    })
}

/// `BPF_CORE_EXTERN`, the first kind of record that no compiler writes.
const RELO_EXTERN: u32 = 256;

fn compare_map(map: &MapDefinition, expected: &MapDefinition, label: &str) {
    let mut map = map.clone();
    let mut expected = expected.clone();
    // libbpf puts the object's name in front of a section's, and the name of a map in front of its inner one's.
    assert!(expected.name.starts_with(&map.name) || expected.name.ends_with(&map.name), "{label}");
    expected.name.clone_from(&map.name);
    // Zeros need not be said.
    map.contents.resize(expected.contents.len(), 0);
    if let (Some(inner), Some(expected)) = (map.inner.take(), expected.inner.take()) {
        compare_map(&inner, &expected, label);
    }
    assert_eq!(map, expected, "{label}");
}

/// A loader program refers to maps by their index in the object, a signed program by its own slots.
fn with_object_indexes(program: &Program, maps: &[Arc<MapDefinition>]) -> Vec<u8> {
    let mut insns = insn::decode(&program.insns);
    let mut result = Vec::new();
    while let Some(mut insn) = insns.next() {
        if insn.code != LD_IMM64 {
            result.push(insn);
            continue;
        }
        if matches!(insn.src, PSEUDO_MAP_IDX | PSEUDO_MAP_IDX_VALUE) {
            let slot = &program.slots[insn.imm as usize];
            insn.imm = maps.iter().position(|map| Arc::ptr_eq(map, slot)).unwrap() as i32;
        }
        result.extend([insn, insns.next().unwrap()]);
    }
    insn::encode(result)
}

/// Compiles one program per section name.
fn assemble(sections: &[String]) -> Vec<u8> {
    let mut source = String::from(".section license,\"aw\"\n.asciz \"GPL\"\n");
    for (index, section) in sections.iter().enumerate() {
        write!(
            source,
            ".section \"{section}\",\"ax\"\n.globl p{index}\n.type p{index},@function\np{index}: r0 = 0\nexit\n\
             .size p{index}, .-p{index}\n"
        )
        .unwrap();
    }
    let file = std::env::temp_dir().join(format!("bpfsig-sections-{}.s", std::process::id()));
    std::fs::write(&file, source).unwrap();
    let bytes = clang(&file);
    std::fs::remove_file(file).unwrap();
    bytes
}

/// libbpf lists its section names in the message for one that it does not know.
fn section_names() -> Vec<String> {
    static MESSAGES: Mutex<String> = Mutex::new(String::new());
    libbpf_rs::set_print(Some((libbpf_rs::PrintLevel::Debug, |_, text| {
        MESSAGES.lock().unwrap().push_str(&text)
    })));
    let (mut prog_type, mut attach_type) = (0, 0);
    // SAFETY: the name is a C string, the results are written to local variables.
    let found = unsafe { sys::libbpf_prog_type_by_name(c"none".as_ptr(), &mut prog_type, &mut attach_type) };
    assert!(found < 0);
    libbpf_rs::set_print(None);
    let messages = MESSAGES.lock().unwrap();
    let (_, names) =
        messages.split_once("supported section(type) names are:").expect("libbpf's message has changed");
    names.split_whitespace().map(str::to_owned).collect()
}

fn clang(source: &Path) -> Vec<u8> {
    let output = Command::new("clang")
        .args(["-target", "bpf", "-O2", "-g", "-mcpu=v3", "-c", "-o", "-"])
        .arg(format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH))
        .arg(source)
        .output()
        .expect("clang must be installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_corpus_is_linked_as_libbpf_links_it() {
    for (name, bytes) in corpus::objects() {
        compare(name, bytes);
    }
}

/// By other compilers, of other versions, and for an older libbpf.
#[test]
fn objects_of_other_people_are_linked_as_libbpf_links_them() {
    for (name, bytes) in xdp_tools::objects() {
        compare(&name, &bytes);
    }
}

#[test]
fn subprograms_are_linked_as_libbpf_links_them() {
    let bytes = compile_and_compare("link.bpf.c");

    let object = Object::parse(&bytes).unwrap();
    let relocations = object.programs().iter().map(|program| program.core_relos.count());
    assert_eq!(relocations.collect::<Vec<_>>(), [0, 1, 0]);
}

#[test]
fn maps_are_read_as_libbpf_reads_them() {
    let bytes = compile_and_compare("maps.bpf.c");

    let object = Object::parse(&bytes).unwrap();
    let slots: Vec<_> = object.programs().iter().map(|program| program.slots.len()).collect();
    assert_eq!(slots, [7, 9, 0]);
}

#[test]
fn externs_are_what_libbpf_makes_of_them() {
    compile_and_compare("externs.bpf.c");
}

#[test]
fn addresses_are_described_as_libbpf_describes_them() {
    compile_and_compare("addresses.bpf.c");
}

#[test]
fn initial_entries_make_no_difference_to_programs_and_maps() {
    let bytes = compile_and_compare("entries.bpf.c");

    let object = Object::parse(&bytes).unwrap();
    let map = |name: &str| object.maps().iter().position(|map| map.name == name).unwrap();
    let mut expected = [
        ("array", 1, Initial::Map(map("second"))),
        ("array", 4, Initial::Map(map("first"))),
        ("hash", 7, Initial::Map(map("first"))),
    ]
    .map(|(name, index, value)| InitialEntry { map: map(name), index, value });
    expected.sort_by_key(|entry| (entry.map, entry.index));
    assert_eq!(object.entries(), expected);
}

/// libbpf shows the initial value of a table with the addresses of its own programs in it.
#[test]
fn struct_ops_are_read_as_libbpf_reads_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/struct_ops.bpf.c");
    let bytes = clang(&source);
    let object = Object::parse(&bytes).unwrap();
    assert_eq!(object.struct_ops().len(), 2);
    for table in object.struct_ops() {
        let mut data = table.data.clone();
        // SAFETY: the object is closed at the end, and each pointer comes with its length.
        unsafe {
            let libbpf = sys::bpf_object__open_mem(bytes.as_ptr().cast(), bytes.len() as _, ptr::null());
            assert!(!libbpf.is_null());
            let name = std::ffi::CString::new(table.name.as_str()).unwrap();
            let map = sys::bpf_object__find_map_by_name(libbpf, name.as_ptr());
            assert_eq!(sys::bpf_map__map_flags(map) & F_LINK != 0, table.is_link);
            for member in &table.members {
                let Some(program) = member.program else { continue };
                let name = std::ffi::CString::new(object.programs()[program].name.as_str()).unwrap();
                let program = sys::bpf_object__find_program_by_name(libbpf, name.as_ptr());
                data[member.offset as usize..][..8].copy_from_slice(&(program as u64).to_ne_bytes());
            }
            let mut size = 0;
            let value = sys::bpf_map__initial_value(map, &mut size);
            assert_eq!(data, copy(value.cast::<u8>(), size as usize), "{}", table.name);
            sys::bpf_object__close(libbpf);
        }
    }
}

#[test]
fn sections_mean_what_they_mean_to_libbpf() {
    let names = section_names();
    assert!(names.len() > 100, "{names:?}");
    // Programs for struct_ops need a variable that they are in.
    let names = names.iter().filter(|name| !name.starts_with("struct_ops"));
    let sections: Vec<_> = names.map(|name| name.replace('+', "/target")).collect();
    let object = Object::parse(&assemble(&sections)).unwrap();
    assert_eq!(object.programs().len(), sections.len());
    for (program, section) in object.programs().iter().zip(&sections) {
        let name = std::ffi::CString::new(section.as_str()).unwrap();
        let (mut prog_type, mut attach_type) = (0, 0);
        // SAFETY: as above.
        let found = unsafe { sys::libbpf_prog_type_by_name(name.as_ptr(), &mut prog_type, &mut attach_type) };
        assert_eq!(found, 0, "{section}");
        assert_eq!((program.prog_type, program.expected_attach_type), (prog_type, attach_type), "{section}");
    }
}

#[test]
fn types_have_the_names_that_libbpf_gives_them() {
    let compare = |name: fn(u32) -> std::borrow::Cow<'static, str>,
                   libbpf: unsafe extern "C" fn(u32) -> *const std::ffi::c_char| {
        let mut number = 0;
        // SAFETY: any number is allowed, the result is null or a static C string.
        unsafe {
            while !libbpf(number).is_null() {
                let expected = std::ffi::CStr::from_ptr(libbpf(number)).to_str().unwrap();
                assert_eq!(name(number), expected);
                number += 1;
            }
        }
        // What is new in 7.3, only a newer libbpf knows.
        assert!(number > 30);
    };
    compare(map_type::name, sys::libbpf_bpf_map_type_str);
    compare(prog_type::name, sys::libbpf_bpf_prog_type_str);
    compare(attach_type::name, sys::libbpf_bpf_attach_type_str);
}

/// libbpf writes the BTF of a kernel and of a module that refers to it.
#[test]
fn a_modules_btf_is_read_with_the_kernels() {
    let raw = |btf| {
        let mut size = 0;
        // SAFETY: the BTF exists, the size is that of its data.
        unsafe { copy(sys::btf__raw_data(btf, &mut size).cast::<u8>(), size as usize) }
    };
    // SAFETY: both are freed at the end, the module's first; all names are C strings.
    let (kernel, module) = unsafe {
        let kernel = sys::btf__new_empty();
        let int = sys::btf__add_int(kernel, c"int".as_ptr(), 4, 1);
        let pair = sys::btf__add_struct(kernel, c"pair".as_ptr(), 8);
        sys::btf__add_field(kernel, c"first".as_ptr(), int, 0, 0);
        sys::btf__add_field(kernel, c"second".as_ptr(), int, 32, 0);
        assert_eq!((int, pair), (1, 2));

        let module = sys::btf__new_empty_split(kernel);
        let ops = sys::btf__add_struct(module, c"ops".as_ptr(), 28);
        let array = sys::btf__add_array(module, int, pair, 3);
        sys::btf__add_typedef(module, c"pair".as_ptr(), pair);
        assert_eq!((ops, array), (3, 4));
        let bytes = (raw(kernel), raw(module));
        sys::btf__free(module);
        sys::btf__free(kernel);
        bytes
    };
    let kernel = Arc::new(Btf::parse(&kernel[..]).unwrap());
    let module = Btf::parse_split(&module[..], kernel.clone()).unwrap();
    assert_eq!(kernel.find(kind::STRUCT, "pair"), Some(2));
    assert_eq!(kernel.find(kind::STRUCT, "ops"), None);
    assert_eq!(module.find(kind::STRUCT, "ops"), Some(3));
    assert_eq!(module.find(kind::STRUCT, "pair"), None, "that is the kernel's");
    assert_eq!(module.find(kind::TYPEDEF, "pair"), Some(5));
    assert_eq!((module.name(2), module.name(3), module.name(5)), (Ok("pair"), Ok("ops"), Ok("pair")));
    assert_eq!((module.size(2), module.size(4), module.size(5)), (Some(8), Some(24), Some(8)));
    assert!(module.name(6).is_err() && kernel.name(3).is_err());

    // Through the module's typedef.
    let (name, members) = module.structure(5).unwrap();
    let members: Vec<_> = members.iter().map(|m| (m.name, m.type_id, m.offset, m.is_bit_field)).collect();
    assert_eq!((name, members), ("pair", vec![("first", 1, 0, false), ("second", 1, 4, false)]));
}

/// The largest BTF that there is, where the kernel has it.
#[test]
fn the_kernels_btf_is_read_as_libbpf_reads_it() {
    const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
    let Ok(bytes) = std::fs::read(VMLINUX) else { return };
    let btf = Btf::parse(bytes).unwrap();
    let path = std::ffi::CString::new(VMLINUX).unwrap();
    // SAFETY: it is freed at the end, the names live as long; ids are below the count.
    unsafe {
        let libbpf = sys::btf__parse(path.as_ptr(), ptr::null_mut());
        let count = sys::btf__type_cnt(libbpf);
        for id in 1..count {
            let name_offset = (*sys::btf__type_by_id(libbpf, id)).name_off;
            let name = sys::btf__name_by_offset(libbpf, name_offset);
            assert_eq!(btf.name(id).unwrap(), std::ffi::CStr::from_ptr(name).to_str().unwrap());
            let size = sys::btf__resolve_size(libbpf, id);
            assert_eq!(btf.size(id), u32::try_from(size).ok(), "type {id}");
        }
        assert!(btf.name(count).is_err());
        for (kind, name) in [(kind::STRUCT, c"task_struct"), (kind::FUNC, c"tcp_connect")] {
            let expected = sys::btf__find_by_name_kind(libbpf, name.as_ptr(), kind);
            assert_eq!(btf.find(kind, name.to_str().unwrap()), u32::try_from(expected).ok());
        }
        sys::btf__free(libbpf);
    }
}
