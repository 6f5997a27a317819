//! Facts: what the verifier of one kernel learned about a program, as far as later passes use it.
//!
//! A kernel exports them when it has verified a program, and the same kernel on another machine takes them instead of
//! exploring the program again, if an [attestation](crate::attestation) vouches for them. Nothing here can tell whether
//! they are true.

mod display;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::fields::Fields;

const MAGIC: [u8; 8] = *b"BPFFACTS";
const VERSION: u32 = 1;
/// Bytes of `struct bpf_facts`, which subprograms and facts follow.
pub const HEADER_SIZE: usize = 140;
/// Bytes of `struct bpf_facts_subprog` and `struct bpf_fact`.
const SUBPROGRAM_SIZE: usize = 8;
const FACT_SIZE: usize = 12;

/// The build id of a kernel. Shown and serialised as 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuildId(#[serde(with = "hex::serde")] pub [u8; BuildId::SIZE]);

impl BuildId {
    /// Bytes in a build id (`BUILD_ID_SIZE_MAX`); a shorter one is filled up with zeros.
    pub const SIZE: usize = 20;
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The conditions under which facts hold (`struct bpf_facts_identity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The kernel.
    pub build_id: BuildId,
    /// How the verifier was set up: bits `BPF_FACTS_ON_*`.
    pub switches: u32,
    /// The number of possible CPUs; 0 for a program that does not ask which one it runs on.
    pub cpus: u32,
    /// Chained over the BTF of each module that the program uses; [`Digest::ZERO`] if it uses none.
    pub modules_sha256: Digest,
    /// The instructions after CO-RE; [`Digest::ZERO`] for a program without.
    pub insns_sha256: Digest,
}

/// A function of the program (`struct bpf_facts_subprog`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Subprogram {
    /// Its first instruction.
    pub start: u32,
    /// Bytes of stack that it uses.
    pub stack_depth: u16,
    /// Bits `BPF_FACTS_SUBPROG_*`.
    pub flags: u16,
}

/// What a fact is about (`enum bpf_fact_kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Kind(pub u16);

#[allow(missing_docs)]
impl Kind {
    pub const DEAD: Kind = Kind(1);
    pub const ACCESS: Kind = Kind(2);
    pub const NOSPEC: Kind = Kind(3);
    pub const ZEXT: Kind = Kind(4);
    pub const ARENA_ALU: Kind = Kind(5);
    pub const SANITIZE: Kind = Kind(6);
    pub const MAP: Kind = Kind(7);
    pub const KEY: Kind = Kind(8);
    pub const LOOP: Kind = Kind(9);
    pub const ATOMIC: Kind = Kind(10);
    pub const PERCPU: Kind = Kind(11);
    pub const OBJECT: Kind = Kind(12);
    pub const OBJECT_SIZE: Kind = Kind(13);
    pub const NODE_OFFSET: Kind = Kind(14);
}

/// One fact (`struct bpf_fact`). Shown in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The instruction, numbered as it is loaded; of several, the first.
    pub insn: u32,
    /// What it is about.
    pub kind: Kind,
    /// Depends on the kind.
    pub arg: u16,
    /// Depends on the kind.
    pub value: u32,
}

impl Fact {
    /// The instruction after the last one that the fact is about.
    fn end(&self) -> u64 {
        let count = if self.kind == Kind::DEAD { self.value } else { 1 };
        u64::from(self.insn) + u64::from(count)
    }
}

/// All facts about a program (`struct bpf_facts` and what follows it).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Instructions of the program.
    pub insn_cnt: u32,
    /// The conditions under which they hold.
    pub identity: Identity,
    /// Bits `BPF_FACTS_*`.
    pub flags: u32,
    /// Bytes of the context that the program accesses.
    pub max_ctx_offset: u32,
    /// Bytes of packets that it accesses.
    pub max_pkt_offset: u32,
    /// Bytes of a writable raw tracepoint's buffer that it accesses.
    pub max_tp_access: u32,
    /// Bytes of a read-only buffer that it accesses.
    pub max_rdonly_access: u32,
    /// Bytes of a buffer that it accesses and may write to.
    pub max_rdwr_access: u32,
    /// The program's functions, in order.
    pub subprograms: Vec<Subprogram>,
    /// Ordered by instruction, then by kind.
    pub facts: Vec<Fact>,
}

/// Why something is not facts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// Something else.
    #[error("not facts: they do not begin with `BPFFACTS`")]
    Magic,
    /// Facts of another version.
    #[error("facts of version {0} are not supported")]
    Version(u32),
    /// Facts whose size is not what their header says.
    #[error("the facts have {actual} bytes instead of {expected}")]
    Size {
        /// Bytes that they should have.
        expected: u64,
        /// Bytes that they have.
        actual: u64,
    },
    /// A function that the program can't have.
    #[error("function {index} of the facts {problem}")]
    Subprogram {
        /// Which one.
        index: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A fact that can't be one.
    #[error("fact {index} {problem}")]
    Fact {
        /// Which one.
        index: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Facts {
    /// Reads facts. Whether each is one that its instruction can have is for the kernel to say, which has the program.
    ///
    /// # Errors
    ///
    /// A [`FactsError`] if they are cut off, out of order or about instructions that the program does not have.
    pub fn decode(bytes: &[u8]) -> Result<Self, FactsError> {
        let size = |expected| FactsError::Size { expected, actual: bytes.len() as u64 };
        if bytes.first_chunk() != Some(&MAGIC) {
            return Err(FactsError::Magic);
        }
        let mut fields = Fields(&bytes[MAGIC.len()..]);
        let version = fields.u32().ok_or(size(HEADER_SIZE as u64))?;
        if version != VERSION {
            return Err(FactsError::Version(version));
        }
        let (mut facts, subprogram_cnt, fact_cnt) =
            Self::header(&mut fields).ok_or(size(HEADER_SIZE as u64))?;
        let expected = HEADER_SIZE as u64
            + SUBPROGRAM_SIZE as u64 * u64::from(subprogram_cnt)
            + FACT_SIZE as u64 * u64::from(fact_cnt);
        if bytes.len() as u64 != expected {
            return Err(size(expected));
        }

        let subprograms = (0..subprogram_cnt).map_while(|_| {
            Some(Subprogram { start: fields.u32()?, stack_depth: fields.u16()?, flags: fields.u16()? })
        });
        facts.subprograms = subprograms.collect();
        let list = (0..fact_cnt).map_while(|_| {
            Some(Fact {
                insn: fields.u32()?,
                kind: Kind(fields.u16()?),
                arg: fields.u16()?,
                value: fields.u32()?,
            })
        });
        facts.facts = list.collect();
        facts.check_subprograms()?;
        facts.check_facts()?;
        Ok(facts)
    }

    /// What follows magic and version: all but the lists, and their lengths.
    fn header(fields: &mut Fields<'_>) -> Option<(Self, u32, u32)> {
        let facts = Facts {
            insn_cnt: fields.u32()?,
            identity: Identity {
                build_id: BuildId(fields.take()?),
                switches: fields.u32()?,
                cpus: fields.u32()?,
                modules_sha256: Digest(fields.take()?),
                insns_sha256: Digest(fields.take()?),
            },
            flags: fields.u32()?,
            max_ctx_offset: fields.u32()?,
            max_pkt_offset: fields.u32()?,
            max_tp_access: fields.u32()?,
            max_rdonly_access: fields.u32()?,
            max_rdwr_access: fields.u32()?,
            subprograms: Vec::new(),
            facts: Vec::new(),
        };
        Some((facts, fields.u32()?, fields.u32()?))
    }

    fn check_subprograms(&self) -> Result<(), FactsError> {
        for (index, subprogram) in self.subprograms.iter().enumerate() {
            let follows = match index.checked_sub(1) {
                None => subprogram.start == 0,
                Some(before) => subprogram.start > self.subprograms[before].start,
            };
            let refuse = |problem| Err(FactsError::Subprogram { index, problem });
            if !follows {
                return refuse("does not begin after the one before");
            }
            if subprogram.start >= self.insn_cnt {
                return refuse("begins after the program's end");
            }
        }
        Ok(())
    }

    fn check_facts(&self) -> Result<(), FactsError> {
        // The instruction and the kind that the next fact must not be before.
        let mut next = (0, Kind::DEAD);
        for (index, fact) in self.facts.iter().enumerate() {
            let refuse = |problem| Err(FactsError::Fact { index, problem });
            if !(Kind::DEAD..=Kind::NODE_OFFSET).contains(&fact.kind) {
                return refuse("is of an unknown kind");
            }
            if fact.end() == u64::from(fact.insn) {
                return refuse("is about no instruction");
            }
            if fact.end() > u64::from(self.insn_cnt) {
                return refuse("is about instructions after the program's end");
            }
            if (u64::from(fact.insn), fact.kind) < next {
                return refuse("is not in order");
            }
            next = match fact.kind {
                Kind::DEAD => (fact.end(), Kind::DEAD),
                Kind(kind) => (fact.insn.into(), Kind(kind + 1)),
            };
        }
        Ok(())
    }

    /// The facts as the kernel takes them: `140 + 8 × functions + 12 × facts` bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Identity { build_id, switches, cpus, modules_sha256, insns_sha256 } = &self.identity;
        let mut bytes = Vec::with_capacity(self.size());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.insn_cnt.to_le_bytes());
        bytes.extend(build_id.0);
        bytes.extend(switches.to_le_bytes());
        bytes.extend(cpus.to_le_bytes());
        bytes.extend(modules_sha256.0);
        bytes.extend(insns_sha256.0);
        let numbers = [
            self.flags,
            self.max_ctx_offset,
            self.max_pkt_offset,
            self.max_tp_access,
            self.max_rdonly_access,
            self.max_rdwr_access,
            self.subprograms.len() as u32,
            self.facts.len() as u32,
        ];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        for Subprogram { start, stack_depth, flags } in &self.subprograms {
            bytes.extend(start.to_le_bytes());
            bytes.extend(stack_depth.to_le_bytes());
            bytes.extend(flags.to_le_bytes());
        }
        for Fact { insn, kind, arg, value } in &self.facts {
            bytes.extend(insn.to_le_bytes());
            bytes.extend(kind.0.to_le_bytes());
            bytes.extend(arg.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes
    }

    /// Their size in bytes.
    pub fn size(&self) -> usize {
        HEADER_SIZE + SUBPROGRAM_SIZE * self.subprograms.len() + FACT_SIZE * self.facts.len()
    }
}
