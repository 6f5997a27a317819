//! Programs that use functions and variables of the kernel and its modules.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::parent_id;
use std::process::{self, Command};

use bpfsig_lab::corpus;
use bpfsig_loading as bpf;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::object::Object;

use super::tracing::open_iterator;
use crate::loaded::{Hook, each_way, number};
use crate::packet::{ack, arp, syn, udp};
use crate::sandbox::network;
use crate::xlated;

/// `enum xdp_action`.
const DROP: u32 = 1;
const PASS: u32 = 2;

/// How many CPUs a list such as `0-1,3` has.
fn cpus(list: &str) -> u64 {
    let ranges = list.trim().split(',').map(|range| range.split_once('-').unwrap_or((range, range)));
    ranges.map(|(first, last)| last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1).sum()
}

#[test]
#[ignore = "needs the patched kernel"]
fn kfunc_affinity() {
    const NOBODY: u32 = 0x7fff_ffff;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    each_way("kfunc_affinity", |loaded| {
        let ask = |pid: u32| {
            let question = [pid, 0, 0, 0, 0].map(u32::to_ne_bytes).concat();
            bpf::raw::test_run(loaded.program("kfunc_affinity"), &[], &question).unwrap()
        };
        let answer = ask(process::id());
        assert_eq!(answer.retval, 0);
        let field = |index: usize| number(&answer.context[4 * index..][..4]);
        assert_eq!(field(2), cpus(allowed));
        assert_eq!(field(3), 1, "CPU 0 is one that it may use");
        assert_eq!(field(4), u64::from(parent_id()));
        assert_eq!(ask(NOBODY).retval, u32::MAX);
    });
}

/// Typed variables, one of a struct and one of a number.
#[test]
#[ignore = "needs the patched kernel"]
fn ksym_load() {
    let possible = cpus(&fs::read_to_string("/sys/devices/system/cpu/possible").unwrap());
    each_way("ksym_load", |loaded| {
        assert_eq!(bpf::raw::test_run(loaded.program("ksym_load"), &[], &[]).unwrap().retval, 0);
        assert_eq!(loaded.variable("load_cpus"), possible);
        // The machine has one CPU, and this test is running.
        assert!(loaded.variable("load_running") as u32 >= 1);
        assert_eq!(loaded.variable("load_in_program"), 0);
    });
}

/// Variables without a type: only their addresses matter.
#[test]
#[ignore = "needs the patched kernel"]
fn iter_bpf_holders() {
    const PROGRAM: u64 = 1;
    const LINK: u64 = 2;
    each_way("iter_bpf_holders", |loaded| {
        let links = loaded.attach(Hook::Section);
        let mut output = Vec::new();
        open_iterator(&links[0]).read_to_end(&mut output).unwrap();
        let (holders, rest) = output.as_chunks::<32>();
        assert!(rest.is_empty());
        let ours: Vec<_> = holders.iter().filter(|h| number(&h[..4]) == u64::from(process::id())).collect();
        let (id, _) = bpf::raw::program_id(loaded.program("iter_bpf_holder")).unwrap();
        let holds = |kind, id| {
            ours.iter().any(|holder| number(&holder[8..12]) == kind && id == number(&holder[12..16]))
        };
        assert!(holds(PROGRAM, u64::from(id)));
        let link = libbpf_rs::query::LinkInfo::from_fd(links[0].as_fd()).unwrap();
        assert!(holds(LINK, u64::from(link.id)));
        assert!(!holds(PROGRAM, u64::from(u32::MAX)));
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_payload_guard() {
    let frame = |payload: &[u8]| udp("192.0.2.1:1", "192.0.2.2:2", payload);
    each_way("xdp_payload_guard", |loaded| {
        let run = |frame: &[u8]| loaded.run("xdp_payload_guard", frame).retval;
        assert_eq!(run(&frame(b"evilevil and more")), PASS);
        loaded.set("payload_patterns", b"evilevil", &0u64.to_ne_bytes());
        assert_eq!(run(&frame(b"evilevil and more")), DROP);
        assert_eq!(run(&frame(b"evilevil")), DROP);
        assert_eq!(run(&frame(b"evilevi")), PASS, "too short");
        assert_eq!(run(&frame(b"goodgood")), PASS);
        assert_eq!(run(&arp()), PASS);
        assert_eq!(loaded.get("payload_patterns", b"evilevil").unwrap(), 2u64.to_ne_bytes());
    });
}

/// Functions of a module.
#[test]
#[ignore = "needs the patched kernel"]
fn xdp_ct_gate() {
    load_module("nf_conntrack");
    each_way("xdp_ct_gate", |loaded| {
        // Connections are tracked for each network.
        network(&[]);
        let run = |frame: &[u8]| loaded.run("xdp_ct_gate", frame).retval;
        let (from, to) = ("192.0.2.1:1000", "192.0.2.2:443");
        assert_eq!(run(&syn(from, to)), DROP, "no allowed port");
        loaded.set("gate_ports", &443u16.to_be_bytes(), &0u64.to_ne_bytes());
        assert_eq!(run(&ack(from, to)), DROP, "no connection");
        assert_eq!(run(&syn(from, to)), PASS);
        assert_eq!(run(&ack(from, to)), PASS);
        assert_eq!(run(&ack(to, from)), PASS, "the other direction");
        assert_eq!(run(&ack("192.0.2.1:1001", to)), DROP, "another connection");
        assert_eq!(run(&syn(from, to)), PASS, "once more");
        assert_eq!(loaded.get("gate_ports", &443u16.to_be_bytes()).unwrap(), 1u64.to_ne_bytes());
    });
}

/// Functions and variables are found at the same addresses that libbpf finds.
#[test]
#[ignore = "needs the patched kernel"]
fn xlated() {
    load_module("nf_conntrack");
    let mut count = 0;
    for (name, bytes) in corpus::objects() {
        if xlated::has_externs(&Object::parse(bytes).unwrap()) {
            count += xlated::same(name, bytes, &Choices::default(), None);
        }
    }
    assert_eq!(count, 6);
}

/// Loads a module of the running kernel, which `BPFSIG_TEST_MODULES` has in `lib/modules`.
pub fn load_module(name: &str) {
    let directory = std::env::var("BPFSIG_TEST_MODULES").expect("BPFSIG_TEST_MODULES says where modules are");
    let output = Command::new("modprobe").args(["--dirname", &directory, name]).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}
