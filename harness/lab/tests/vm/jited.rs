//! Native code of two loads of a program: the same, but for the addresses that it is at.

use bpfsig_loading::raw::Jited;

/// What an instruction refers to.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Something that is at the same address for all programs.
    Outside(u64),
    /// A function of the program, and how far into it.
    Inside(usize, u64),
}

fn place(code: &Jited, address: u64) -> Place {
    let inside = code.functions.iter().enumerate().find_map(|(index, (start, bytes))| {
        let offset = address.checked_sub(*start)?;
        (offset < bytes.len() as u64).then_some(Place::Inside(index, offset))
    });
    inside.unwrap_or(Place::Outside(address))
}

/// An operand of an x86-64 instruction that may have an address in it.
#[derive(Clone, Copy)]
enum Operand {
    /// Relative to what follows it, 4 bytes: of CALL, JMP and Jcc.
    Relative,
    /// Sign-extended, 4 bytes: of MOV.
    Short,
    /// 8 bytes: of MOV.
    Long,
}

impl Operand {
    /// The operand that begins `at` this byte, after its opcode.
    fn at(code: &[u8], at: usize) -> Option<Operand> {
        match code[..at] {
            [.., 0xe8 | 0xe9] | [.., 0x0f, 0x80..=0x8f] => Some(Operand::Relative),
            [.., 0x48 | 0x49, 0xc7, _] => Some(Operand::Short),
            [.., 0x48 | 0x49, 0xb8..=0xbf] => Some(Operand::Long),
            _ => None,
        }
    }

    fn size(self) -> usize {
        match self {
            Operand::Relative | Operand::Short => 4,
            Operand::Long => 8,
        }
    }

    /// The address that it stands for, in a function that is at `start`.
    fn address(self, code: &[u8], at: usize, start: u64) -> Option<u64> {
        let short = i64::from(i32::from_le_bytes(*code.get(at..)?.first_chunk()?));
        Some(match self {
            Operand::Relative => start.wrapping_add(at as u64 + 4).wrapping_add_signed(short),
            Operand::Short => short as u64,
            Operand::Long => u64::from_le_bytes(*code.get(at..)?.first_chunk()?),
        })
    }
}

/// Demands that two loads of a program are the same in native code. In `own_addresses` places they may have different
/// addresses of their own in the kernel.
pub fn same(name: &str, one: &Jited, other: &Jited, own_addresses: usize) {
    assert_eq!(one.functions.len(), other.functions.len(), "{name}");
    let mut own = 0;
    for (index, ((one_start, a), (other_start, b))) in one.functions.iter().zip(&other.functions).enumerate()
    {
        assert_eq!(a.len(), b.len(), "{name}: length of function {index}");
        let mut at = 0;
        while let Some(differs) = (at..a.len()).find(|at| a[*at] != b[*at]) {
            let explained = (differs.saturating_sub(7)..=differs).find_map(|start| {
                let operand = Operand::at(a, start).filter(|operand| start + operand.size() > differs)?;
                let place_a = place(one, operand.address(a, start, *one_start)?);
                let place_b = place(other, operand.address(b, start, *other_start)?);
                match (operand, place_a, place_b) {
                    (_, a, b) if a == b => Some((start + operand.size(), 0)),
                    (Operand::Long, Place::Outside(_), Place::Outside(_)) => Some((start + 8, 1)),
                    _ => None,
                }
            });
            let Some((next, count)) = explained else {
                panic!(
                    "{name}: byte {differs} of function {index}: {:#x}, not {:#x}",
                    a[differs], b[differs]
                );
            };
            at = next;
            own += count;
        }
    }
    assert_eq!(own, own_addresses, "{name}: addresses that are its own");
}

#[test]
fn addresses_are_told_apart_from_other_differences() {
    // A call to 0x3000, a call of the second function, a jump within, and a 64-bit address.
    let function = |start: u64, second: u64, own: u64| {
        let mut code = vec![0xe8];
        code.extend((0x3000u32).wrapping_sub(start as u32 + 5).to_le_bytes());
        code.push(0xe8);
        code.extend((second as u32).wrapping_sub(start as u32 + 10).to_le_bytes());
        code.extend([0x0f, 0x84, 2, 0, 0, 0, 0x48, 0xbf]);
        code.extend(own.to_le_bytes());
        (start, code)
    };
    let load =
        |start, second, own| Jited { functions: vec![function(start, second, own), (second, vec![0xc3; 8])] };
    let one = load(0x1000, 0x1800, 1 << 40);
    same("moved", &one, &load(0x5000, 0x7000, 1 << 41), 1);
    let fails = |change: fn(&mut Jited), own| {
        let mut other = load(0x5000, 0x7000, 1 << 41);
        change(&mut other);
        std::panic::catch_unwind(|| same("changed", &one, &other, own)).unwrap_err();
    };
    fails(|_| (), 0);
    // Another target outside, another place in the second function, another jump, another instruction.
    fails(|code| code.functions[0].1[1] ^= 1, 1);
    fails(|code| code.functions[0].1[6] ^= 1, 1);
    fails(|code| code.functions[0].1[12] ^= 1, 1);
    fails(|code| code.functions[1].1[0] ^= 1, 1);
    fails(|code| code.functions[1].1.truncate(7), 1);
}
