//! What the kernel makes of a program is the same whether it verifies it or takes facts about it.

use std::os::fd::AsFd;

use bpfsig_lab::corpus;
use bpfsig_loading::{self as bpf, Attested};
use bpfsig_signing::object::Object;
use bpfsig_signing::program::{Attach, Program};

use super::{Subject, SwitchedOn, attested};
use crate::behaviour::load_module;
use crate::jited;
use crate::xdp_tools;
use crate::xlated::{self, Normal};

/// Bytes of instructions that the kernel can show: it copies them to one piece of memory.
const DUMPABLE: usize = 4 << 20;

/// Programs, and what became of them.
#[derive(Default)]
struct Tally {
    attested: usize,
    /// Why the kernel had to verify others.
    verified: Vec<String>,
    insns: usize,
    facts_size: usize,
}

impl Tally {
    fn add(&mut self, program: &Program) {
        let name = &program.name;
        let subject = Subject::new(program.clone());
        let outcome = subject.export();
        let log = outcome.log.clone();
        let verified = outcome.accepted();
        let facts = bpf::raw::facts(verified.as_fd()).unwrap();
        if facts.is_empty() {
            let reason = log.lines().find(|line| line.starts_with("attestation: ")).unwrap_or(&log);
            self.verified.push(format!("{name}: {reason}"));
            return;
        }

        let outcome = subject.load_attested(&facts);
        let log = outcome.log.clone();
        let program = outcome.accepted();
        let became = attested(program.as_fd());
        assert!(matches!(became, Attested::Attested { .. }), "{name}: {became}: {log}");
        assert!(log.contains("processed 0 insns"), "{name}: {log}");
        let mut own = 0;
        if subject.program.insns.len() <= DUMPABLE {
            let [one, other] = [&verified, &program].map(|program| xlated::normalised(program.as_fd()));
            xlated::demand_same(name, "attested", &one, &other);
            own = one.iter().filter(|insn| matches!(insn, Normal::OwnAddress(_))).count();
        }
        let [one, other] = [&verified, &program].map(|program| bpf::raw::jited(program.as_fd()).unwrap());
        jited::same(name, &one, &other, own);

        self.attested += 1;
        self.insns += subject.program.insn_count() as usize;
        self.facts_size += facts.len();
    }

    /// Shows the figures, and demands that all programs were attested but those that are `expected` not to be.
    fn end(self, what: &str, expected: &[&str]) {
        let Tally { attested, verified, insns, facts_size } = self;
        println!(
            "{what}: {attested} programs attested, {} verified; {:.1} bytes of facts an instruction",
            verified.len(),
            facts_size as f64 / insns as f64
        );
        for line in &verified {
            println!("{what}: verified: {line}");
        }
        assert!(attested > 0);
        assert_eq!(verified, expected);
    }
}

/// Programs that attach to another one depend on that one, and so can't be attested.
fn attaches_to_program(program: &Program) -> bool {
    matches!(program.attach, Attach::Program { .. })
}

#[test]
#[ignore = "needs the patched kernel"]
fn programs_of_the_corpus() {
    let _on = SwitchedOn::new();
    load_module("nf_conntrack");
    let mut tally = Tally::default();
    for entry in corpus::programs().unwrap() {
        if !attaches_to_program(&entry.program) {
            tally.add(&entry.program);
        }
    }
    tally.end("corpus", &[]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn ladders() {
    let _on = SwitchedOn::new();
    let mut tally = Tally::default();
    for entry in corpus::ladders() {
        tally.add(&entry.program);
    }
    tally.end("ladders", &[]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn programs_of_xdp_tools() {
    let _on = SwitchedOn::new();
    let mut tally = Tally::default();
    for (name, bytes) in xdp_tools::objects() {
        if name == xdp_tools::DUMP {
            continue;
        }
        for program in Object::parse(&bytes).unwrap().programs() {
            if !program.section.starts_with('?') && !attaches_to_program(program) {
                tally.add(program);
            }
        }
    }
    tally.end("xdp-tools", &[]);
}
