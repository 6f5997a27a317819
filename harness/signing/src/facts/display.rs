//! Facts in words.

use std::fmt;

use super::{Fact, Facts, Identity, Kind, Subprogram};
use crate::uapi::bits as names;

/// Names of bits, the lowest first.
type Bits = &'static [&'static str];

/// `BPF_FACTS_ON_*`.
const SWITCHES: Bits = &[
    "ptr_leaks",
    "uninit_stack",
    "bypass_spec_v1",
    "bypass_spec_v4",
    "bpf_capable",
    "strict_alignment",
    "jit",
    "jit_exceptions",
    "jit_arena",
    "jit_far_kfuncs",
    "jit_tail_calls",
    "jit_percpu",
    "jit_ptr_xchg",
    "jit_zext",
];

/// `BPF_FACTS_*`.
const FLAGS: Bits = &["direct_write", "enforce_attach", "writes_buf"];

/// `BPF_FACTS_SUBPROG_*`.
const SUBPROGRAM_FLAGS: Bits = &["cb", "async_cb", "unreliable", "keeps_spills"];

/// `enum bpf_fact_access`, from 1.
const ACCESS: &[&str] =
    &["the context", "a socket", "a sock_common", "a tcp_sock", "an xdp_sock", "a BTF object", "an arena"];

/// `BPF_FACT_MAP_*`.
const MAP_SEVERAL: u16 = 1 << 0;
const MAP_INNER: u16 = 1 << 1;

/// Such as `12: accesses the context`, `40: map #1 (inner)`, `50-52: never reached`.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fact { insn, kind, arg, value } = *self;
        match (kind, self.end()) {
            (Kind::DEAD, end) if end > u64::from(insn) + 1 => write!(f, "{insn}-{}: ", end - 1)?,
            _ => write!(f, "{insn}: ")?,
        }
        match kind {
            Kind::DEAD => f.write_str("never reached"),
            Kind::ACCESS => match usize::from(arg).checked_sub(1).and_then(|index| ACCESS.get(index)) {
                Some(what) => write!(f, "accesses {what}"),
                None => write!(f, "accesses something of kind {arg}"),
            },
            Kind::NOSPEC => f.write_str("needs a barrier against speculation"),
            Kind::ZEXT => f.write_str("clears the upper half of the result"),
            Kind::ARENA_ALU => f.write_str("arithmetic with a pointer to an arena"),
            Kind::SANITIZE => write!(f, "pointer arithmetic kept within {value} (how: {arg:#x})"),
            Kind::MAP if arg & MAP_SEVERAL != 0 => f.write_str("several maps"),
            Kind::MAP if arg & MAP_INNER != 0 => write!(f, "map #{value} (inner)"),
            Kind::MAP => write!(f, "map #{value}"),
            Kind::KEY => write!(f, "key {value}"),
            Kind::LOOP => write!(f, "inlined loop over function {value}"),
            Kind::ATOMIC => f.write_str("allocates without sleeping"),
            Kind::PERCPU => f.write_str("pointer to a pointer for each CPU"),
            Kind::OBJECT => match arg.checked_sub(1) {
                None => write!(f, "object of type {value}"),
                Some(map) => write!(f, "object of type {value} in the BTF of map #{map}"),
            },
            Kind::OBJECT_SIZE => write!(f, "object of {value} bytes"),
            Kind::NODE_OFFSET => write!(f, "node {value} bytes into the object"),
            Kind(kind) => write!(f, "fact of kind {kind}: {arg}, {value}"),
        }
    }
}

impl fmt::Display for Subprogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}, stack {} bytes", self.start, self.stack_depth)?;
        match self.flags {
            0 => Ok(()),
            flags => write!(f, ", {}", names(flags.into(), SUBPROGRAM_FLAGS)),
        }
    }
}

/// One field, function or fact a line.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { build_id, switches, cpus, modules_sha256, insns_sha256 } = &self.identity;
        let mut field = |name: &str, value: &dyn fmt::Display| writeln!(f, "  {name:<20} {value}");
        field("build_id", build_id)?;
        field("switches", &names(*switches, SWITCHES))?;
        field("cpus", cpus)?;
        field("modules_sha256", modules_sha256)?;
        field("insns_sha256", insns_sha256)?;
        field("flags", &names(self.flags, FLAGS))?;
        field("max_ctx_offset", &self.max_ctx_offset)?;
        field("max_pkt_offset", &self.max_pkt_offset)?;
        field("max_tp_access", &self.max_tp_access)?;
        field("max_rdonly_access", &self.max_rdonly_access)?;
        field("max_rdwr_access", &self.max_rdwr_access)?;
        field("insn_cnt", &self.insn_cnt)?;
        let per_insn = self.size() as f64 / f64::from(self.insn_cnt);
        field("size", &format_args!("{} bytes, {per_insn:.1} an instruction", self.size()))?;
        for (index, subprogram) in self.subprograms.iter().enumerate() {
            field(&format!("function {index}"), subprogram)?;
        }
        self.facts.iter().try_for_each(|fact| writeln!(f, "  {fact}"))
    }
}
