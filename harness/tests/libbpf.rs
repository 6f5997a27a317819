//! Compares load-invariant form with what libbpf makes of the same object.
//!
//! When libbpf generates a loader program, it does everything that does not depend on the host, makes no system call,
//! and leaves the result for inspection.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::{ptr, slice};

use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use libbpf_rs::libbpf_sys as sys;

/// Path of the source and bytes of the object.
const OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

/// What libbpf would load.
struct Expected {
    programs: Vec<Program>,
    btf: Vec<u8>,
}

fn libbpf(bytes: &[u8]) -> Expected {
    // SAFETY: the object is closed after everything that belongs to it has been copied, and each pointer comes with
    // its length.
    unsafe {
        let object = sys::bpf_object__open_mem(bytes.as_ptr().cast(), bytes.len() as _, ptr::null());
        assert!(!object.is_null(), "libbpf does not open the object");
        let mut options =
            sys::gen_loader_opts { sz: size_of::<sys::gen_loader_opts>() as _, ..Default::default() };
        assert_eq!(sys::bpf_object__gen_loader(object, &mut options), 0);
        assert_eq!(sys::bpf_object__load(object), 0);

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
        Expected { programs, btf }
    }
}

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
        assert_eq!(program.insns, expected.insns, "{label}: instructions");
        assert_eq!(program.func_info, expected.func_info, "{label}: func_info");
        assert_eq!(program.line_info, expected.line_info, "{label}: line_info");
    }
    let btf = object.programs()[0].btf.as_deref().unwrap();
    assert_eq!(btf, expected.btf, "{name}: BTF");
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
