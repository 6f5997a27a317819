//! The instruction encoding of eBPF (RFC 9669), as far as linking and generating programs needs it.

/// Bytes per instruction (`struct bpf_insn`).
pub const INSN_SIZE: usize = 8;

/// The opcode of a 64-bit immediate load (`BPF_LD | BPF_IMM | BPF_DW`).
pub const LD_IMM64: u8 = 0x18;
/// The opcode of a call to a helper, a function of the program or a kernel function (`BPF_JMP | BPF_CALL`).
pub const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// `src` of a [`CALL`]: a function of the same program, `imm` instructions after the next one.
pub const PSEUDO_CALL: u8 = 1;
/// `src` of a [`CALL`]: a function of the kernel.
pub const PSEUDO_KFUNC_CALL: u8 = 2;
/// `src` of a [`LD_IMM64`]: the address of a function of the same program (a callback).
pub const PSEUDO_FUNC: u8 = 4;
/// `src` of a [`LD_IMM64`]: the address of a variable or a function that the kernel's BTF describes.
pub const PSEUDO_BTF_ID: u8 = 3;

/// `src` of a [`LD_IMM64`]: the address of a map, `imm` is its index in `fd_array`.
pub const PSEUDO_MAP_IDX: u8 = 5;
/// `src` of a [`LD_IMM64`]: the address of the first value of a map plus the upper half's `imm`; `imm` is its index in
/// `fd_array`.
pub const PSEUDO_MAP_IDX_VALUE: u8 = 6;

/// Arithmetic operations (`BPF_OP` of the ALU classes), as far as programs here use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of RFC 9669, section 4.1")]
pub enum AluOp {
    Add = 0x00,
    Mul = 0x20,
    Rsh = 0x70,
    Xor = 0xa0,
    Mov = 0xb0,
}

/// Conditions of a jump (`BPF_OP` of the JMP classes), as far as programs here use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of RFC 9669, section 4.3")]
pub enum JumpOp {
    Eq = 0x10,
    Set = 0x40,
    Lt = 0xa0,
}

/// The width of a load, as far as programs here use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of RFC 9669, section 5")]
pub enum Width {
    W = 0x00,
    B = 0x10,
    DW = 0x18,
}

/// One 8-byte instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insn {
    /// Opcode.
    pub code: u8,
    /// Destination register.
    pub dst: u8,
    /// Source register, or what `imm` means in a call and a 64-bit immediate load.
    pub src: u8,
    /// Jump or memory offset.
    pub off: i16,
    /// Immediate value.
    pub imm: i32,
}

impl Insn {
    /// Decodes an instruction.
    pub fn decode(bytes: [u8; INSN_SIZE]) -> Self {
        let [code, regs, o0, o1, i0, i1, i2, i3] = bytes;
        Self {
            code,
            dst: regs & 0xf,
            src: regs >> 4,
            off: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        }
    }

    /// Encodes the instruction.
    pub fn encode(self) -> [u8; INSN_SIZE] {
        let [o0, o1] = self.off.to_le_bytes();
        let [i0, i1, i2, i3] = self.imm.to_le_bytes();
        [self.code, self.src << 4 | self.dst, o0, o1, i0, i1, i2, i3]
    }

    /// `dst = dst OP imm`, 64 bits.
    pub fn alu64_imm(op: AluOp, dst: u8, imm: i32) -> Self {
        Self { code: 0x07 | op as u8, dst, imm, ..Self::default() }
    }

    /// `dst = dst OP src`, 64 bits.
    pub fn alu64_reg(op: AluOp, dst: u8, src: u8) -> Self {
        Self { code: 0x0f | op as u8, dst, src, ..Self::default() }
    }

    /// `if dst OP imm goto pc + off`, 64 bits.
    pub fn jump_imm(op: JumpOp, dst: u8, imm: i32, off: i16) -> Self {
        Self { code: 0x05 | op as u8, dst, off, imm, ..Self::default() }
    }

    /// `dst = *(src + off)`.
    pub fn load(width: Width, dst: u8, src: u8, off: i16) -> Self {
        Self { code: 0x61 | width as u8, dst, src, off, ..Self::default() }
    }

    /// Calls the helper with number `id`.
    pub fn call_helper(id: i32) -> Self {
        Self { code: CALL, imm: id, ..Self::default() }
    }

    /// Returns r0.
    pub fn exit() -> Self {
        Self { code: EXIT, ..Self::default() }
    }
}

/// Encodes a sequence of instructions.
pub fn encode(insns: impl IntoIterator<Item = Insn>) -> Vec<u8> {
    insns.into_iter().flat_map(Insn::encode).collect()
}

/// Decodes whole instructions; trailing bytes that are not a whole instruction are left out.
pub fn decode(bytes: &[u8]) -> impl Iterator<Item = Insn> {
    bytes.as_chunks().0.iter().copied().map(Insn::decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as `llvm-mc -triple bpfel -show-encoding` prints them.
    #[test]
    fn encodes_like_llvm() {
        for (insn, bytes) in [
            (Insn::alu64_imm(AluOp::Mov, 0, 1), [0xb7, 0x00, 0, 0, 1, 0, 0, 0]),
            (Insn::alu64_imm(AluOp::Add, 3, -1), [0x07, 0x03, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            (Insn::alu64_reg(AluOp::Xor, 1, 2), [0xaf, 0x21, 0, 0, 0, 0, 0, 0]),
            (Insn::jump_imm(JumpOp::Lt, 0, 5, -2), [0xa5, 0x00, 0xfe, 0xff, 5, 0, 0, 0]),
            (Insn::load(Width::W, 2, 1, 16), [0x61, 0x12, 16, 0, 0, 0, 0, 0]),
            (Insn::call_helper(7), [0x85, 0x00, 0, 0, 7, 0, 0, 0]),
            (Insn::exit(), [0x95, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(insn.encode(), bytes, "{insn:?}");
            assert_eq!(Insn::decode(bytes), insn);
        }
    }
}
