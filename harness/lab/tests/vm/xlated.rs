//! What the kernel makes of a program is the same whether we load it signed or libbpf loads it unsigned.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use bpfsig_lab::corpus;
use bpfsig_loading as bpf;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::insn::{self, Insn};
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Attach;
use libbpf_rs::{MapHandle, MapInfo};

use crate::loaded::{Loaded, Way};

/// Sources of a 64-bit load: a map by its id, a map's value.
const PSEUDO_MAP_FD: u8 = 1;
const PSEUDO_MAP_VALUE: u8 = 2;
/// A call, and the source that says that it is to a kernel function.
const CALL: u8 = 0x85;
const PSEUDO_KFUNC_CALL: u8 = 2;
/// The upper halves of addresses that the kernel allocates, with four or five levels of page tables: below them is user
/// space, above them what the kernel and its modules are made of, which is where it is for every load.
const ALLOCATED: Range<u32> = 0xff00_0000..0xffff_ffff;

/// An instruction without what is different in two loads of the same program on the same kernel.
#[derive(Debug, PartialEq, Eq)]
pub enum Normal {
    /// As it is: this includes BTF ids, offsets of fields, and addresses of functions and variables, all of which the
    /// kernel has found out.
    Same(Insn),
    /// The first half of a 64-bit load that refers to a map: register, source, and the map's name for its id. An offset
    /// into the map's value is in the second half.
    Map(u8, u8, String),
    /// A call of a module's function, whose `off` is the place of the module's BTF in a table of the loader's.
    ModuleCall(Insn),
    /// Both halves of a load of an address that the verifier has put in front of a call, into this register: of the loaded
    /// program itself (`bpf_timer_set_callback()`, kfuncs with implicit arguments), or of what the kernel knows about a type
    /// of the loaded BTF (`bpf_obj_drop()`).
    OwnAddress(u8),
}

/// The instructions of a loaded program. What is normalised is what [`Normal`] lists and nothing else.
pub fn normalised(program: BorrowedFd<'_>) -> Vec<Normal> {
    let insns: Vec<Insn> = insn::decode(&bpf::raw::xlated(program).unwrap()).collect();
    let mut normal = Vec::new();
    let mut at = 0;
    while let Some(&insn) = insns.get(at) {
        at += 1;
        if insn.code == CALL && insn.src == PSEUDO_KFUNC_CALL && insn.off != 0 {
            normal.push(Normal::ModuleCall(Insn { off: 0, ..insn }));
            continue;
        }
        if insn.code != insn::LD_IMM64 {
            normal.push(Normal::Same(insn));
            continue;
        }
        let second = insns[at];
        at += 1;
        // Some take a number besides.
        let is_before_call = insns[at..].iter().take(2).any(|next| next.code == CALL);
        match insn.src {
            PSEUDO_MAP_FD | PSEUDO_MAP_VALUE => {
                normal.push(Normal::Map(insn.dst, insn.src, map_name(insn.imm as u32)));
                normal.push(Normal::Same(second));
            }
            0 if is_before_call && ALLOCATED.contains(&(second.imm as u32)) => {
                normal.push(Normal::OwnAddress(insn.dst));
            }
            _ => normal.extend([Normal::Same(insn), Normal::Same(second)]),
        }
    }
    normal
}

/// The name of a map; of global data, the section.
fn map_name(id: u32) -> String {
    let map = MapHandle::from_map_id(id).unwrap();
    let info = MapInfo::new(map.as_fd()).unwrap();
    let name = info.name().unwrap();
    name.find('.').map_or(name, |dot| &name[dot..]).to_owned()
}

/// Demands that all programs of an object are the same in the kernel. Returns how many there are. Loads it unsigned first, so
/// that an object which does not load at all is told by what libbpf says of it.
pub fn same(name: &str, bytes: &[u8], choices: &Choices, target: Option<BorrowedFd<'_>>) -> usize {
    let [unsigned, signed] =
        [Way::Unsigned, Way::Signed].map(|way| Loaded::of_bytes(name, bytes, choices, way, target));
    assert_eq!(signed.names(), unsigned.names());
    for program in signed.names() {
        let [signed, unsigned] = [&signed, &unsigned].map(|loaded| normalised(loaded.program(program)));
        demand_same(&format!("{name}: {program}"), "unsigned", &signed, &unsigned);
    }
    signed.names().len()
}

/// Checks that the instructions of two loads of a program are the same; `way` is the second load's.
pub fn demand_same(name: &str, way: &str, one: &[Normal], other: &[Normal]) {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    if let Some(at) = differs {
        panic!("{name}: instruction {at}: {:?}, {way} {:?}", one[at], other[at]);
    }
    assert_eq!(one.len(), other.len(), "{name}");
}

/// Whether programs of an object use functions or variables of the kernel.
pub fn has_externs(object: &Object) -> bool {
    /// `BPF_CORE_EXTERN`, the first kind of record that no compiler writes.
    const EXTERN: u32 = 256;
    object.programs().iter().any(|program| {
        let (records, _) = program.core_relos.bytes.as_chunks::<16>();
        records.iter().any(|record| u32::from_le_bytes(*record.last_chunk().unwrap()) >= EXTERN)
    })
}

/// Whether programs of an object attach to another program.
pub fn is_extension(object: &Object) -> bool {
    object.programs().iter().any(|program| matches!(program.attach, Attach::Program { .. }))
}

/// Those without kernel functions and variables, and but for extensions.
#[test]
#[ignore = "needs the patched kernel"]
fn each_program_of_the_corpus() {
    let mut count = 0;
    for (name, bytes) in corpus::objects() {
        let object = Object::parse(bytes).unwrap();
        if !has_externs(&object) && !is_extension(&object) {
            count += same(name, bytes, &Choices::default(), None);
        }
    }
    println!("{count} programs are the same");
    assert!(count > 50);
}
