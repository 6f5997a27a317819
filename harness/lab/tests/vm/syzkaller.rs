//! Whether what kernel-patch/syzkaller/ tells a fuzzer of the interface is what the kernel has: each struct that both know
//! has the same fields there, at the same places, as large.

use std::collections::BTreeMap;

use bpfsig_signing::btf::{Btf, Member, kind};

use crate::bound::{kernel_btf, load_attributes};

const DESCRIPTIONS: &str = include_str!("../../../../kernel-patch/syzkaller/bpf_signature.txt");

/// Structs of syzkaller's own bpf.txt that the descriptions use: bytes, and what they are aligned to.
const OTHERS: &[(&str, usize, usize)] = &[("bpf_func_info", 8, 4), ("bpf_line_info", 16, 4)];

/// A struct in syzkaller's language: its fields' names and types.
struct Struct<'d> {
    fields: Vec<(&'d str, &'d str)>,
    is_packed: bool,
}

/// The structs of the descriptions, by name. Unions, calls and flags are passed over.
fn structs() -> BTreeMap<&'static str, Struct<'static>> {
    let mut structs = BTreeMap::new();
    let mut lines = DESCRIPTIONS.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_suffix(" {") else { continue };
        let mut fields = Vec::new();
        let end = loop {
            let line = lines.next().expect("a struct ends");
            let Some(field) = line.strip_prefix('\t') else { break line };
            let (name, field_type) = field.split_once('\t').expect("a name and a type");
            fields.push((name, field_type.trim()));
        };
        assert!(end.starts_with('}'), "{name}: {end}");
        structs.insert(name, Struct { fields, is_packed: end.contains("[packed]") });
    }
    structs
}

/// A type's name and its arguments: `array[int8, 16]` is `array` of `int8` and `16`.
fn parts(field_type: &str) -> (&str, Vec<&str>) {
    let Some((name, arguments)) = field_type.split_once('[') else { return (field_type, Vec::new()) };
    let arguments = arguments.strip_suffix(']').expect("arguments end");
    let mut depth = 0;
    let split = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    };
    (name, arguments.split(split).map(str::trim).collect())
}

/// The bytes that a type takes, and what it is aligned to; none if that depends on what is in it.
fn layout(field_type: &str) -> Option<(usize, usize)> {
    if let Some((_, size, align)) = OTHERS.iter().find(|(name, ..)| *name == field_type) {
        return Some((*size, *align));
    }
    if let Some(described) = structs().get(field_type) {
        let (last, align) = ends(described)?;
        return Some((last.next_multiple_of(align), align));
    }
    let scalar = |bytes| Some((bytes, bytes));
    match parts(field_type) {
        ("int8", _) => scalar(1),
        ("int16", _) => scalar(2),
        ("int64" | "ptr64", _) => scalar(8),
        ("int32" | "fd_btf" | "fd_bpf_prog" | "fd_bpf_map" | "bpf_btf_id", _) => scalar(4),
        ("btf_type_id" | "btf_opt_type_id" | "btf_opt_name_off", _) => scalar(4),
        ("const" | "flags" | "len" | "bytesize" | "bytesize8", arguments) => layout(arguments.last()?),
        ("stringnoz", arguments) => Some((arguments[0].trim_matches('"').len(), 1)),
        ("array", arguments) => {
            let (size, align) = layout(arguments[0])?;
            Some((size * arguments.get(1)?.parse::<usize>().ok()?, align))
        }
        _ => panic!("what is `{field_type}`?"),
    }
}

/// Where each field begins and how large it is.
fn places<'d>(described: &Struct<'d>) -> Option<Vec<(&'d str, usize, usize)>> {
    let mut end: usize = 0;
    let place = |(name, field_type): &(&'d str, &str)| {
        let (size, align) = layout(field_type)?;
        let start = if described.is_packed { end } else { end.next_multiple_of(align) };
        end = start + size;
        Some((*name, start, size))
    };
    described.fields.iter().map(place).collect()
}

/// Where the last field ends, and what the struct is aligned to.
fn ends(described: &Struct<'_>) -> Option<(usize, usize)> {
    let (_, start, size) = *places(described)?.last()?;
    let align = if described.is_packed {
        1
    } else {
        described
            .fields
            .iter()
            .filter_map(|(_, field_type)| layout(field_type))
            .map(|(_, align)| align)
            .max()?
    };
    Some((start + size, align))
}

/// The same of a type of the kernel. Of a union without a name, the first member.
fn kernel_places(btf: &Btf, type_id: u32) -> Vec<(&str, usize, usize)> {
    fn place<'b>(btf: &'b Btf, member: Member<'b>) -> (&'b str, usize, usize) {
        let named = match btf.structure(member.type_id) {
            Ok((_, inner)) if member.name.is_empty() => inner[0],
            _ => member,
        };
        (named.name, member.offset as usize, btf.size(named.type_id).unwrap() as usize)
    }
    let (_, members) = btf.structure(type_id).unwrap();
    members.into_iter().map(|member| place(btf, member)).collect()
}

#[test]
#[ignore = "needs the patched kernel"]
fn descriptions_are_those_of_the_kernel() {
    let btf = kernel_btf();
    let mut compared = Vec::new();
    for (name, described) in &structs() {
        let type_id = match *name {
            "bpf_prog_load_signed" => Some(load_attributes(&btf)),
            "bpf_prog_info_signed" => btf.find(kind::STRUCT, "bpf_prog_info"),
            name => btf.find(kind::STRUCT, name),
        };
        let Some(type_id) = type_id else { continue };
        let mut places = places(described).unwrap();
        // What another description has.
        places.retain(|(name, ..)| *name != "before");
        let mut kernel = kernel_places(&btf, type_id);
        kernel.retain(|(_, start, _)| *start >= places[0].1);
        assert_eq!(places, kernel, "{name}");
        compared.push(*name);
    }
    let expected = [
        "bpf_core_relo",
        "bpf_fact",
        "bpf_facts",
        "bpf_facts_identity",
        "bpf_facts_subprog",
        "bpf_prog_info_signed",
        "bpf_prog_load_signed",
        "bpf_sig_entry",
        "bpf_sig_statement",
    ];
    assert_eq!(compared, expected);
}
