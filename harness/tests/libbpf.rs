//! Compares load-invariant form with what libbpf makes of the same object.
//!
//! When libbpf generates a loader program, it does everything that does not depend on the host, makes no system call,
//! and leaves the result for inspection.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::{ptr, slice};

use bpfsig_signing::insn::{self, LD_IMM64, PSEUDO_MAP_IDX, PSEUDO_MAP_IDX_VALUE};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::names;
use bpfsig_signing::object::{Initial, InitialEntry, Object};
use bpfsig_signing::program::Program;
use libbpf_rs::libbpf_sys as sys;

/// Path of the source and bytes of the object.
const OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

/// What libbpf would load.
struct Expected {
    programs: Vec<Program>,
    maps: Vec<MapDefinition>,
    btf: Vec<u8>,
}

fn libbpf(bytes: &[u8]) -> Expected {
    // SAFETY: the object is closed after everything that belongs to it has been copied, and each pointer comes with
    // its length.
    unsafe {
        let object = sys::bpf_object__open_mem(bytes.as_ptr().cast(), bytes.len() as _, ptr::null());
        assert!(!object.is_null(), "libbpf does not open the object");
        // Loading gives up the inner maps.
        let mut maps = Vec::new();
        let mut map = sys::bpf_object__next_map(object, ptr::null_mut());
        while !map.is_null() {
            maps.push(expected_map(map));
            map = sys::bpf_object__next_map(object, map);
        }
        let mut options =
            sys::gen_loader_opts { sz: size_of::<sys::gen_loader_opts>() as _, ..Default::default() };
        assert_eq!(sys::bpf_object__gen_loader(object, &mut options), 0);
        assert_eq!(sys::bpf_object__load(object), 0);

        // For some types of maps, loading gives up the type ids.
        let mut map = ptr::null_mut();
        for expected in &mut maps {
            map = sys::bpf_object__next_map(object, map);
            expected.btf_key_type_id = sys::bpf_map__btf_key_type_id(map);
            expected.btf_value_type_id = sys::bpf_map__btf_value_type_id(map);
        }

        let mut programs = Vec::new();
        let mut program = sys::bpf_object__next_program(object, ptr::null_mut());
        while !program.is_null() {
            programs.push(expected_program(program));
            program = sys::bpf_object__next_program(object, program);
        }
        let mut size = 0;
        let btf = sys::btf__raw_data(sys::bpf_object__btf(object), &mut size);
        let btf = copy(btf, size as usize);
        sys::bpf_object__close(object);
        Expected { programs, maps, btf }
    }
}

/// # Safety
/// `map` must belong to an object that is neither loaded nor closed.
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
            contents: if value.is_null() { Vec::new() } else { copy(value.cast::<u8>(), size as usize) },
            frozen: sys::bpf_map__is_internal(map) && sys::bpf_map__map_flags(map) & F_RDONLY_PROG != 0,
        }
    }
}

/// `BPF_F_LINK`.
const F_LINK: u32 = 1 << 13;
/// `BPF_F_RDONLY_PROG`.
const F_RDONLY_PROG: u32 = 1 << 7;

/// # Safety
/// `program` must belong to an object that is loaded and not closed.
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
/// `start` must point to `count` initialised elements without padding.
unsafe fn copy<T>(start: *const T, count: usize) -> Vec<u8> {
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(start.cast::<u8>(), count * size_of::<T>()).to_vec() }
}

fn compare(name: &str, bytes: &[u8]) {
    let expected = libbpf(bytes);
    let object = Object::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(object.programs().len(), expected.programs.len(), "{name}");
    for (program, expected) in object.programs().iter().zip(&expected.programs) {
        let label = format!("{name}: {}", program.name);
        assert_eq!(program.name, expected.name, "{label}");
        assert_eq!(program.prog_type, expected.prog_type, "{label}");
        assert_eq!(program.expected_attach_type, expected.expected_attach_type, "{label}");
        let insns = with_object_indexes(program, object.maps());
        assert_eq!(insns, expected.insns, "{label}: instructions");
        assert_eq!(program.func_info, expected.func_info, "{label}: func_info");
        assert_eq!(program.line_info, expected.line_info, "{label}: line_info");
    }
    assert_eq!(object.maps().len(), expected.maps.len(), "{name}");
    for (map, expected) in object.maps().iter().zip(&expected.maps) {
        compare_map(map, expected, &format!("{name}: {}", map.name));
    }
    let btf = object.programs()[0].btf.as_deref().unwrap();
    assert_eq!(btf, expected.btf, "{name}: BTF");
}

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
    for (name, bytes) in OBJECTS {
        compare(name, bytes);
    }
}

/// Straight from the compiler: the objects of the corpus went through libbpf's linker.
#[test]
fn subprograms_are_linked_as_libbpf_links_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/link.bpf.c");
    let bytes = clang(&source);
    compare("link.bpf.c", &bytes);

    let object = Object::parse(&bytes).unwrap();
    let relocations = object.programs().iter().map(|program| program.core_relos.count());
    assert_eq!(relocations.collect::<Vec<_>>(), [0, 1, 0]);
}

/// The objects of the corpus went through libbpf's linker, too.
#[test]
fn maps_are_read_as_libbpf_reads_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/maps.bpf.c");
    let bytes = clang(&source);
    compare("maps.bpf.c", &bytes);

    let object = Object::parse(&bytes).unwrap();
    let slots: Vec<_> = object.programs().iter().map(|program| program.slots.len()).collect();
    assert_eq!(slots, [7, 9, 0]);
}

#[test]
fn externs_are_what_libbpf_makes_of_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/externs.bpf.c");
    let bytes = clang(&source);
    compare("externs.bpf.c", &bytes);
}

#[test]
fn initial_entries_make_no_difference_to_programs_and_maps() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/entries.bpf.c");
    let bytes = clang(&source);
    compare("entries.bpf.c", &bytes);

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
        assert_eq!(name(number), number.to_string(), "libbpf does not know it");
        assert!(number > 30);
    };
    compare(names::map_type, sys::libbpf_bpf_map_type_str);
    compare(names::prog_type, sys::libbpf_bpf_prog_type_str);
}
