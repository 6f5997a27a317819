//! Every field of a load's attributes, and of each object that they lead to, and whether a statement covers it. A field
//! that the running kernel has and that no row knows fails the test, so that a new release can't bring one unseen.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, IntoRawFd};

use bpfsig_loading as bpf;
use bpfsig_loading::raw::ProgLoad;
use bpfsig_signing::btf::{Btf, kind};

use crate::keys::signer;
use crate::load::{load_btf, load_with, program, sign};

/// What becomes of a field.
enum Treatment {
    /// Another value is another program, or is refused.
    Bound(fn(&mut ProgLoad)),
    /// Another value makes the same program, for this reason.
    Free(&'static str, fn(&mut ProgLoad)),
    /// It does not reach what is loaded, for this reason; no other value can be tried.
    Unused(&'static str),
}

use Treatment::{Bound, Free, Unused};

/// A program with maps, constants, BTF and CO-RE records.
const GENERAL: &str = "tp_exec_export";
/// A program with a target.
const ATTACHING: &str = "fentry_connect";

/// The fields of `union bpf_attr` for `BPF_PROG_LOAD`, and the program to change them of.
const ATTRIBUTES: &[(&str, &str, Treatment)] = &[
    ("prog_type", GENERAL, Bound(|attr| attr.prog_type = 2)),
    ("insn_cnt", GENERAL, Bound(|attr| attr.insn_cnt -= 1)),
    ("insns", GENERAL, Bound(|attr| attr.insns = altered(attr.insns, attr.insn_cnt * 8, 4))),
    ("license", GENERAL, Bound(|attr| attr.license = altered(attr.license, 4, 1))),
    ("log_level", GENERAL, Free("decides what is said", |attr| attr.log_level |= 4)),
    ("log_size", GENERAL, Unused("decides what is said")),
    ("log_buf", GENERAL, Unused("decides what is said")),
    ("log_true_size", GENERAL, Free("is written", |attr| attr.log_true_size = 9)),
    ("kern_version", GENERAL, Free("is not looked at", |attr| attr.kern_version = 1)),
    ("prog_flags", GENERAL, Bound(|attr| attr.prog_flags ^= 2)),
    ("prog_name", GENERAL, Bound(|attr| attr.prog_name[0] ^= 1)),
    ("prog_ifindex", "xdp_acl", Bound(|attr| attr.prog_ifindex = 1)),
    ("expected_attach_type", GENERAL, Bound(|attr| attr.expected_attach_type = 1)),
    ("prog_btf_fd", GENERAL, Bound(|attr| attr.prog_btf_fd = other_btf())),
    ("func_info_rec_size", GENERAL, Bound(|attr| attr.func_info_rec_size = 12)),
    ("func_info", GENERAL, Bound(|attr| attr.func_info = altered(attr.func_info, attr.func_info_cnt * 8, 4))),
    ("func_info_cnt", GENERAL, Bound(|attr| attr.func_info_cnt = 0)),
    ("line_info_rec_size", GENERAL, Unused("the size of what is free")),
    (
        "line_info",
        GENERAL,
        Free("is only shown", |attr| attr.line_info = altered(attr.line_info, attr.line_info_cnt * 16, 12)),
    ),
    ("line_info_cnt", GENERAL, Free("is only shown", |attr| attr.line_info_cnt = 0)),
    ("attach_btf_id", ATTACHING, Bound(|attr| attr.attach_btf_id += 1)),
    ("attach_prog_fd", ATTACHING, Bound(|attr| attr.attach_object_fd = u32::MAX)),
    ("attach_btf_obj_fd", ATTACHING, Bound(|attr| attr.attach_object_fd = other_btf())),
    ("core_relo_cnt", GENERAL, Bound(|attr| attr.core_relo_cnt -= 1)),
    ("fd_array", GENERAL, Bound(|attr| attr.fd_array = altered(attr.fd_array, attr.fd_array_cnt * 4, 0))),
    (
        "core_relos",
        GENERAL,
        Bound(|attr| attr.core_relos = altered(attr.core_relos, attr.core_relo_cnt * 16, 12)),
    ),
    ("core_relo_rec_size", GENERAL, Bound(|attr| attr.core_relo_rec_size = 20)),
    (
        "prog_token_fd",
        GENERAL,
        Unused("whose rights, not which program: with a flag that the manifest leaves out"),
    ),
    ("fd_array_cnt", GENERAL, Bound(|attr| attr.fd_array_cnt -= 1)),
    (
        "signature",
        GENERAL,
        Bound(|attr| attr.signature = altered(attr.signature, attr.signature_size, attr.signature_size - 1)),
    ),
    ("signature_size", GENERAL, Bound(|attr| attr.signature_size -= 1)),
    ("keyring_id", GENERAL, Bound(|attr| attr.keyring_id = 0)),
    ("attestation", GENERAL, Bound(|attr| attr.attestation = attr.signature)),
    ("facts", GENERAL, Bound(|attr| attr.facts = attr.signature)),
    ("attestation_size", GENERAL, Bound(|attr| attr.attestation_size = 1)),
    ("facts_size", GENERAL, Bound(|attr| attr.facts_size = 1)),
    ("attest_flags", GENERAL, Bound(|attr| attr.attest_flags = 2)),
];

/// The address of a copy of `size` bytes, one of which is another.
fn altered(address: u64, size: u32, at: u32) -> u64 {
    // SAFETY: the attributes point to that many bytes, which live as long as the load.
    let mut bytes = unsafe { std::slice::from_raw_parts(address as *const u8, size as usize) }.to_vec();
    bytes[at as usize] ^= 1;
    bytes.leak().as_ptr() as u64
}

/// A descriptor of a BTF that belongs to another program.
fn other_btf() -> u32 {
    load_btf(&program("xdp_lb")).unwrap().into_raw_fd() as u32
}

/// What becomes of some fields of an object, and their names.
type Fields = (&'static str, &'static [&'static str]);

/// The objects that the attributes lead to, and each of their fields: it is in the manifest, or makes the kernel refuse
/// a map, or there is a reason for neither. Struct, then fields by their fate.
const OBJECTS: &[(&str, &[Fields])] = &[
    ("bpf_insn", &[("in the manifest", &["code", "dst_reg", "src_reg", "off", "imm"])]),
    ("bpf_func_info", &[("in the manifest", &["insn_off", "type_id"])]),
    ("bpf_core_relo", &[("in the manifest", &["insn_off", "type_id", "access_str_off", "kind"])]),
    ("bpf_line_info", &[("only shown", &["insn_off", "file_name_off", "line_off", "line_col"])]),
    ("bpf_common_attr", &[("decides what is said", &["log_buf", "log_size", "log_level", "log_true_size"])]),
    (
        "bpf_map",
        &[
            (
                "in the manifest",
                &[
                    "map_type",
                    "key_size",
                    "value_size",
                    "max_entries",
                    "map_extra",
                    "map_flags",
                    "name",
                    "btf_key_type_id",
                    "btf_value_type_id",
                    "inner_map_meta",
                ],
            ),
            (
                "in the manifest, whether it is constant is decided once",
                &["frozen", "writecnt", "contents_sha256"],
            ),
            ("must be the program's, by content", &["btf"]),
            ("made of the BTF", &["record"]),
            ("refused", &["excl_prog_sha", "sha"]),
            ("made of map_type", &["ops"]),
            ("maps of struct_ops, to which no program refers", &["btf_vmlinux_value_type_id"]),
            (
                "whose it is and where it lies, not what it is",
                &["id", "numa_node", "security", "objcg", "bypass_spec_v1", "cookie", "elem_count"],
            ),
            ("compared with each program that is put in", &["owner", "owner_lock"]),
            (
                "life and locks",
                &[
                    "freeze_mutex",
                    "refcnt",
                    "usercnt",
                    "work",
                    "rcu",
                    "free_after_mult_rcu_gp",
                    "free_after_rcu_gp",
                    "sleepable_refcnt",
                ],
            ),
        ],
    ),
    (
        "btf",
        &[
            ("in the manifest", &["data", "sha256"]),
            (
                "made of the data",
                &[
                    "sig_params",
                    "types",
                    "resolved_ids",
                    "resolved_sizes",
                    "strings",
                    "nohdr_data",
                    "hdr",
                    "nr_types",
                    "types_size",
                    "data_size",
                    "struct_meta_tab",
                    "named_start_id",
                    "layout",
                ],
            ),
            (
                "of the kernel's own, which a program can't bring",
                &[
                    "kernel_btf",
                    "base_btf",
                    "start_id",
                    "start_str_off",
                    "name",
                    "base_id_map",
                    "kfunc_set_tab",
                    "dtor_kfunc_tab",
                    "struct_ops_tab",
                ],
            ),
            ("life", &["refcnt", "id", "rcu"]),
        ],
    ),
    (
        "bpf_token",
        &[
            (
                "whose rights, not which program",
                &["userns", "allowed_cmds", "allowed_maps", "allowed_progs", "allowed_attachs", "security"],
            ),
            ("life", &["work", "refcnt"]),
        ],
    ),
];

/// The names of a type's members; for members without a name, the names of their own members.
fn members(btf: &Btf, type_id: u32) -> BTreeSet<String> {
    let (_, members) = btf.structure(type_id).unwrap();
    let mut names = BTreeSet::new();
    for member in members {
        match member.name {
            "" => names.extend(self::members(btf, member.type_id)),
            name => assert!(names.insert(name.to_owned()), "{name} twice"),
        }
    }
    names
}

/// The type information of the running kernel.
pub fn kernel_btf() -> Btf {
    Btf::parse(std::fs::read("/sys/kernel/btf/vmlinux").unwrap()).unwrap()
}

/// The struct without a name, in `union bpf_attr`, that `BPF_PROG_LOAD` takes.
pub fn load_attributes(btf: &Btf) -> u32 {
    let (_, commands) = btf.structure(btf.find(kind::UNION, "bpf_attr").unwrap()).unwrap();
    let is_load = |type_id| {
        btf.structure(type_id).is_ok_and(|(_, members)| members.iter().any(|member| member.name == "insns"))
    };
    commands.iter().map(|command| command.type_id).find(|type_id| is_load(*type_id)).unwrap()
}

#[test]
#[ignore = "needs the patched kernel"]
fn each_attribute_has_a_row() {
    let btf = kernel_btf();
    let attributes = members(&btf, load_attributes(&btf));
    let rows: BTreeSet<String> = ATTRIBUTES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(rows, attributes);
}

#[test]
#[ignore = "needs the patched kernel"]
fn each_field_of_an_object_has_a_row() {
    let btf = kernel_btf();
    for (object, rows) in OBJECTS {
        let fields = members(&btf, btf.find(kind::STRUCT, object).unwrap());
        let rows: BTreeSet<String> =
            rows.iter().flat_map(|(_, names)| *names).map(|name| (*name).to_owned()).collect();
        assert_eq!(rows, fields, "{object}");
    }
}

/// The kernel treats the attributes as the rows say.
#[test]
#[ignore = "needs the patched kernel"]
fn attributes_are_treated_as_the_rows_say() {
    for (name, on, treatment) in ATTRIBUTES {
        let program = program(on);
        let signature = sign(&program, signer());
        let load = |change: fn(&mut ProgLoad)| load_with(&program, Some(&signature), change);
        match treatment {
            Bound(change) => {
                let outcome = load(*change);
                assert!(outcome.result.is_err(), "another {name} was taken");
            }
            Free(why, change) => {
                let (as_signed, changed) = (load(|_| {}).accepted(), load(*change));
                assert!(changed.result.is_ok(), "{name} {why}: {changed:?}");
                let code = |program| bpf::raw::xlated(program).unwrap().len();
                assert_eq!(code(as_signed.as_fd()), code(changed.result.unwrap().as_fd()), "{name} {why}");
            }
            Unused(why) => println!("{name}, not tried: {why}"),
        }
    }
}
