use std::sync::Arc;

use bpfsig_signing::description::Description;
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::program::{Attach, Program, Records};

use crate::manifest::program;

/// What is said about a program that was changed after it had been signed.
fn differences(change: impl FnOnce(&mut Program)) -> Vec<String> {
    let signed = Description::of(&program()).unwrap();
    let mut program = program();
    change(&mut program);
    let changed = Description::of(&program).unwrap();
    let lines: Vec<_> = changed.differences(&signed).iter().map(ToString::to_string).collect();
    assert_eq!(lines.is_empty(), changed.digest() == signed.digest(), "{lines:?}");
    lines
}

fn change_map(program: &mut Program, slot: usize, change: impl FnOnce(&mut MapDefinition)) {
    change(Arc::make_mut(&mut program.slots[slot]));
}

#[test]
fn each_field_has_its_line() {
    let target = |object: &str, name: &str| Attach::KernelType {
        btf: object.into(),
        name: name.into(),
        member: String::new(),
    };
    type Change = Box<dyn FnOnce(&mut Program)>;
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(|program| program.name = "other".into()), "name `other`, signed `a_rather_long_n`"),
        (Box::new(|program| program.prog_type = 6), "type xdp, signed tracing"),
        (Box::new(|program| program.expected_attach_type = 37), "expected_attach_type 37, signed 24"),
        (Box::new(|program| program.flags = 0), "flags 0x0, signed 0x10"),
        (Box::new(|program| program.license = "MIT".into()), "license `MIT`, signed `GPL`"),
        (
            Box::new(move |program| program.attach = target("nf_tables", "tcp_close")),
            "attach target nf_tables:tcp_close, signed vmlinux:tcp_connect",
        ),
        (
            Box::new(|program| program.attach = Attach::Program { name: "f".into() }),
            "attach target f of a program, signed vmlinux:tcp_connect",
        ),
        (Box::new(|program| program.attach = Attach::None), "attach target none, signed vmlinux:tcp_connect"),
        (Box::new(|program| program.insns[4] = 1), "instructions differ"),
        (Box::new(|program| program.insns.extend([0; 8])), "instructions differ (3, signed 2)"),
        (
            Box::new(|program| program.btf = Some(Arc::from(*b"other types"))),
            "bytes of BTF differ (11, signed 5)",
        ),
        (Box::new(|program| program.func_info.bytes[0] = 9), "func_info records differ"),
        (Box::new(|program| program.core_relos.bytes[0] = 9), "CO-RE records differ"),
        (
            Box::new(|program| change_map(program, 0, |map| map.max_entries = 1024)),
            "slot 0 `nested`: max_entries 1024, signed 100",
        ),
        (
            Box::new(|program| change_map(program, 0, |map| map.map_type = 12)),
            "slot 0 `nested`: type array_of_maps, signed hash_of_maps",
        ),
        (
            Box::new(|program| {
                change_map(program, 0, |map| map.inner.as_mut().unwrap().value_size = 8);
            }),
            "slot 0 `nested.inner`: value_size 8, signed 16",
        ),
        (
            Box::new(|program| change_map(program, 1, |map| map.name = "other".into())),
            "slot 1 `other`: name `other`, signed `.rodata`",
        ),
        (
            Box::new(|program| change_map(program, 1, |map| map.contents[0] = b'C')),
            "slot 1 `.rodata`: contents differ",
        ),
        (
            Box::new(|program| change_map(program, 1, |map| map.frozen = false)),
            "slot 1 `.rodata`: constant contents no, signed yes",
        ),
        (Box::new(|program| program.slots.truncate(1)), "slots 1, signed 2"),
    ];
    for (change, line) in cases {
        assert_eq!(differences(change), [line]);
    }
}

#[test]
fn several_differences_are_all_listed() {
    let lines = differences(|program| {
        program.core_relos = Records::default();
        change_map(program, 0, |map| map.inner = None);
        change_map(program, 0, |map| map.flags = 0);
    });
    assert_eq!(
        lines,
        [
            "core_relo_rec_size 0, signed 16",
            "CO-RE records differ (0, signed 1)",
            "slot 0 `nested`: flags 0x0, signed 0x1",
            "slot 0 `nested`: inner map no, signed yes",
        ]
    );
}

#[test]
fn what_is_not_signed_makes_no_difference() {
    assert!(differences(|program| program.line_info = Records::default()).is_empty());
    assert!(differences(|program| change_map(program, 0, |map| map.contents = vec![1])).is_empty());
}

#[test]
fn a_program_is_compared_with_its_namesake() {
    let described = |name: &str, prog_type| {
        Description::of(&Program { name: name.into(), prog_type, ..program() }).unwrap()
    };
    let signed = [described("other", 6), described("same", 26), described("same", 6)];
    assert_eq!(described("same", 6).counterpart(&signed), Some(&signed[2]));
    assert_eq!(described("unknown", 6).counterpart(&signed), None);
}
