use bpfsig_signing::Digest;
use bpfsig_signing::facts::{BuildId, Fact, Facts, FactsError, Identity, Kind, Subprogram};
use proptest::prelude::*;

fn fact(insn: u32, kind: Kind, arg: u16, value: u32) -> Fact {
    Fact { insn, kind, arg, value }
}

fn facts() -> Facts {
    Facts {
        insn_cnt: 0x0120,
        identity: Identity {
            build_id: BuildId([0xb1; 20]),
            switches: 0x41,
            cpus: 2,
            modules_sha256: Digest([0xaa; 32]),
            insns_sha256: Digest::ZERO,
        },
        flags: 1,
        max_ctx_offset: 0x0102_0304,
        max_pkt_offset: 5,
        max_tp_access: 6,
        max_rdonly_access: 7,
        max_rdwr_access: 8,
        subprograms: vec![
            Subprogram { start: 0, stack_depth: 0x0110, flags: 0 },
            Subprogram { start: 0x20, stack_depth: 0, flags: 4 },
        ],
        facts: vec![
            fact(1, Kind::ACCESS, 1, 0),
            fact(0x21, Kind::MAP, 2, 1),
            fact(0x21, Kind::KEY, 0, 3),
            fact(0x22, Kind::DEAD, 0, 0xfe),
        ],
    }
}

#[test]
fn layout_is_as_the_kernel_has_it() {
    let mut bytes = b"BPFFACTS".to_vec();
    bytes.extend([1, 0, 0, 0, 0x20, 1, 0, 0]);
    bytes.extend([0xb1; 20]);
    bytes.extend([0x41, 0, 0, 0, 2, 0, 0, 0]);
    bytes.extend([0xaa; 32]);
    bytes.extend([0; 32]);
    bytes.extend([1, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0]);
    bytes.extend([2, 0, 0, 0, 4, 0, 0, 0]);
    bytes.extend([0, 0, 0, 0, 0x10, 1, 0, 0]);
    bytes.extend([0x20, 0, 0, 0, 0, 0, 4, 0]);
    bytes.extend([1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0]);
    bytes.extend([0x21, 0, 0, 0, 7, 0, 2, 0, 1, 0, 0, 0]);
    bytes.extend([0x21, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0]);
    bytes.extend([0x22, 0, 0, 0, 1, 0, 0, 0, 0xfe, 0, 0, 0]);

    assert_eq!(facts().encode(), bytes);
    assert_eq!(facts().size(), bytes.len());
    assert_eq!(Facts::decode(&bytes).unwrap(), facts());
}

/// What a kernel has exported about the program of xdp-tools' `xdpfilt_dny_all.o`.
#[test]
fn facts_of_a_kernel() {
    let bytes = hex::decode(include_str!("../data/facts.hex").trim()).unwrap();
    let facts = Facts::decode(&bytes).unwrap();
    assert_eq!((facts.insn_cnt, facts.max_ctx_offset, facts.max_pkt_offset), (437, 8, 10323));
    assert_eq!(facts.subprograms, [Subprogram { start: 0, stack_depth: 24, flags: 8 }]);
    assert_eq!(facts.facts.len(), 15);
    assert_eq!(facts.facts[0].to_string(), "1: accesses the context");
    assert_eq!(facts.facts[14].to_string(), "427: map #4");
    assert_eq!(facts.encode(), bytes);
}

#[test]
fn malformed_facts_are_told_apart() {
    let decode = |change: fn(&mut Vec<u8>)| {
        let mut bytes = facts().encode();
        change(&mut bytes);
        Facts::decode(&bytes).unwrap_err()
    };
    assert_eq!(decode(Vec::clear), FactsError::Magic);
    assert_eq!(decode(|bytes| bytes[0] = b'b'), FactsError::Magic);
    assert_eq!(decode(|bytes| bytes[8] = 2), FactsError::Version(2));
    assert_eq!(decode(|bytes| bytes.truncate(139)), FactsError::Size { expected: 140, actual: 139 });
    assert_eq!(decode(|bytes| bytes.push(0)), FactsError::Size { expected: 204, actual: 205 });
    assert_eq!(
        decode(|bytes| bytes[136..140].fill(0xff)),
        FactsError::Size { expected: 51_539_607_696, actual: 204 }
    );
}

#[test]
fn facts_that_no_program_can_have_are_named() {
    let decode = |change: fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        Facts::decode(&facts.encode()).unwrap_err().to_string()
    };
    type Change = fn(&mut Facts);
    let cases: [(Change, &str); 10] = [
        (|f| f.subprograms[0].start = 1, "function 0 of the facts does not begin after the one before"),
        (|f| f.subprograms[1].start = 0, "function 1 of the facts does not begin after the one before"),
        (|f| f.subprograms[1].start = 0x120, "function 1 of the facts begins after the program's end"),
        (|f| f.facts[0].kind = Kind(0), "fact 0 is of an unknown kind"),
        (|f| f.facts[0].kind = Kind(15), "fact 0 is of an unknown kind"),
        (|f| f.facts[3].value = 0, "fact 3 is about no instruction"),
        (|f| f.facts[3].value = 0xff, "fact 3 is about instructions after the program's end"),
        (|f| f.facts[3].value = u32::MAX, "fact 3 is about instructions after the program's end"),
        (|f| f.facts.swap(1, 2), "fact 2 is not in order"),
        (|f| f.facts[0] = fact(0, Kind::DEAD, 0, 0x22), "fact 1 is not in order"),
    ];
    for (change, message) in cases {
        assert_eq!(decode(change), message);
    }
}

#[test]
fn facts_in_words() {
    let words = [
        (fact(50, Kind::DEAD, 0, 1), "50: never reached"),
        (fact(50, Kind::DEAD, 0, 3), "50-52: never reached"),
        (fact(12, Kind::ACCESS, 1, 0), "12: accesses the context"),
        (fact(12, Kind::ACCESS, 7, 0), "12: accesses an arena"),
        (fact(12, Kind::ACCESS, 8, 0), "12: accesses something of kind 8"),
        (fact(12, Kind::ACCESS, 0, 0), "12: accesses something of kind 0"),
        (fact(40, Kind::MAP, 0, 1), "40: map #1"),
        (fact(40, Kind::MAP, 2, 1), "40: map #1 (inner)"),
        (fact(40, Kind::MAP, 1, 0), "40: several maps"),
        (fact(7, Kind::OBJECT, 0, 9), "7: object of type 9"),
        (fact(7, Kind::OBJECT, 1, 9), "7: object of type 9 in the BTF of map #0"),
    ];
    for (fact, expected) in words {
        assert_eq!(fact.to_string(), expected);
    }
}

#[test]
fn all_facts_are_shown_with_names_and_their_size() {
    let text = facts().to_string();
    for line in [
        "  build_id             b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1",
        "  switches             ptr_leaks, jit",
        "  flags                direct_write",
        "  size                 204 bytes, 0.7 an instruction",
        "  function 0           from 0, stack 272 bytes",
        "  function 1           from 32, stack 0 bytes, unreliable",
        "  33: map #1 (inner)",
        "  34-287: never reached",
    ] {
        assert!(text.lines().any(|shown| shown == line), "no `{line}` in\n{text}");
    }
    let unknown = Facts { flags: 1 << 31 | 2, ..facts() }.to_string();
    assert!(unknown.contains("enforce_attach, bit 31"), "{unknown}");
}

proptest! {
    #[test]
    fn what_decodes_is_what_would_be_encoded(at in 0..204usize, byte: u8, length in 0..220usize) {
        let mut bytes = facts().encode();
        bytes[at] = byte;
        bytes.resize(length, 0);
        if let Ok(facts) = Facts::decode(&bytes) {
            prop_assert_eq!(facts.encode(), bytes);
        }
    }
}
