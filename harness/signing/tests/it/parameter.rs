//! Parameters of objects, by tags in the source and by `annotate`.

use std::sync::Arc;

use bpfsig_signing::description::Description;
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::object::{Object, Remark, annotate};
use bpfsig_signing::parameter::{Number, Parameter, Place, Range};

use crate::compilers;

/// What follows the constants and maps, which it uses: their names.
fn source(variables: &str, used: &[&str]) -> String {
    let uses: String = used.iter().map(|name| format!("use((void *)&{name}); ")).collect();
    format!(
        r#"
        #define PARAM(range) __attribute__((btf_decl_tag("bpf_param:" range)))
        static void (*use)(void *) = (void *)1;
        {variables}
        SEC("xdp") int program(void *context) {{ {uses} return 2; }}
        "#
    )
}

fn object(variables: &str, used: &[&str]) -> Result<Object, String> {
    Object::parse(&compilers::ebpf(&source(variables, used))).map_err(|error| error.to_string())
}

fn parameters(object: &Object) -> Vec<Parameter> {
    let mut parameters: Vec<_> = object.maps().iter().flat_map(|map| map.parameters.clone()).collect();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    parameters
}

const CONSTANTS: [&str; 6] = ["byte", "flag", "level", "limit", "other", "port"];
const TAGGED: &str = r#"
    enum level { LOW, HIGH = 2 };
    typedef unsigned short port_t;
    const volatile signed char byte PARAM("-128:127") = -3;
    const volatile _Bool flag PARAM("0:1") = 1;
    const volatile enum level level PARAM("0:2") = HIGH;
    const volatile unsigned long long limit PARAM("5:18446744073709551615") = 7;
    const volatile int other = 9;
    static const volatile port_t port PARAM("1:65535") = 80;
"#;

#[test]
fn tags_make_parameters_of_constants() {
    let object = object(TAGGED, &CONSTANTS).unwrap();
    let rodata = object.maps().iter().find(|map| map.name == ".rodata").unwrap();
    let found: Vec<_> = parameters(&object)
        .iter()
        .map(|parameter| {
            let Place::Contents(Number { size, is_signed, .. }) = parameter.place else { panic!() };
            let value = rodata.parameter_value(parameter);
            format!("{} {size} {is_signed} {} {value}", parameter.name, parameter.range)
        })
        .collect();
    assert_eq!(
        found,
        [
            "byte 1 true -128..127 -3",
            "flag 1 false 0..1 1",
            "level 4 false 0..2 2",
            "limit 8 false 5..18446744073709551615 7",
            "port 2 false 1..65535 80",
        ]
    );
}

#[test]
fn only_what_is_tagged_may_be_other() {
    let program = &object(TAGGED, &CONSTANTS).unwrap().programs()[0].clone();
    let digest = |change: &dyn Fn(&mut MapDefinition)| {
        let mut program = program.clone();
        let rodata = program.slots.iter_mut().find(|map| map.name == ".rodata").unwrap();
        change(Arc::make_mut(rodata));
        Description::of(&program).unwrap().digest()
    };
    let signed = digest(&|_| {});
    let is_parameter = |byte: usize, rodata: &MapDefinition| {
        rodata.parameters.iter().any(|parameter| match parameter.place {
            Place::Contents(Number { offset, size, .. }) => (offset..offset + size).contains(&(byte as u32)),
            Place::Size => false,
        })
    };
    let rodata = program.slots.iter().find(|map| map.name == ".rodata").unwrap();
    for byte in 0..rodata.contents.len() {
        let other = digest(&|rodata| rodata.contents[byte] ^= 1);
        assert_eq!(other == signed, is_parameter(byte, rodata), "byte {byte}");
    }
}

#[test]
fn a_tag_makes_a_parameter_of_the_size_of_a_map() {
    let map = |entries: &str| {
        let source = format!(
            r#"struct {{ int (*type)[1]; {entries} int *key; long *value; }} flows SEC(".maps") PARAM("1:4096");"#
        );
        object(&source, &["flows"]).unwrap()
    };
    let (eight, none) = (map("int (*max_entries)[8];"), map(""));
    let size = Parameter { name: "flows".into(), range: Range { min: 1, max: 4096 }, place: Place::Size };
    assert_eq!(parameters(&eight), [size]);
    let slot = |object: &Object| Description::of(&object.programs()[0]).unwrap().slots.remove(0).map;
    assert_eq!((slot(&eight).max_entries, slot(&none).max_entries), (0, 0));
    let [Remark::Parameter { value: 8, .. }] = eight.remarks() else { panic!("{:?}", eight.remarks()) };
    let [remark] = none.remarks() else { panic!("{:?}", none.remarks()) };
    assert_eq!(
        remark.to_string(),
        "size of map `flows`: 1..4096, for whoever loads it to choose; 0 in the object, so that it has to be chosen"
    );
    assert!(!remark.is_warning());
}

#[test]
fn tags_that_make_no_parameter_are_refused() {
    let map = |name: &str, members: &str, tag: &str| {
        format!(r#"struct {{ {members} }} {name} SEC(".maps") PARAM("{tag}");"#)
    };
    let array = "int (*type)[1]; int (*max_entries)[8]; int *key; long *value;";
    let long = map("a_map_of_that_name", array, "1:2");
    let prefix = map("a_map_of_15_cha", array, "1:2")
        + &map("a_map_of_15_characters", array, "1:2").replace("PARAM(\"1:2\")", "");
    let bits = "union { int whole; struct { int part : 3; } parts; }";
    for (variables, used, message) in [
        (
            r#"const volatile int x PARAM("1") = 1;"#,
            "x",
            "`x` has a tag that is not `bpf_param:MIN:MAX` with two numbers",
        ),
        (
            r#"const volatile int x PARAM("2:1") = 1;"#,
            "x",
            "`x` has a tag that is not `bpf_param:MIN:MAX` with two numbers",
        ),
        (r#"const volatile int x PARAM("1:2") PARAM("1:3") = 1;"#, "x", "`x` has two ranges"),
        (
            r#"const volatile int x[2] PARAM("1:2") = {1};"#,
            "x",
            "`x` has a type that is not a number of 1, 2, 4 or 8 bytes",
        ),
        (
            &format!(r#"const volatile {bits} x PARAM("1:2") = {{1}};"#),
            "x",
            "`x` has a type that is not a number of 1, 2, 4 or 8 bytes",
        ),
        (
            r#"const volatile __int128 x PARAM("1:2") = 1;"#,
            "x",
            "`x` has a type that is not a number of 1, 2, 4 or 8 bytes",
        ),
        (
            r#"const volatile char x PARAM("0:128") = 1;"#,
            "x",
            "`x` can be -128..127 by its type, which 0..128 exceeds",
        ),
        (
            r#"const volatile unsigned x PARAM("-1:128") = 1;"#,
            "x",
            "`x` can be 0..4294967295 by its type, which -1..128 exceeds",
        ),
        (r#"int x PARAM("1:2") = 1;"#, "x", "`x` is neither in `.rodata` nor a map in `.maps`"),
        (r#"int x PARAM("1:2");"#, "x", "`x` is neither in `.rodata` nor a map in `.maps`"),
        (
            &long,
            "a_map_of_that_name",
            "`a_map_of_that_name` has more than 15 characters, and the kernel knows maps by the first 15",
        ),
        (
            &prefix,
            "a_map_of_15_cha",
            "`a_map_of_15_cha` has the first 15 characters of another map's name, by which the kernel knows it",
        ),
        (&map("m", array, "0:2"), "m", "`m` can have 1..4294967295 entries, which 0..2 exceeds"),
        (
            &map("m", "int (*type)[4]; int (*key_size)[4]; int (*value_size)[4];", "1:2"),
            "m",
            "`m` is a map that has no size of its own",
        ),
    ] {
        assert_eq!(object(variables, &[used]).unwrap_err(), format!("parameter {message}"));
    }
    let of_a_struct = r#"struct s { int a; } PARAM("1:2"); struct s x = { 1 };"#;
    assert_eq!(object(of_a_struct, &["x"]).unwrap_err(), "parameter `s` is not a variable");
}

#[test]
fn as_many_as_a_kernel_takes() {
    let many = |count: usize| {
        let variables: String =
            (0..count).map(|i| format!(r#"const volatile int v{i} PARAM("1:2") = 1;"#)).collect();
        object(&variables, &["v0"])
    };
    assert_eq!(parameters(&many(256).unwrap()).len(), 256);
    assert_eq!(many(257).unwrap_err(), "parameter `v256` is one of more than 256, which no kernel takes");
}

/// An object whose source has no tags becomes the one whose source has them.
#[test]
fn an_object_is_annotated() {
    let plain = compilers::ebpf(&source(
        r#"
        const volatile int limit = 3, other = 4;
        struct { int (*type)[1]; int (*max_entries)[8]; int *key; long *value; } flows SEC(".maps");
        "#,
        &["limit", "other", "flows"],
    ));
    let before = Object::parse(&plain).unwrap();
    let ranges =
        [("limit".to_owned(), Range { min: 1, max: 5 }), ("flows".to_owned(), Range { min: 1, max: 100 })];
    let annotated = annotate(&plain, &ranges).unwrap();
    let after = Object::parse(&annotated).unwrap();
    let found: Vec<_> =
        parameters(&after).into_iter().map(|parameter| (parameter.name, parameter.range)).collect();
    assert_eq!(found, [ranges[1].clone(), ranges[0].clone()]);

    let (mut there, here) = (after.programs()[0].clone(), &before.programs()[0]);
    assert_ne!(there.btf, here.btf);
    there.btf = here.btf.clone();
    there.slots = here.slots.clone();
    assert_eq!(&there, here, "all else is as it was");
    for (map, before) in after.maps().iter().zip(before.maps()) {
        assert_eq!((&map.contents, map.max_entries), (&before.contents, before.max_entries));
    }

    let error = |name: &str| {
        let range = Range { min: 1, max: 5 };
        match annotate(&plain, &[(name.to_owned(), range)]) {
            Ok(object) => Object::parse(&object).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(
        error("missing"),
        "parameter `missing` is not a variable of the object, which has `flows`, `limit`, `other`"
    );
    assert_eq!(error("_license"), "parameter `_license` is neither in `.rodata` nor a map in `.maps`");
    assert!(annotate(b"no object", &ranges).is_err());
}

/// Constants that are made of numbers: what is named of them becomes a parameter for each.
#[test]
fn numbers_in_arrays_and_structs_are_parameters() {
    let plain = compilers::ebpf(&source(
        r#"
        struct conf { unsigned char count; struct { unsigned short ports[2]; int rest; }; char name[2]; unsigned a : 3, b : 29; };
        static const volatile int before = 1;
        const volatile struct conf conf = { 2, { { 80, 443 }, 5 }, "ab", 1, 2 };
        const volatile long after[2] = { -1, -2 };
        const volatile int *const volatile pointer = 0;
        const volatile short many[1000] = { 0, 7 };
        "#,
        &["before", "conf", "after", "pointer", "many"],
    ));
    let range = |min, max| Range { min, max };
    let annotated = |ranges: &[(&str, Range)]| {
        let ranges: Vec<_> = ranges.iter().map(|(name, range)| ((*name).to_owned(), *range)).collect();
        annotate(&plain, &ranges).and_then(|object| Object::parse(&object)).map_err(|error| error.to_string())
    };
    let ranges = [("conf.ports", range(1, 9)), ("conf.count", range(0, 2)), ("after", range(-5, 5))];
    let object = annotated(&ranges).unwrap();
    let rodata = object.maps().iter().find(|map| map.name == ".rodata").unwrap();
    let found: Vec<_> = parameters(&object)
        .iter()
        .map(|parameter| (parameter.name.clone(), parameter.range, rodata.parameter_value(parameter)))
        .collect();
    let expected = [
        ("after.0", range(-5, 5), -1),
        ("after.1", range(-5, 5), -2),
        ("conf.count", range(0, 2), 2),
        ("conf.ports.0", range(1, 9), 80),
        ("conf.ports.1", range(1, 9), 443),
    ];
    assert_eq!(found, expected.map(|(name, range, value)| (name.to_owned(), range, value)));

    // The longest name counts.
    let object = annotated(&[("conf.ports", range(1, 9)), ("conf.ports.1", range(443, 443))]).unwrap();
    let found: Vec<_> = parameters(&object).iter().map(|parameter| parameter.range).collect();
    assert_eq!(found, [range(1, 9), range(443, 443)]);

    let object = annotated(&[("many.999", range(0, 9)), ("many.1", range(0, 9))]).unwrap();
    let names: Vec<_> = parameters(&object).into_iter().map(|parameter| parameter.name).collect();
    assert_eq!(names, ["many.1", "many.999"]);

    for (name, message) in [
        ("many", "parameter `many.256` is one of more than 256 parts"),
        ("many.1000", "parameter `many.1000` is not in the variable"),
        ("conf.a", "parameter `conf.a` is a bit field"),
        ("conf.missing", "parameter `conf.missing` is not in the variable"),
        ("before.x", "parameter `before.x` is a part of something that has none"),
        ("pointer", "parameter `pointer` has a type that is neither a number nor made of numbers"),
        (
            "missing.x",
            "parameter `missing.x` is not a variable of the object, which has `conf`, `after`, `pointer`, `many`, `before`",
        ),
    ] {
        assert_eq!(annotated(&[(name, range(0, 1))]).unwrap_err(), message);
    }
}
