use std::sync::Arc;

use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::parameter::{Number, Parameter, Place, Range};
use bpfsig_signing::program::{Attach, Program, Records};
use bpfsig_signing::{Digest, Error, manifest::Manifest};

use crate::openssl::Dir;

/// `r0 = 0; exit`
const INSNS: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

pub fn program() -> Program {
    Program {
        name: "a_rather_long_name".into(),
        section: "fentry/tcp_connect".into(),
        prog_type: 26,
        expected_attach_type: 24,
        flags: 1 << 4,
        license: "GPL".into(),
        attach: Attach::KernelType {
            btf: "vmlinux".into(),
            name: "tcp_connect".into(),
            member: String::new(),
        },
        insns: INSNS.into(),
        btf: Some(Arc::from(*b"types")),
        func_info: Records { record_size: 8, bytes: (0..16).collect() },
        line_info: Records { record_size: 16, bytes: vec![1; 16] },
        core_relos: Records { record_size: 16, bytes: (100..116).collect() },
        slots: vec![Arc::new(nested()), Arc::new(constants())],
    }
}

/// A hash of arrays.
fn nested() -> MapDefinition {
    let array = MapDefinition {
        name: "nested.inner".into(),
        map_type: 2,
        key_size: 4,
        value_size: 16,
        max_entries: 10,
        btf_key_type_id: 3,
        btf_value_type_id: 4,
        ..MapDefinition::default()
    };
    MapDefinition {
        name: "nested".into(),
        map_type: 13,
        key_size: 8,
        value_size: 4,
        max_entries: 100,
        flags: 1,
        inner: Some(Box::new(array)),
        ..MapDefinition::default()
    }
}

/// As libbpf makes it of global constants.
fn constants() -> MapDefinition {
    MapDefinition {
        name: ".rodata".into(),
        map_type: 2,
        key_size: 4,
        value_size: 9,
        max_entries: 1,
        flags: 0x480,
        btf_value_type_id: 5,
        contents: b"constants".to_vec(),
        frozen: true,
        ..MapDefinition::default()
    }
}

fn manifest_of(change: impl FnOnce(&mut Program)) -> Manifest {
    let mut program = program();
    change(&mut program);
    Manifest::of(&program).unwrap()
}

fn sha256(data: &[u8]) -> Digest {
    let dir = Dir::new();
    dir.write("data", data);
    dir.openssl("dgst -sha256 -binary -out digest data");
    Digest(dir.read("digest").try_into().unwrap())
}

/// With the size of one map and a number among the constants left to whoever loads it.
fn program_with_parameters() -> Program {
    let parameter = |name: &str, range, place| Parameter { name: name.into(), range, place };
    let number = Number { offset: 2, size: 4, is_signed: false };
    let mut nested = nested();
    nested.parameters = vec![parameter("nested", Range { min: 1, max: 1000 }, Place::Size)];
    let mut constants = constants();
    let range = Range { min: 0, max: u32::MAX.into() };
    constants.parameters = vec![parameter("limit", range, Place::Contents(number))];
    Program { slots: vec![Arc::new(nested), Arc::new(constants)], ..program() }
}

/// `tests/data/manifest.py` lays out the same programs by itself.
#[test]
fn layout_is_the_one_that_python_makes() {
    let hex = |program: &Program| {
        let bytes = Manifest::of(program).unwrap().to_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let expected: Vec<_> = include_str!("../data/manifest.hex").lines().collect();
    assert_eq!([hex(&program()), hex(&program_with_parameters())], *expected);
}

#[test]
fn values_of_parameters_are_not_signed() {
    let program = program_with_parameters();
    let digest = |change: &dyn Fn(usize, &mut MapDefinition)| {
        let mut program = program.clone();
        for (index, slot) in program.slots.iter_mut().enumerate() {
            change(index, Arc::make_mut(slot));
        }
        Manifest::of(&program).unwrap().digest()
    };
    let signed = digest(&|_, _| {});
    let chosen = digest(&|index, map| {
        let parameter = map.parameters[0].clone();
        map.set_parameter(&parameter, [1000, 1 << 31][index]).unwrap();
    });
    assert_eq!(chosen, signed);
    assert_ne!(digest(&|index, map| map.contents.iter_mut().take(index).for_each(|byte| *byte ^= 1)), signed);
    assert_ne!(digest(&|_, map| map.parameters.clear()), signed);
}

#[test]
fn digests_are_those_that_openssl_computes() {
    let manifest = Manifest::of(&program()).unwrap();
    assert_eq!(manifest.insns_sha256, sha256(&INSNS));
    assert_eq!(manifest.names_sha256, sha256(b"GPL\0vmlinux\0tcp_connect\0\0"));
    assert_eq!(manifest.btf_sha256, sha256(b"types"));
    assert_eq!(manifest.digest(), sha256(&manifest.to_bytes()));
}

#[test]
fn what_is_absent_is_zero() {
    let manifest =
        Manifest::of(&Program { prog_type: 6, insns: INSNS.into(), ..Program::default() }).unwrap();
    for digest in [manifest.btf_sha256, manifest.func_info_sha256, manifest.core_relos_sha256] {
        assert_eq!(digest, Digest::ZERO);
    }
    assert_eq!((manifest.attach_kind, manifest.btf_size, manifest.slot_cnt), (0, 0, 0));
    assert_eq!(manifest.names_sha256, sha256(&[0; 4]));
    assert_eq!(manifest.slots_sha256, Digest::ZERO);

    let empty = manifest_of(|program| program.core_relos = Records { record_size: 16, bytes: vec![] });
    assert_eq!((empty.core_relo_rec_size, empty.core_relo_cnt), (0, 0));
}

#[test]
fn names_are_cut_as_the_kernel_cuts_them() {
    assert_eq!(&manifest_of(|_| ()).prog_name, b"a_rather_long_n\0");
    let license = |length| manifest_of(|program| program.license = "x".repeat(length)).names_sha256;
    assert_eq!(license(127), license(128));
    assert_ne!(license(126), license(127));
}

#[test]
fn what_a_host_decides_is_left_out() {
    assert_eq!(manifest_of(|program| program.flags |= 1 << 16), manifest_of(|_| ()));
    assert_eq!(manifest_of(|program| program.line_info = Records::default()), manifest_of(|_| ()));
    let struct_ops = |index| {
        manifest_of(|program| {
            program.prog_type = 27;
            program.expected_attach_type = index;
        })
    };
    assert_eq!(struct_ops(3), struct_ops(0));
}

#[test]
fn the_attach_target_is_bound() {
    let to = |attach: Attach| manifest_of(|program| program.attach = attach);
    let member = |member: &str| Attach::KernelType {
        btf: "vmlinux".into(),
        name: "tcp_congestion_ops".into(),
        member: member.into(),
    };
    let function = |name: &str| Attach::Program { name: name.into() };
    let kinds = [to(Attach::None), to(member("init")), to(function("f"))].map(|m| m.attach_kind);
    assert_eq!(kinds, [0, 1, 2]);
    assert_eq!(to(member("init")).names_sha256, sha256(b"GPL\0vmlinux\0tcp_congestion_ops\0init\0"));
    assert_eq!(to(function("f")).names_sha256, sha256(b"GPL\0\0f\0\0"));
}

#[test]
fn programs_that_no_signature_covers_are_refused() {
    let refuse = |change: fn(&mut Program)| {
        let mut program = program();
        change(&mut program);
        assert!(matches!(Manifest::of(&program), Err(Error::Program { .. })), "{program:?}");
    };
    refuse(|program| program.insns.clear());
    refuse(|program| program.insns.truncate(15));
    refuse(|program| program.func_info.bytes.truncate(15));
    refuse(|program| program.core_relos.record_size = 0);
    refuse(|program| program.license = "GPL\0v2".into());
    refuse(|program| program.name = "a\0b".into());
    refuse(|program| program.name = "a$".into());
    refuse(|program| program.attach = Attach::Program { name: "a\0b".into() });
    refuse(|program| program.func_info = Records::default());
}
