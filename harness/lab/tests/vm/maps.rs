//! Programs with maps: what a signature binds of them, and what it leaves to the user.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use bpfsig_loading as bpf;
use bpfsig_signing::btf::Btf;
use bpfsig_signing::insn::{self, Insn};
use bpfsig_signing::map::MapDefinition;
use bpfsig_signing::object::Object;
use bpfsig_signing::program::Program;
use libc::{EACCES, EBADF, EINVAL, EKEYREJECTED};

use crate::keys::signer;
use crate::load::{Outcome, load, load_btf, load_onto, load_with, program, sign};
use crate::xdp_tools;

/// `enum bpf_map_type`, and flags of `BPF_MAP_CREATE`.
const HASH: u32 = 1;
const ARRAY: u32 = 2;
const PERF_EVENT_ARRAY: u32 = 4;
const F_NO_PREALLOC: u32 = 1;
const F_RDONLY_PROG: u32 = 1 << 7;

fn hash(name: &str) -> MapDefinition {
    MapDefinition {
        name: name.into(),
        map_type: HASH,
        key_size: 4,
        value_size: 8,
        max_entries: 16,
        ..MapDefinition::default()
    }
}

fn constants(contents: &[u8]) -> MapDefinition {
    MapDefinition {
        map_type: ARRAY,
        max_entries: 1,
        flags: F_RDONLY_PROG,
        contents: contents.to_vec(),
        frozen: true,
        ..hash("constants")
    }
}

/// A program that refers to the map in slot `index`, once for each index.
fn using(indexes: &[i32], maps: &[MapDefinition]) -> Program {
    let mut insns: Vec<_> =
        indexes.iter().flat_map(|index| map_address(insn::PSEUDO_MAP_IDX, *index)).collect();
    insns.extend([Insn::alu64_imm(insn::AluOp::Mov, 0, 0), Insn::exit()]);
    Program {
        prog_type: 1,
        name: "maps".into(),
        license: "GPL".into(),
        insns: insn::encode(insns),
        slots: maps.iter().cloned().map(Arc::new).collect(),
        ..Program::default()
    }
}

fn map_address(source: u8, imm: i32) -> [Insn; 2] {
    [Insn { code: insn::LD_IMM64, dst: 1, src: source, off: 0, imm }, Insn::decode([0; 8])]
}

/// Signs a program with a map, replaces the map, and expects that the kernel notices.
#[track_caller]
fn notices(signed: MapDefinition, change: impl FnOnce(&mut MapDefinition)) {
    let mut changed = signed.clone();
    change(&mut changed);
    assert_ne!(signed, changed, "the test changes nothing");
    let signature = sign(&using(&[0], std::slice::from_ref(&signed)), signer());
    load(&using(&[0], &[signed]), Some(&signature)).accepted();
    load(&using(&[0], &[changed]), Some(&signature)).refused(EKEYREJECTED, "statement does not list program");
}

/// The kernel keeps what the definition says, or what the specification says it makes of it.
#[test]
#[ignore = "needs the patched kernel"]
fn each_type_of_map() {
    let map = |map_type, key_size, value_size, flags| MapDefinition {
        map_type,
        key_size,
        value_size,
        flags,
        ..hash(&format!("type_{map_type}"))
    };
    let ring = |map_type| MapDefinition { max_entries: 8192, ..map(map_type, 0, 0, 0) };
    let inner = || Some(Box::new(map(5, 4, 8, 0)));
    for map in [
        map(1, 4, 8, 1 << 3),                                 // HASH, BPF_F_RDONLY
        map(2, 4, 5, 1 << 10 | 1 << 4),                       // ARRAY, BPF_F_MMAPABLE | BPF_F_WRONLY
        map(3, 4, 4, 0),                                      // PROG_ARRAY
        map(4, 4, 4, 0),                                      // PERF_EVENT_ARRAY
        map(5, 4, 8, 0),                                      // PERCPU_HASH
        map(6, 4, 8, 0),                                      // PERCPU_ARRAY
        map(7, 4, 80, 0),                                     // STACK_TRACE
        map(8, 4, 4, 0),                                      // CGROUP_ARRAY
        map(9, 4, 8, 0),                                      // LRU_HASH
        map(10, 4, 8, 0),                                     // LRU_PERCPU_HASH
        map(11, 8, 8, F_NO_PREALLOC),                         // LPM_TRIE
        MapDefinition { inner: inner(), ..map(12, 4, 4, 0) }, // ARRAY_OF_MAPS
        MapDefinition { inner: inner(), ..map(13, 4, 4, 0) }, // HASH_OF_MAPS
        map(14, 4, 4, 0),                                     // DEVMAP
        MapDefinition { max_entries: 1, ..map(16, 4, 4, 0) }, // CPUMAP
        map(18, 4, 4, 0),                                     // SOCKHASH
        map(22, 0, 4, 0),                                     // QUEUE
        map(23, 0, 4, 0),                                     // STACK
        map(25, 4, 8, 0),                                     // DEVMAP_HASH
        ring(27),                                             // RINGBUF
        map(30, 0, 8, 0),                                     // BLOOM_FILTER
        ring(31),                                             // USER_RINGBUF
    ] {
        let name = map.name.clone();
        let program = using(&[0], &[map]);
        let outcome = load(&program, None);
        assert!(outcome.result.is_ok(), "{name} unsigned: {outcome:?}");
        let outcome = load(&program, Some(&sign(&program, signer())));
        assert!(outcome.result.is_ok(), "{name} signed: {outcome:?}");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_definition() {
    notices(hash("map"), |map| map.name = "other".into());
    notices(hash("map"), |map| map.map_type = 9);
    notices(hash("map"), |map| map.key_size = 8);
    notices(hash("map"), |map| map.value_size = 16);
    notices(hash("map"), |map| map.max_entries = 17);
    notices(hash("map"), |map| map.flags = F_NO_PREALLOC);
    let bloom = MapDefinition { map_type: 30, key_size: 0, extra: 3, ..hash("map") };
    notices(bloom, |map| map.extra = 4);
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_inner_map() {
    let nested = || MapDefinition {
        map_type: 13,
        value_size: 4,
        inner: Some(Box::new(hash("inner"))),
        ..hash("nested")
    };
    fn inner(map: &mut MapDefinition) -> &mut MapDefinition {
        map.inner.as_mut().unwrap()
    }
    notices(nested(), |map| inner(map).map_type = 9);
    notices(nested(), |map| inner(map).key_size = 8);
    notices(nested(), |map| inner(map).value_size = 16);
    notices(nested(), |map| inner(map).max_entries = 17);
    notices(nested(), |map| inner(map).flags = F_NO_PREALLOC);
    // The kernel does not keep it.
    let program = using(&[0], &[nested()]);
    let mut renamed = nested();
    inner(&mut renamed).name = "other".into();
    load(&using(&[0], &[renamed]), Some(&sign(&program, signer()))).accepted();
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_types() {
    let program = program("xdp_lb");
    let signature = sign(&program, signer());
    // Its keys are as large as its values, so that the kernel takes either type for either.
    let slot = program.slots.iter().position(|map| map.name == "lb_services").unwrap();
    let (key, value) = (program.slots[slot].btf_key_type_id, program.slots[slot].btf_value_type_id);
    for types in [(0, 0), (key, key), (value, value)] {
        let mut program = program.clone();
        let map = Arc::make_mut(&mut program.slots[slot]);
        (map.btf_key_type_id, map.btf_value_type_id) = types;
        load(&program, Some(&signature)).refused(EKEYREJECTED, "statement does not list program");
    }
}

/// A map whose types have other ids in its BTF, or none of the program's.
#[test]
#[ignore = "needs the patched kernel"]
fn types_of_another_btf() {
    // xdp-filter pins the maps of its first object, and the next uses them.
    let [first, next] = ["xdpfilt_alw_all.o", "xdpfilt_alw_eth.o"].map(|name| {
        let bytes = xdp_tools::objects().into_iter().find(|(object, _)| object == name).unwrap().1;
        Object::parse(&bytes).unwrap().programs()[0].clone()
    });
    let same_name =
        |map: &Arc<MapDefinition>| first.slots.iter().find(|other| other.name == map.name).unwrap().clone();
    let shared: Vec<_> = next.slots.iter().map(same_name).collect();
    let types = |maps: &[Arc<MapDefinition>]| -> Vec<_> {
        maps.iter().map(|map| (map.btf_key_type_id, map.btf_value_type_id)).collect()
    };
    assert_ne!(types(&shared), types(&next.slots));
    let btf = load_btf(&first);
    let create = |map: &Arc<MapDefinition>| bpf::raw::create_map(map, btf.as_ref().map(AsFd::as_fd)).unwrap();
    let maps: Vec<_> = shared.iter().map(create).collect();
    load_onto(&next, &load_btf(&next), &maps, Some(&sign(&next, signer())), |_| {}).accepted();

    // Another BTF of the same content is as good.
    let program = program("xdp_lb");
    let btf = program.btf.as_deref().unwrap();
    load_with_maps_of(&program, btf).accepted();
    let slot = program.slots.iter().find(|map| map.name == "lb_services").unwrap();
    let parsed = Btf::parse(btf).unwrap();
    let name = parsed.name(slot.btf_value_type_id).unwrap();
    load_with_maps_of(&program, &renamed(btf, name))
        .refused(EINVAL, "has types that the program's BTF has not");
}

/// A timer in a map means something to the kernel: the map's BTF says where it is.
#[test]
#[ignore = "needs the patched kernel"]
fn fields_of_another_btf() {
    let program = program("xdp_ban");
    let btf = program.btf.as_deref().unwrap();
    load_with_maps_of(&program, btf).accepted();
    let other = renamed(btf, "xdp_ban");
    load_with_maps_of(&program, &other).refused(EINVAL, "has types that the program's BTF has not");
}

/// It does so in the program's BTF as well, whose type is taken for the map's.
#[test]
#[ignore = "needs the patched kernel"]
fn fields_that_another_btf_has_not() {
    let program = program("xdp_ban");
    let other = renamed(program.btf.as_deref().unwrap(), "bpf_timer");
    load_with_maps_of(&program, &other).refused(EINVAL, "has types that the program's BTF has not");
}

/// Each of them is looked for by its name among all types of the program: a failing load could go on for seconds.
#[test]
#[ignore = "needs the patched kernel"]
fn too_many_types_to_look_for_those_of_another_btf() {
    let program = program("xdp_lb");
    let btf = program.btf.clone().unwrap();
    let load = |count| {
        let program = Program { btf: Some(with_more_types(&btf, count).into()), ..program.clone() };
        load_with_maps_of(&program, &btf)
    };
    load(1_000).accepted();
    load(40_000).refused(libc::E2BIG, "maps of other objects, and too many types");
}

/// A BTF with so many more integers at its end. All have the name of its first string.
fn with_more_types(btf: &[u8], count: usize) -> Vec<u8> {
    // `struct btf_header`: its own size, and where types and strings are behind it, with their sizes.
    let word = |at: usize| u32::from_le_bytes(btf[at..at + 4].try_into().unwrap());
    let [header, types, strings] = [4, 12, 16].map(word);
    // `struct btf_type` of BTF_KIND_INT: name, info, size; then the number of bits.
    let int = [1, 1 << 24, 4, 32].map(u32::to_le_bytes).concat();
    let more = int.repeat(count);
    let mut btf = btf.to_vec();
    btf[12..16].copy_from_slice(&(types + more.len() as u32).to_le_bytes());
    btf[16..20].copy_from_slice(&(strings + more.len() as u32).to_le_bytes());
    let end = (header + types) as usize;
    btf.splice(end..end, more);
    btf
}

/// Loads a signed program with maps that have another BTF.
fn load_with_maps_of(program: &Program, btf: &[u8]) -> Outcome {
    let btf = bpf::raw::load_btf(btf).unwrap();
    let maps = bpf::raw::create_maps(program, Some(btf.as_fd())).unwrap();
    load_onto(program, &load_btf(program), &maps, Some(&sign(program, signer())), |_| {})
}

/// A BTF in which a name is another.
fn renamed(btf: &[u8], name: &str) -> Vec<u8> {
    let name = [&[0], name.as_bytes(), &[0]].concat();
    let at = btf.windows(name.len()).position(|bytes| bytes == name).unwrap();
    let mut renamed = btf.to_vec();
    renamed[at + 1] ^= 1;
    renamed
}

#[test]
#[ignore = "needs the patched kernel"]
fn changed_constants() {
    notices(constants(b"constant"), |map| map.contents[7] = b'x');
    notices(constants(b"constant"), |map| map.frozen = false);
    notices(constants(b"constant"), |map| map.flags = 0);
    // Programs could change it.
    let data = MapDefinition { flags: 0, ..constants(b"constant") };
    let signature = sign(&using(&[0], std::slice::from_ref(&data)), signer());
    let other = MapDefinition { contents: b"constanx".to_vec(), ..data };
    load(&using(&[0], &[other]), Some(&signature)).accepted();
}

/// A value takes eight bytes at least, and constants of other sizes are padded.
#[test]
#[ignore = "needs the patched kernel"]
fn constants_of_odd_sizes() {
    for size in [1, 7, 9, 4096, 100_001] {
        let contents: Vec<u8> = (0..size).map(|index| index as u8 | 1).collect();
        let map = MapDefinition { value_size: size, ..constants(&contents) };
        let program = using(&[0], &[map]);
        load(&program, Some(&sign(&program, signer()))).accepted();
    }
    let entries = MapDefinition { value_size: 3, max_entries: 3, ..constants(b"onetwotri") };
    let program = using(&[0], &[entries]);
    load(&program, Some(&sign(&program, signer()))).accepted();
}

/// The contents of a map that can change are not what was signed.
#[test]
#[ignore = "needs the patched kernel"]
fn contents_of_mutable_maps() {
    let program = program("cgroup_ports");
    let signature = sign(&program, signer());
    let mut other = program.clone();
    let bss = other.slots.iter_mut().find(|map| map.name == ".bss").unwrap();
    Arc::make_mut(bss).contents = vec![0xff; bss.value_size as usize];
    load(&other, Some(&signature)).accepted();

    let mut other = program.clone();
    let rodata = other.slots.iter_mut().find(|map| map.name == ".rodata").unwrap();
    Arc::make_mut(rodata).contents[0] ^= 1;
    load(&other, Some(&signature)).refused(EKEYREJECTED, "statement does not list program");
}

/// The number of CPUs is not part of the definition.
#[test]
#[ignore = "needs the patched kernel"]
fn size_of_a_perf_event_array() {
    let perf = MapDefinition { map_type: PERF_EVENT_ARRAY, value_size: 4, max_entries: 0, ..hash("perf") };
    let program = using(&[0], std::slice::from_ref(&perf));
    let signature = sign(&program, signer());
    load(&program, Some(&signature)).accepted();
    load(&using(&[0], &[MapDefinition { max_entries: 1, ..perf }]), Some(&signature)).accepted();
}

#[test]
#[ignore = "needs the patched kernel"]
fn other_slots() {
    let maps = [hash("first"), hash("second")];
    let program = using(&[0, 1], &maps);
    let signature = sign(&program, signer());
    load(&program, Some(&signature)).accepted();
    let refused = |maps: &[MapDefinition]| {
        load(&using(&[0, 1], maps), Some(&signature))
            .refused(EKEYREJECTED, "statement does not list program");
    };
    let [first, second] = maps;
    refused(&[second.clone(), first.clone()]);
    refused(&[first.clone(), second.clone(), hash("third")]);
    refused(&[first.clone(), first.clone()]);
    for maps in [std::slice::from_ref(&first), &[]] {
        load(&using(&[0, 1], maps), Some(&signature)).refused(EINVAL, "refers to no slot of fd_array");
    }
    load_with(&program, Some(&signature), |attr| attr.fd_array_cnt = 1)
        .refused(EINVAL, "refers to no slot of fd_array");
}

/// References that are signed, but not to a map that the signature covers.
#[test]
#[ignore = "needs the patched kernel"]
fn references_beyond_the_slots() {
    for index in [1, 63, 64, -1, i32::MAX] {
        let program = using(&[0, index], &[hash("map")]);
        load(&program, Some(&sign(&program, signer()))).refused(EINVAL, "refers to no slot of fd_array");
    }
    let map = bpf::raw::create_map(&hash("map"), None).unwrap();
    for source in [1, 2] {
        let mut program = using(&[0], &[hash("map")]);
        program.insns.splice(0..0, insn::encode(map_address(source, map.as_raw_fd())));
        load(&program, Some(&sign(&program, signer())))
            .refused(EINVAL, "insn 0 refers to no slot of fd_array");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn slots_that_are_no_maps() {
    let program = using(&[0], &[hash("map")]);
    let signature = sign(&program, signer());
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    for (fd, errno) in [(-1, EBADF), (file.as_raw_fd(), EINVAL)] {
        let fds = [fd];
        load_with(&program, Some(&signature), |attr| attr.fd_array = fds.as_ptr() as u64)
            .refused(errno, &format!("fd {fd} is not pointing to valid bpf_map or btf"));
    }
    let btf = load_btf(&crate::load::program("xdp_lb")).unwrap();
    let fds = [btf.as_raw_fd()];
    load_with(&program, Some(&signature), |attr| attr.fd_array = fds.as_ptr() as u64)
        .refused(EINVAL, "slot 0 is not a map");
    load_with(&program, Some(&signature), |attr| attr.fd_array = 8).refused(libc::EFAULT, "");
    let map = bpf::raw::create_map(&hash("map"), None).unwrap();
    let fds = [map.as_raw_fd(); 65];
    load_with(&program, Some(&signature), |attr| {
        (attr.fd_array, attr.fd_array_cnt) = (fds.as_ptr() as u64, 65);
    })
    .refused(libc::E2BIG, "more than 64 maps");
}

/// As many as a program may use.
#[test]
#[ignore = "needs the patched kernel"]
fn sixty_four_maps() {
    let maps: Vec<_> = (0..64).map(|index| hash(&format!("map_{index}"))).collect();
    let indexes: Vec<_> = (0..64).collect();
    let program = using(&indexes, &maps);
    let loaded = load(&program, Some(&sign(&program, signer()))).accepted();
    assert_eq!(bpf::raw::map_ids(loaded.as_fd()).unwrap().len(), 64);
}

/// What is bound as a constant must be one: no helper writes to it.
#[test]
#[ignore = "needs the patched kernel"]
fn no_helper_writes_to_constants() {
    const SIZE: i32 = 64;
    const F_SLEEPABLE: u32 = 1 << 4;
    /// An argument of a helper.
    #[derive(Clone, Copy)]
    enum Argument {
        Context,
        /// Where it writes to.
        Output,
        /// Zeros that are constant.
        Zeros,
        Number(i32),
    }
    use Argument::{Context, Number, Output, Zeros};
    let size = Number(SIZE);
    let helpers: [(&str, i32, u32, &[Argument]); 7] = [
        ("snprintf", 165, 1, &[Output, size, Zeros, Number(0), Number(0)]),
        ("snprintf_btf", 149, 2, &[Output, size, Zeros, Number(16), Number(0)]),
        ("read_branch_records", 119, 7, &[Context, Output, size, Number(0)]),
        ("fib_lookup of XDP", 69, 6, &[Context, Output, size, Number(0)]),
        ("fib_lookup of tc", 69, 3, &[Context, Output, size, Number(0)]),
        ("sysctl_get_name", 101, 23, &[Context, Output, size, Number(0)]),
        ("sys_bpf", 166, 31, &[Number(0), Output, size]),
    ];
    let zeros = MapDefinition { value_size: SIZE as u32, ..constants(&[0; SIZE as usize]) };
    let writable = MapDefinition {
        name: "writable".into(),
        flags: 0,
        contents: Vec::new(),
        frozen: false,
        ..zeros.clone()
    };
    let slots = [zeros, writable].map(Arc::new);
    for (name, helper, prog_type, arguments) in helpers {
        let writing_to = |output: i32| {
            let mut insns = vec![Insn::alu64_reg(insn::AluOp::Mov, 6, 1)];
            for (register, argument) in (1u8..).zip(arguments) {
                let address = |slot| {
                    let [mut first, second] = map_address(insn::PSEUDO_MAP_IDX_VALUE, slot);
                    first.dst = register;
                    vec![first, second]
                };
                insns.extend(match argument {
                    Context => vec![Insn::alu64_reg(insn::AluOp::Mov, register, 6)],
                    Output => address(output),
                    Zeros => address(0),
                    Number(number) => vec![Insn::alu64_imm(insn::AluOp::Mov, register, *number)],
                });
            }
            insns.extend([Insn::call_helper(helper), Insn::alu64_imm(insn::AluOp::Mov, 0, 0), Insn::exit()]);
            let program = Program {
                prog_type,
                name: "writes".into(),
                license: "GPL".into(),
                flags: if prog_type == 31 { F_SLEEPABLE } else { 0 },
                insns: insn::encode(insns),
                slots: slots.to_vec(),
                ..Program::default()
            };
            println!("{name}, output in slot {output}");
            load(&program, None)
        };
        writing_to(1).accepted();
        writing_to(0).refused(EACCES, "");
    }
}
