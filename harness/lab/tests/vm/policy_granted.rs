//! `bpfsig policy report`, and policies that grant what is not signed. Signatures are not required here: what a policy
//! grants is on record all the same.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use bpfsig_loading::{Origin, ProgramInfo};
use bpfsig_signing::certificate::Purpose;
use bpfsig_signing::insn::{self, AluOp, Insn};
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;
use bpfsig_signing::uapi::prog_type;
use libbpf_rs::ObjectBuilder;
use libc::{EDQUOT, EINVAL, EKEYREJECTED, EPERM};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::{load, program, small};
use crate::loaded_object::bytes;
use crate::machine::{self, as_user};
use crate::policy_commands::{bpfsig, says, text};
use crate::policy_failures::{Limit, forged};
use crate::policy_keyring::bpf_keyring;

/// `enum bpf_func_id`.
const BPF_FUNC_PROBE_READ: i32 = 4;
const BPF_FUNC_GET_CURRENT_TASK: i32 = 35;
/// Programs of type `BPF_PROG_TYPE_SYSCALL` have to have it.
const BPF_F_SLEEPABLE: u32 = 1 << 4;

/// Starts a command and waits until it says this. Not for a time: while a machine that counts instructions waits for its
/// host, its clock goes from one timer to the next.
fn start(command: &mut Command, says: &str) -> Child {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said.trim_end(), says);
    child
}

fn start_report() -> Child {
    start(
        machine::bpfsig().args(["policy", "report", "--json"]).stdout(Stdio::piped()),
        "bpfsig: watching what is loaded; Ctrl-C ends it",
    )
}

fn end(child: &Child) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
}

fn finished(child: Child) -> Value {
    end(&child);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs the patched kernel"]
fn report_sees_what_is_gone_again() {
    let child = start_report();
    drop(load(&small(), None).accepted());
    drop(load(&small(), None).accepted());
    let report = finished(child);
    let loads = report["loads"].as_array().unwrap();
    let digest = Manifest::of(&small()).unwrap().digest().to_string();
    let entry = loads.iter().find(|entry| entry["digests"][0] == digest.as_str()).expect("not in the report");
    assert_eq!((&entry["count"], &entry["signed"]), (&2.into(), &false.into()));
    let executable = fs::read_link("/proc/self/exe").unwrap();
    assert_eq!(entry["executable"], executable.to_str().unwrap());
}

/// Somebody whose certificate is for these purposes, and the files that the command wants.
pub struct PolicySigner {
    folder: TempDir,
}

impl PolicySigner {
    pub fn new(purposes: &[Purpose]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [key, certificate] =
            ["key", "pem"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        let keys = std::env::var("BPFSIG_TEST_KEYS").unwrap();
        let mut arguments = vec!["keygen".to_owned(), "signer".into(), "--name".into(), "policy".into()];
        arguments.extend(["--algorithm", "p-256", "--key", &key, "--cert", &certificate].map(String::from));
        arguments.extend([
            "--ca-key".into(),
            format!("{keys}/ca.key"),
            "--ca-cert".into(),
            format!("{keys}/ca.pem"),
        ]);
        for purpose in purposes {
            arguments.extend(["--purpose".to_owned(), purpose.to_string()]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        says(&arguments);
        says(&["trust", "add", &certificate]);
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Signs a policy that grants one program.
    pub fn sign(&self, version: u64, digest: &str) -> String {
        self.sign_policy(&format!("version = {version}\n[[program]]\nname = 'small'\ndigest = '{digest}'\n"))
    }

    /// Signs a policy.
    fn sign_policy(&self, policy: &str) -> String {
        fs::write(self.path("policy.toml"), policy).unwrap();
        says(&[
            "policy",
            "sign",
            "--key",
            &self.path("key"),
            "--cert",
            &self.path("pem"),
            &self.path("policy.toml"),
        ]);
        self.path("policy.bpf.o")
    }
}

/// Has a policy attached until it is dropped.
pub struct Attached(Child);

impl Attached {
    pub fn new(policy: &str) -> Self {
        let mut command = machine::bpfsig();
        Self(start(
            command.args(["load", "--keyring", "bpf", "--attach", policy]).stdout(Stdio::null()),
            "bpfsig: attached until Ctrl-C",
        ))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        end(&self.0);
        self.0.wait().unwrap();
    }
}

/// Where the kernel says that a small unsigned program comes from.
fn origin() -> Option<Origin> {
    ProgramInfo::of(load(&small(), None).accepted().as_fd()).unwrap().origin
}

#[test]
#[ignore = "needs the patched kernel"]
fn a_policy_grants_what_it_names() {
    let signer = PolicySigner::new(&[Purpose::Program, Purpose::Policy]);
    let digest = Manifest::of(&small()).unwrap().digest().to_string();
    {
        let _policy = Attached::new(&signer.sign(1, &digest));
        assert!(matches!(origin(), Some(Origin::Granted(_))), "{:?}", origin());
    }
    assert_eq!(origin(), Some(Origin::Unsigned));
    {
        let _policy = Attached::new(&signer.sign(2, &"ab".repeat(32)));
        assert_eq!(origin(), Some(Origin::Unsigned));
    }
    // The machine has seen version 2.
    let _policy = Attached::new(&signer.sign(1, &digest));
    assert_eq!(origin(), Some(Origin::Unsigned));
}

/// A policy stays attached, and its key is gone.
#[test]
#[ignore = "needs the patched kernel"]
fn a_policy_grants_nothing_without_its_signer() {
    let signer = PolicySigner::new(&[Purpose::Program, Purpose::Policy]);
    let digest = Manifest::of(&small()).unwrap().digest().to_string();
    let _policy = Attached::new(&signer.sign(1, &digest));
    assert!(matches!(origin(), Some(Origin::Granted(_))), "{:?}", origin());
    bpf_keyring();
    assert_eq!(origin(), Some(Origin::Unsigned));
}

/// PID 1 loads what confines its services, whatever else of root's has failed.
#[test]
#[ignore = "needs the patched kernel"]
fn failures_of_others_do_not_stop_what_a_policy_grants() {
    let signer = PolicySigner::new(&[Purpose::Program, Purpose::Policy]);
    // Newer than the policies of the other tests.
    let _policy = Attached::new(&signer.sign(3, &Manifest::of(&small()).unwrap().digest().to_string()));
    let _limit = Limit::new("1");
    let forged = forged();
    as_user(2301, || {
        load(&small(), Some(&forged)).refused(EKEYREJECTED, "");
        load(&small(), Some(&forged)).refused(EDQUOT, "");
        assert!(matches!(origin(), Some(Origin::Granted(_))), "{:?}", origin());
    });
}

/// A load is described once, however many ask for the description, and whether or not the first time succeeded.
#[test]
#[ignore = "needs the patched kernel"]
fn several_ask_about_a_load() {
    let reports = [(); 2].map(|()| start_report());
    let _limit = Limit::new("1");
    let forged = forged();
    as_user(2300, || {
        // For a user in debt, the kernel hashes nothing of large programs.
        load(&small(), Some(&forged)).refused(EKEYREJECTED, "");
        load(&small(), Some(&forged)).refused(EDQUOT, "");
        drop(load(&program("straight-65536"), None).accepted());
        let opened = ObjectBuilder::default().open_memory(bytes("kfunc_affinity")).unwrap();
        drop(opened.load().unwrap());
    });
    for report in reports {
        let report = finished(report);
        let loads = report["loads"].as_array().unwrap();
        let of_user = loads.iter().filter(|entry| entry["uid"] == 2300);
        let digests: BTreeSet<_> = of_user.map(|entry| entry["digests"].as_array().unwrap().len()).collect();
        assert_eq!(digests, BTreeSet::from([0, 1]), "{report}");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn only_a_signer_of_policies_decides() {
    let stranger = PolicySigner::new(&[Purpose::Program]);
    let policy = stranger.path("policy.toml");
    fs::write(&policy, "version = 9").unwrap();
    let output =
        bpfsig(&["policy", "sign", "--key", &stranger.path("key"), "--cert", &stranger.path("pem"), &policy]);
    let (_, stderr) = text(&output);
    assert!(stderr.contains("the certificate is not for a policy"), "{stderr}");
}

/// A class's programs are the loader's own. None of them gets what takes `CAP_PERFMON`, whatever the class says.
#[test]
#[ignore = "needs the patched kernel"]
fn what_is_in_a_class_is_loaded_without_cap_perfmon() {
    let signer = PolicySigner::new(&[Purpose::Program, Purpose::Policy]);
    let class = |prog_type: &str| {
        format!(
            "[[class]]\nname = ''\ntype = '{prog_type}'\nmax-instructions = 7\n\
             helpers = ['get_current_task', 'probe_read']\n"
        )
    };
    // Newer than the policies of the other tests.
    let policy =
        format!("version = 4\n{}{}{}", class("socket_filter"), class("perf_event"), class("syscall"));
    let of = |prog_type: u32| Program {
        prog_type,
        expected_attach_type: 0,
        insns: insn::encode([Insn::call_helper(BPF_FUNC_GET_CURRENT_TASK), Insn::exit()]),
        ..small()
    };
    let [filter, event] = [prog_type::SOCKET_FILTER, prog_type::PERF_EVENT].map(of);
    // Its type can be loaded without the capability, but what it calls reads the kernel's memory.
    let syscall = Program {
        prog_type: prog_type::SYSCALL,
        flags: BPF_F_SLEEPABLE,
        insns: insn::encode([
            Insn::alu64_reg(AluOp::Mov, 1, 10),
            Insn::alu64_imm(AluOp::Add, 1, -8),
            Insn::alu64_imm(AluOp::Mov, 2, 8),
            Insn::alu64_imm(AluOp::Mov, 3, 0),
            Insn::call_helper(BPF_FUNC_PROBE_READ),
            Insn::alu64_imm(AluOp::Mov, 0, 0),
            Insn::exit(),
        ]),
        ..filter.clone()
    };
    load(&filter, None).accepted();
    load(&event, None).accepted();
    load(&syscall, None).accepted();
    let _policy = Attached::new(&signer.sign_policy(&policy));
    load(&filter, None).refused(EINVAL, "cannot use helper bpf_get_current_task");
    load(&event, None).refused(EPERM, "can't be granted blindly");
    load(&syscall, None).refused(EINVAL, "cannot use helper bpf_probe_read");
}
