//! What a signer leaves to those who load a program, within a range.

use std::os::fd::AsFd;
use std::process::Output;
use std::sync::Arc;

use bpfsig_loading::{self as bpf, Error, OpenObject};
use bpfsig_signing::embed;
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::object::{Object, annotate};
use bpfsig_signing::parameter::{Parameter, Place, Range};
use bpfsig_signing::program::Program;
use nix::errno::Errno;

use crate::attested::{self, Subject};
use crate::keys::signer;
use crate::load::{self, load, load_btf};
use crate::loaded_object::{compile, open, sign};
use crate::machine;

/// The sum of the constants as they are built.
const AS_BUILT: u32 = 7 + 80 + 3;

fn object() -> Object {
    Object::parse(&compile("parameters")).unwrap()
}

fn opened(object: &Object) -> OpenObject {
    open(object, Some(sign(object)))
}

/// What both programs return.
fn sums(object: OpenObject) -> [u32; 2] {
    let loaded = object.load().unwrap_or_else(|error| panic!("{error:#}"));
    ["of_frame", "of_packet"].map(|name| {
        let program = loaded.program(name).unwrap();
        bpf::raw::test_run(program.as_fd(), &[0; 60], &[]).unwrap().retval
    })
}

/// The program for frames, with one of its maps changed after it has been signed, and the signature.
fn changed(map: &str, change: impl FnOnce(&mut MapDefinition)) -> (Program, Vec<u8>) {
    let mut program = object().programs()[0].clone();
    let signature = load::sign(&program, signer());
    let slot = program.slots.iter_mut().find(|slot| slot.name == map).unwrap();
    change(Arc::make_mut(slot));
    (program, signature)
}

/// The program with a value put into its constants past all checks of the tools.
fn with_value(name: &str, value: i128) -> (Program, Vec<u8>) {
    changed(".rodata", |rodata| {
        let found = rodata.parameters.iter().find(|parameter| parameter.name == name).unwrap();
        let all = Parameter { range: Range { min: i128::MIN, max: i128::MAX }, ..found.clone() };
        rodata.set_parameter(&all, value).unwrap();
    })
}

/// The program with a tag replaced by one of the same length.
fn tagged(tag: &str, other: &str) -> Program {
    assert_eq!(tag.len(), other.len());
    let mut program = object().programs()[0].clone();
    let mut btf = program.btf.unwrap().to_vec();
    let at = btf.windows(tag.len()).position(|bytes| bytes == tag.as_bytes()).unwrap();
    btf[at..at + tag.len()].copy_from_slice(other.as_bytes());
    program.btf = Some(btf.into());
    program
}

/// The same, signed.
fn with_tag(tag: &str, other: &str) -> (Program, Vec<u8>) {
    let program = tagged(tag, other);
    let signature = load::sign(&program, signer());
    (program, signature)
}

/// Its constants.
fn rodata(program: &mut Program) -> &mut MapDefinition {
    Arc::make_mut(program.slots.iter_mut().find(|slot| slot.name == ".rodata").unwrap())
}

#[test]
#[ignore = "needs the patched kernel"]
fn the_program_sees_what_was_chosen() {
    let object = object();
    assert_eq!(sums(opened(&object)), [AS_BUILT; 2]);
    for limit in [-5, 0, 100] {
        let mut chosen = opened(&object);
        chosen.set_parameter("limit", limit).unwrap();
        assert_eq!(sums(chosen), [(limit + 83) as u32; 2]);
    }
    let mut chosen = opened(&object);
    chosen.set_parameter("port", 60000).unwrap().set_parameter("doubled", true).unwrap();
    chosen.set_parameter("large", u64::MAX).unwrap().set_parameter("table", 21).unwrap();
    assert_eq!(sums(chosen), [2 * (7 + 60000 + 3 + 100_000) + 1000; 2]);
}

/// As libbpf's skeletons do it: bytes of the initial value.
#[test]
#[ignore = "needs the patched kernel"]
fn bytes_of_constants_can_be_set() {
    let mut chosen = opened(&object());
    let rodata = chosen.map_mut(".rodata").unwrap();
    let parameters = rodata.definition().parameters.iter();
    let place = parameters.clone().find(|parameter| parameter.name == "limit").unwrap().place;
    let Place::Contents(number) = place else { panic!() };
    let at = number.offset as usize;
    rodata.initial_value_mut().unwrap()[at..at + 4].copy_from_slice(&1i32.to_ne_bytes());
    assert_eq!(sums(chosen), [1 + 80 + 3; 2]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn values_out_of_range_are_refused_before_the_kernel_is_asked() {
    let mut object = opened(&object());
    let Error::OutOfRange(error) = object.set_parameter("limit", 101).unwrap_err() else { panic!() };
    assert_eq!((&*error.name, error.value, error.range), ("limit", 101, Range { min: -5, max: 100 }));
    assert!(matches!(object.set_parameter("table", 0), Err(Error::OutOfRange(_))));
    let error = object.set_parameter("fixed", 3).unwrap_err();
    assert!(error.to_string().starts_with("the object has no parameter `fixed`, only "), "{error}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn the_kernel_refuses_values_out_of_range() {
    for (name, value, reason) in [
        ("limit", 101, "parameter 'limit' is 101, not in -5..100"),
        ("limit", -6, "parameter 'limit' is -6, not in -5..100"),
        ("limit", i32::MIN.into(), "parameter 'limit' is -2147483648, not in -5..100"),
        ("port", 0, "parameter 'port' is 0, not in 1..60000"),
        ("port", 65535, "parameter 'port' is 65535, not in 1..60000"),
        ("doubled", 2, "parameter 'doubled' is 2, not in 0..1"),
        ("large", 0, "parameter 'large' is 0, not in 1..18446744073709551615"),
    ] {
        let (program, signature) = with_value(name, value);
        load(&program, Some(&signature)).refused(Errno::ERANGE as i32, reason);
        load(&program, None).accepted();
    }
    let (program, signature) = with_value("limit", 100);
    load(&program, Some(&signature)).accepted();
}

#[test]
#[ignore = "needs the patched kernel"]
fn all_other_bytes_of_constants_are_signed() {
    let object = object();
    let rodata = object.maps().iter().find(|map| map.name == ".rodata").unwrap();
    let is_parameter = |byte: usize| {
        rodata.parameters.iter().any(|parameter| match parameter.place {
            Place::Contents(number) => (number.offset..number.offset + number.size).contains(&(byte as u32)),
            Place::Size => false,
        })
    };
    let others: Vec<_> = (0..rodata.contents.len()).filter(|byte| !is_parameter(*byte)).collect();
    assert!(others.len() >= 4, "there is a constant that is none");
    for byte in others {
        let (program, signature) = changed(".rodata", |rodata| rodata.contents[byte] ^= 1);
        load(&program, Some(&signature))
            .refused(Errno::EKEYREJECTED as i32, "statement does not list program");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_size_may_be_other_if_it_is_tagged() {
    for size in [1, 64] {
        let (program, signature) = changed("table", |table| table.max_entries = size);
        load(&program, Some(&signature)).accepted();
    }
    for size in [65, 100_000] {
        let (program, signature) = changed("table", |table| table.max_entries = size);
        let reason = format!("size of 'table' is {size}, not in 1..64");
        load(&program, Some(&signature)).refused(Errno::ERANGE as i32, &reason);
    }
    let (program, signature) = changed("flows", |flows| flows.max_entries = 9);
    load(&program, Some(&signature)).refused(Errno::EKEYREJECTED as i32, "statement does not list program");
}

/// The parameters' range is part of what is signed, and so is which variables are parameters.
#[test]
#[ignore = "needs the patched kernel"]
fn tags_are_signed() {
    for other in ["bpf_param:-5:200", "Bpf_param:-5:100"] {
        let (program, _) = with_tag("bpf_param:-5:100", other);
        let signature = load::sign(&object().programs()[0], signer());
        load(&program, Some(&signature))
            .refused(Errno::EKEYREJECTED as i32, "statement does not list program");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn malformed_tags_are_refused() {
    for (tag, other) in [
        ("bpf_param:-5:100", "bpf_param:-5;100"),
        ("bpf_param:-5:100", "bpf_param:-5:1x0"),
        ("bpf_param:-5:100", "bpf_param::-5100"),
        ("bpf_param:-5:100", "bpf_param:100:-5"),
        ("bpf_param:-5:100", "bpf_param:0x5:10"),
        ("bpf_param:1:60000", "bpf_param:-1:6000"),
        ("bpf_param:1:64", "bpf_param:64:1"),
        ("bpf_param:1:18446744073709551615", "bpf_param:1:98446744073709551615"),
        ("bpf_param:1:18446744073709551615", "bpf_param:0000000000000000000000"),
    ] {
        let (program, signature) = with_tag(tag, other);
        load(&program, Some(&signature)).refused(Errno::EINVAL as i32, "makes no parameter");
        // It means nothing to whoever loads the program unsigned.
        load(&program, None).accepted();
    }
}

/// A digest that is kept with a map must not let a value pass, nor refuse one.
#[test]
#[ignore = "needs the patched kernel"]
fn programs_that_share_a_map_are_told_the_same() {
    for (limit, errno) in [(100, None), (101, Some(Errno::ERANGE as i32))] {
        let (program, signature) = with_value("limit", limit);
        let btf = load::load_btf(&program);
        let maps = bpf::raw::create_maps(&program, btf.as_ref().map(AsFd::as_fd)).unwrap();
        for _ in 0..3 {
            let outcome = load::load_onto(&program, &btf, &maps, Some(&signature), |_| {});
            assert_eq!(outcome.result.err(), errno, "{}", outcome.log);
        }
    }
}

/// What the verifier learns depends on the values, which the manifest leaves open.
#[test]
#[ignore = "needs the patched kernel"]
fn there_are_no_facts_about_programs_with_parameters() {
    let subject = Subject::new(object().programs()[0].clone());
    let program = subject.export().accepted();
    assert!(bpf::raw::facts(program.as_fd()).unwrap().is_empty());
    assert_eq!(attested::attested(program.as_fd()), bpf::Attested::Unsupported);
}

/// As `sign --parameter` does it.
#[test]
#[ignore = "needs the patched kernel"]
fn an_object_can_be_given_parameters_when_it_is_signed() {
    let ranges =
        [("fixed".to_owned(), Range { min: 3, max: 4 }), ("flows".to_owned(), Range { min: 1, max: 16 })];
    let object = Object::parse(&annotate(&compile("parameters"), &ranges).unwrap()).unwrap();
    let mut chosen = opened(&object);
    chosen.set_parameter("fixed", 4).unwrap().set_parameter("flows", 16).unwrap();
    assert_eq!(sums(chosen), [AS_BUILT + 1; 2]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn the_command_sets_parameters() {
    let bytes = compile("parameters");
    let signature = sign(&Object::parse(&bytes).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parameters.o");
    std::fs::write(&path, embed::write(&bytes, &signature, &[]).unwrap()).unwrap();
    let load = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let Output { status, stdout, stderr } =
            machine::bpfsig().arg("load").arg(&path).args(settings).output().unwrap();
        (status.code(), [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat())
    };
    let (status, output) = load(&["limit=-1", "table=64"]);
    assert_eq!(status, Some(0), "{output}");
    for (setting, message) in [
        ("limit=101", "parameter `limit` is to be 101, which is not in -5..100"),
        ("fixed=1", "the object has no parameter `fixed`, only "),
        ("limit=high", "`high` is not a number"),
        ("limit", "there is no `=` in it"),
    ] {
        let (status, output) = load(&[setting]);
        assert!(status != Some(0) && output.contains(message), "{output}");
    }
}

/// What is a constant to the signer is a parameter in the BTF of another load with the same map, which is refused. The kernel
/// must not remember the digest that it found then.
#[test]
#[ignore = "needs the patched kernel"]
fn a_load_does_not_decide_what_the_parameters_of_the_next_are() {
    let mut signed = tagged("bpf_param:0:1", "any_param:0:1");
    let all = rodata(&mut signed).parameters.clone();
    rodata(&mut signed).parameters.retain(|parameter| parameter.name != "doubled");
    let signature = load::sign(&signed, signer());
    let doubled = all.iter().find(|parameter| parameter.name == "doubled").unwrap();
    let mut changed = signed.clone();
    rodata(&mut changed).set_parameter(doubled, 1).unwrap();

    let btf = load_btf(&changed);
    let maps = bpf::raw::create_maps(&changed, btf.as_ref().map(AsFd::as_fd)).unwrap();
    let attackers = Program { btf: object().programs()[0].btf.clone(), ..changed.clone() };
    let refused = load::load_onto(&attackers, &load_btf(&attackers), &maps, Some(&signature), |_| {})
        .result
        .unwrap_err();
    assert!([libc::EINVAL, libc::EKEYREJECTED].contains(&refused), "{refused}");
    load::load_onto(&changed, &btf, &maps, Some(&signature), |_| {})
        .refused(libc::EKEYREJECTED, "statement does not list program");
}

/// The places of parameters are those in the program's BTF, whatever the map's says of its section.
#[test]
#[ignore = "needs the patched kernel"]
fn the_section_of_another_btf_is_refused() {
    let mut program = object().programs()[0].clone();
    let signature = load::sign(&program, signer());
    // As the manifest has them, though two must not be 0.
    for parameter in rodata(&mut program).parameters.clone() {
        let all = Parameter { range: Range { min: 0, max: 0 }, ..parameter };
        rodata(&mut program).set_parameter(&all, 0).unwrap();
    }
    let other = Some(bpf::raw::load_btf(&btf_of_section(rodata(&mut program).value_size)).unwrap());
    let own = load_btf(&program);
    let create = |slot: &MapDefinition| match &*slot.name {
        ".rodata" => {
            let slot = MapDefinition { btf_value_type_id: 4, ..slot.clone() };
            bpf::raw::create_map(&slot, other.as_ref().map(AsFd::as_fd)).unwrap()
        }
        _ => bpf::raw::create_map(slot, own.as_ref().map(AsFd::as_fd)).unwrap(),
    };
    let maps: Vec<_> = program.slots.iter().map(|slot| create(slot)).collect();
    load::load_onto(&program, &own, &maps, Some(&signature), |_| {})
        .refused(libc::EINVAL, "has types that the program's BTF has not");
}

/// A BTF with a section `.rodata` as its fourth type: one variable of that many bytes.
fn btf_of_section(size: u32) -> Vec<u8> {
    const STRINGS: &[u8] = b"\0char\0all\0.rodata\0";
    let [int, array, var, datasec] = [1, 3, 14, 15].map(|kind| kind << 24);
    let types: [u32; 20] = [
        1,
        int,
        1,
        8, // `char`, of 8 bits
        0,
        array,
        0,
        1,
        1,
        size, // an array of it
        6,
        var,
        2,
        1, // `all`, global
        10,
        datasec | 1,
        size,
        3,
        0,
        size, // where it is
    ];
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
    let (types_size, strings_size) = (types.len() as u32, STRINGS.len() as u32);
    // Magic, version 1, the size of the header; where types and strings are.
    let header = [0x0001_eb9f, 24, 0, types_size, types_size, strings_size];
    let header = header.iter().flat_map(|word| word.to_le_bytes());
    header.chain(types).chain(STRINGS.iter().copied()).collect()
}
