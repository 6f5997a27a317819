//! `bpfsig load`, as a user types it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use bpfsig_lab::jobs::message;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::{self, Description};
use bpfsig_signing::embed;
use bpfsig_signing::object::Object;
use libbpf_rs::query::{LinkTypeInfo, PerfEventType, ProgInfoIter};
use libbpf_rs::{Link, MapCore as _, MapFlags, MapHandle, ProgramHandle, RingBufferBuilder};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::loaded_object::{self, bytes, sign};
use crate::machine;

const TEN_SECONDS: std::time::Duration = std::time::Duration::from_secs(10);

/// A directory with signed objects, and a BPF file system.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let bpffs = directory.path().join("bpf");
        fs::create_dir(&bpffs).unwrap();
        run("mount", ["-t", "bpf", "bpf", bpffs.to_str().unwrap()]);
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes an object of the corpus with a signature beside it.
    fn signed(&self, name: &str) -> PathBuf {
        self.write(&format!("{name}.p7s"), &sign(&Object::parse(bytes(name)).unwrap()));
        self.write(name, bytes(name))
    }

    /// Compiles an object and writes it with a signature beside it.
    fn compiled(&self, name: &str) -> PathBuf {
        let bytes = loaded_object::compile(name);
        self.write(&format!("{name}.p7s"), &sign(&Object::parse(&bytes).unwrap()));
        self.write(name, &bytes)
    }

    /// Where things are pinned.
    fn pins(&self) -> PathBuf {
        self.path("bpf/pins")
    }

    /// What is pinned, in order; none if there is no directory.
    fn pinned(&self) -> Option<Vec<String>> {
        let entries = fs::read_dir(self.pins()).ok()?;
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        Some(names)
    }

    /// Loads and pins an object of the corpus.
    #[track_caller]
    fn load<const N: usize>(&self, name: &str, arguments: [&str; N]) -> Value {
        self.load_file(&self.signed(name), arguments)
    }

    /// Loads and pins an object that is signed.
    #[track_caller]
    fn load_file<const N: usize>(&self, object: &Path, arguments: [&str; N]) -> Value {
        let mut command = load();
        command.arg(object).args(["--json", "--pin"]).arg(self.pins()).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Unpins everything.
    fn clear(&self) {
        fs::remove_dir_all(self.pins()).unwrap();
    }

    fn link(&self, name: &str) -> LinkTypeInfo {
        Link::open(self.pins().join(format!("{name}_link"))).unwrap().info().unwrap().info
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        run("umount", [self.path("bpf").to_str().unwrap()]);
    }
}

fn load() -> Command {
    let mut command = machine::bpfsig();
    command.arg("load");
    command
}

fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program}: {status}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The command must fail, with this in its message.
#[track_caller]
fn fails(command: &mut Command, message: &str) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("bpfsig: error: ") && stderr.contains(message),
        "`{message}` is not in: {stderr}"
    );
    stderr
}

/// A pair of network devices.
struct Veth(&'static str);

impl Veth {
    fn new() -> Self {
        run("ip", ["link", "add", "sig0", "type", "veth", "peer", "name", "sig1"]);
        Self("sig0")
    }

    fn index(&self) -> u32 {
        nix::net::if_::if_nametoindex(self.0).unwrap()
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        run("ip", ["link", "delete", self.0]);
    }
}

/// A control group of the unified hierarchy.
struct Cgroup(TempDir);

impl Cgroup {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        run("mount", ["-t", "cgroup2", "cgroup2", directory.path().to_str().unwrap()]);
        fs::create_dir_all(directory.path().join("bpfsig-test")).unwrap();
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("bpfsig-test")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        fs::remove_dir(self.path()).unwrap();
        run("umount", [self.0.path()]);
    }
}

/// To libbpf, they are maps and programs like any other.
#[test]
#[ignore = "needs the patched kernel"]
fn pinned_maps_and_programs() {
    let place = Place::new();
    let report = place.load("cgroup_port_stats", []);
    assert_eq!(place.pinned().unwrap(), ["_bss", "_rodata", "cgroup_ports"]);

    let bss = MapHandle::from_pinned_path(place.pins().join("_bss")).unwrap();
    let key = 0u32.to_ne_bytes();
    let mut counters = bss.lookup(&key, MapFlags::ANY).unwrap().unwrap();
    assert!(counters.iter().all(|byte| *byte == 0));
    counters[0] = 7;
    bss.update(&key, &counters, MapFlags::ANY).unwrap();
    assert_eq!(bss.lookup(&key, MapFlags::ANY).unwrap().unwrap(), counters);

    let rodata = MapHandle::from_pinned_path(place.pins().join("_rodata")).unwrap();
    let constants = rodata.lookup(&key, MapFlags::ANY).unwrap().unwrap();
    assert_eq!(constants[..4], [53, 0, 17, 1], "the first service");
    assert!(rodata.update(&key, &constants, MapFlags::ANY).is_err(), "it is frozen");

    let program = ProgramHandle::from_pinned_path(place.pins().join("cgroup_ports")).unwrap();
    assert_eq!(program.name(), "cgroup_ports");
    let row = &report["programs"][0];
    assert_eq!(row["name"], "cgroup_ports");
    assert_eq!(row["type"], "cgroup_skb");
    assert_eq!(row["id"], program.id());
    assert_eq!(row["tag"], hex::encode(program.tag()));
    assert_eq!(row["pinned"], place.pins().join("cgroup_ports").to_str().unwrap());
    let listed = ProgInfoIter::default().find(|info| info.id == program.id()).unwrap();
    assert_eq!(listed.name, "cgroup_ports");
    let info = |row: &Value| (row["name"].clone(), row["type"].clone());
    let maps: Vec<_> = report["maps"].as_array().unwrap().iter().map(info).collect();
    assert_eq!(maps, [(".rodata".into(), "array".into()), (".bss".into(), "array".into())]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn report() {
    let place = Place::new();
    let output = load().arg(place.signed("xdp_lb")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing is pinned or attached"));
    let stdout = text(&output.stdout);
    let lines: Vec<_> = stdout.lines().collect();
    let signer = crate::keys::signer().certificate().subject_key_id();
    assert!(lines[0].ends_with(&format!("xdp_lb: signed by `test rsa-2048`, key {signer}")), "{stdout}");
    assert!(lines[2].trim().starts_with("xdp_lb "), "{stdout}");
    for map in ["lb_services", "lb_flows"] {
        assert!(lines.iter().any(|line| line.trim().starts_with(map)), "{stdout}");
    }
    println!("{stdout}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn embedded_signature() {
    let place = Place::new();
    let signature = sign(&Object::parse(bytes("xdp_lb")).unwrap());
    let object = place.write("object", &embed::write(bytes("xdp_lb"), &signature, &[]).unwrap());
    let output = load().arg(&object).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
#[ignore = "needs the patched kernel"]
fn signer_in_other_keyrings() {
    let place = Place::new();
    let object = place.signed("xdp_acl");
    for keyring in ["builtin", "platform"] {
        fails(load().arg(&object).args(["--keyring", keyring]), "signer is not in the keyring");
    }
    let keyring = bpfsig_loading::keyring::find(".secondary_trusted_keys").unwrap().unwrap();
    let output = load().arg(&object).args(["--keyring", &keyring.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
#[ignore = "needs the patched kernel"]
fn attached_by_section() {
    let place = Place::new();

    let report = place.load("trace_files", ["--attach"]);
    assert!(matches!(place.link("trace_open"), LinkTypeInfo::Tracing(_)));
    match perf_event(place.link("trace_unlink")) {
        PerfEventType::Kprobe { func_name, is_retprobe, .. } => {
            assert_eq!((func_name, is_retprobe), (Some("filename_unlinkat".into()), false));
        }
        other => panic!("{other:?}"),
    }
    match perf_event(place.link("trace_exec")) {
        PerfEventType::Tracepoint { name, .. } => assert_eq!(name, Some("sched_process_exec".into())),
        other => panic!("{other:?}"),
    }
    let attached = |index: usize| report["programs"][index]["attached"].as_str().unwrap();
    let places = [attached(0), attached(1), attached(2)];
    assert_eq!(
        places,
        ["fentry/vfs_open", "kprobe/filename_unlinkat", "tracepoint/sched/sched_process_exec"]
    );
    place.clear();

    place.load("tp_exec_guard", ["--attach"]);
    assert!(matches!(place.link("tp_btf_exec"), LinkTypeInfo::RawTracepoint(_)));
    place.clear();

    place.load("lsm_file_guard", ["--attach"]);
    for program in ["lsm_file_open", "lsm_exec"] {
        assert!(matches!(place.link(program), LinkTypeInfo::Tracing(_)));
    }
    // Files that anyone may write to are not executed.
    let script = place.write("script", b"#!/bin/sh\n");
    run("chmod", [OsStr::new("0777"), script.as_os_str()]);
    assert_eq!(Command::new(&script).spawn().unwrap_err().raw_os_error(), Some(libc::EACCES));
    place.clear();
}

fn perf_event(link: LinkTypeInfo) -> PerfEventType {
    match link {
        LinkTypeInfo::PerfEvent(event) => event.event_type,
        other => panic!("{other:?}"),
    }
}

/// A function that this kernel's compiler has inlined.
#[test]
#[ignore = "needs the patched kernel"]
fn functions_that_the_kernel_does_not_have() {
    let place = Place::new();
    // Of the same length, so that the object stays whole.
    let (there, missing) = (b"ptrace_may_access", b"ptrace_may_not_be");
    let mut object = bytes("kprobe_ptrace_guard").to_vec();
    while let Some(at) = object.windows(there.len()).position(|bytes| bytes == there) {
        object[at..at + there.len()].copy_from_slice(missing);
    }
    place.write("missing.p7s", &sign(&Object::parse(&object).unwrap()));
    let mut command = load();
    command.arg(place.write("missing", &object)).arg("--attach");
    fails(&mut command, "the kernel has no function ptrace_may_not_be to probe");
}

#[test]
#[ignore = "needs the patched kernel"]
fn attached_struct_ops() {
    const AVAILABLE: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let is_available = || fs::read_to_string(AVAILABLE).unwrap().contains("bpf_gentle");
    let place = Place::new();
    place.load("tcp_cc_gentle", []);
    assert!(!is_available());
    place.clear();
    let report = place.load("tcp_cc_gentle", ["--attach"]);
    assert!(matches!(place.link("gentle"), LinkTypeInfo::StructOps(_)));
    let map = report["maps"].as_array().unwrap().iter().find(|map| map["name"] == "gentle").unwrap();
    assert_eq!((&map["type"], &map["attached"]), (&"struct_ops".into(), &"struct_ops".into()));
    assert!(is_available());
}

#[test]
#[ignore = "needs the patched kernel"]
fn attached_iterator() {
    let place = Place::new();
    place.load("iter_task", ["--attach"]);
    assert!(matches!(place.link("iter_task"), LinkTypeInfo::Iter(_)));
    let mut records = Vec::new();
    File::open(place.pins().join("iter_task_link")).unwrap().read_to_end(&mut records).unwrap();
    let is_mine = |record: &[u8]| record[4..8] == std::process::id().to_ne_bytes();
    assert!(records.chunks_exact(32).any(is_mine));
}

#[test]
#[ignore = "needs the patched kernel"]
fn events_in_a_pinned_ring_buffer() {
    let place = Place::new();
    place.load("tp_exec_export", ["--attach"]);
    let ring = MapHandle::from_pinned_path(place.pins().join("exec_events")).unwrap();
    let seen = AtomicU32::new(0);
    let mut builder = RingBufferBuilder::new();
    builder
        .add(&ring, |event| {
            seen.store(u32::from_ne_bytes(event[16..20].try_into().unwrap()), Ordering::Relaxed);
            0
        })
        .unwrap();
    let ring = builder.build().unwrap();
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    ring.poll(TEN_SECONDS).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), child.id());
}

#[test]
#[ignore = "needs the patched kernel"]
fn attached_to_a_device() {
    let place = Place::new();
    let veth = Veth::new();

    place.load("xdp_drop_fragments", ["--dev", veth.0]);
    match place.link("xdp_drop_fragments") {
        LinkTypeInfo::Xdp(link) => assert_eq!(link.ifindex, veth.index()),
        other => panic!("{other:?}"),
    }
    // There can be one only. What has been pinned by then is taken back.
    let second = place.path("bpf/second");
    let mut again = load();
    again.arg(place.signed("xdp_acl")).args(["--dev", veth.0, "--pin"]).arg(&second);
    fails(&mut again, "program `xdp_acl`: attaching to sig0: the kernel refuses it: Device or resource busy");
    assert!(!second.exists());
    place.clear();

    place.load("tc_vlan_policy", ["--dev", veth.0]);
    for program in ["tc_vlan_ingress", "tc_vlan_egress"] {
        assert!(matches!(place.link(program), LinkTypeInfo::Tcx(link) if link.ifindex == veth.index()));
    }
    place.clear();

    let report = place.load("tc_dscp_mark", ["--dev", veth.0]);
    assert!(matches!(place.link("tc_dscp_mark"), LinkTypeInfo::Tcx(_)));
    assert_eq!(report["programs"][0]["attached"], veth.0);
    place.clear();
}

#[test]
#[ignore = "needs the patched kernel"]
fn attached_to_a_control_group() {
    let place = Place::new();
    let cgroup = Cgroup::new();
    for (object, program) in [
        ("cgroup_port_stats", "cgroup_ports"),
        ("cgroup_bind_ports", "cgroup_bind6"),
        ("cgroup_device_policy", "cgroup_device"),
        ("cgroup_sysctl_guard", "cgroup_sysctl"),
        ("sockops_tuning", "sockops_tuning"),
    ] {
        place.load(object, ["--cgroup", cgroup.path().to_str().unwrap()]);
        assert!(matches!(place.link(program), LinkTypeInfo::Cgroup(_)), "{program}");
        place.clear();
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn attached_to_the_network_namespace() {
    let place = Place::new();
    for (object, program) in [("sk_lookup_gate", "sk_lookup_gate"), ("flow_dissector", "flow_dissect")] {
        place.load(object, ["--netns"]);
        assert!(matches!(place.link(program), LinkTypeInfo::NetNs(_)), "{program}");
        place.clear();
    }
}

/// By where it is pinned, and by its id.
#[test]
#[ignore = "needs the patched kernel"]
fn attached_to_another_program() {
    let place = Place::new();
    let gateway = place.load("xdp_gateway", []);
    let path = place.pins().join("xdp_gateway");
    let id = gateway["programs"][0]["id"].to_string();
    for target in [path.to_str().unwrap(), &id] {
        let report = place.load("freplace_gateway_policy", ["--target", target, "--attach"]);
        assert_eq!(report["programs"][0]["attached"], "freplace/gateway_policy");
        match place.link("gateway_no_ssdp") {
            LinkTypeInfo::Tracing(link) => assert_eq!(link.target_obj_id.to_string(), id),
            other => panic!("{other:?}"),
        }
        for name in ["gateway_no_ssdp", "gateway_no_ssdp_link", "_bss"] {
            fs::remove_file(place.pins().join(name)).unwrap();
        }
    }
    let mut command = load();
    fails(
        command.arg(place.signed("freplace_gateway_policy")),
        "program `gateway_no_ssdp`: it attaches to function gateway_policy of another program",
    );
    fails(
        load().arg(place.signed("xdp_acl")).args(["--target", &id]),
        "no program that attaches to a program",
    );
}

/// Without a pin, what is attached lasts as long as the command.
#[test]
#[ignore = "needs the patched kernel"]
fn attached_until_interrupted() {
    let place = Place::new();
    let mut command = load();
    command.arg(place.signed("fentry_tcp_connect")).args(["--attach", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "bpfsig: attached until Ctrl-C\n");
    let is_loaded = || ProgInfoIter::default().any(|info| info.name == "fentry_connect");
    assert!(is_loaded());

    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
    // The kernel frees it a little later.
    let start = std::time::Instant::now();
    while is_loaded() {
        assert!(start.elapsed() < TEN_SECONDS, "it is still there");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn nothing_stays_pinned_where_a_name_is_taken() {
    let place = Place::new();
    place.load("cgroup_port_stats", []);
    for name in ["cgroup_ports", "_rodata"] {
        fs::remove_file(place.pins().join(name)).unwrap();
    }
    let mut again = load();
    again.arg(place.signed("cgroup_port_stats")).arg("--pin").arg(place.pins());
    fails(&mut again, "bpf/pins/_bss: File exists");
    assert_eq!(place.pinned().unwrap(), ["_bss"]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn places_where_nothing_can_be_pinned() {
    let place = Place::new();
    let object = place.signed("xdp_acl");
    let pin = |directory: &Path, message| {
        fails(load().arg(&object).arg("--pin").arg(directory), message);
    };
    pin(place.directory.path(), "is not on a BPF file system");
    pin(&place.path("new"), "is not on a BPF file system");
    assert!(!place.path("new").exists());
    pin(&place.path("bpf/a/b"), "bpf/a/b: ");
    pin(&object, "is not on a BPF file system");
    run("mount", ["-o", "remount,ro", place.path("bpf").to_str().unwrap()]);
    pin(&place.pins(), "Read-only file system");
    run("mount", ["-o", "remount,rw", place.path("bpf").to_str().unwrap()]);
}

#[test]
#[ignore = "needs the patched kernel"]
fn files_that_are_not_what_they_should_be() {
    let place = Place::new();
    fails(load().arg(place.path("none")), "none: No such file or directory");
    fails(load().arg(place.write("text", b"text")), "text: not a 64-bit ELF file");
    let unsigned = place.write("unsigned", bytes("xdp_acl"));
    fails(load().arg(&unsigned), "unsigned: no signature in it and no ");
    let other = place.path("other.p7s");
    fails(load().arg(&unsigned).arg("--signature").arg(&other), "other.p7s: No such file");
    let garbage = place.write("garbage", b"garbage");
    fails(load().arg(&unsigned).arg("--signature").arg(garbage), "garbage: not a signature (CMS)");
}

#[test]
#[ignore = "needs the patched kernel"]
fn wrong_signatures() {
    let place = Place::new();
    let object = place.signed("xdp_acl");
    let forged = message::forged(sign(&Object::parse(bytes("xdp_acl")).unwrap())).unwrap();
    let forged = place.write("forged", &forged);
    let message = fails(
        load().arg(&object).arg("--signature").arg(forged),
        "refused program `xdp_acl`: Key was rejected by service (EKEYREJECTED)",
    );
    assert!(message.contains("not made by the signer's key"), "{message}");
    place.signed("xdp_lb");
    let mut command = load();
    command.arg(&object).arg("--signature").arg(place.path("xdp_lb.p7s"));
    fails(&mut command, "statement does not list program");
}

/// With a description of what was signed, the message says what is different.
#[test]
#[ignore = "needs the patched kernel"]
fn differences_from_what_was_signed() {
    let place = Place::new();
    let object = Object::parse(bytes("xdp_lb")).unwrap();
    let signed = place.signed("xdp_lb");
    let described = [Description::of(&object.programs()[0]).unwrap()];
    place.write("xdp_lb.p7s.json", description::to_json(&described, &Choices::default()).as_bytes());

    // One byte of the license.
    let mut changed = bytes("xdp_lb").to_vec();
    let license = changed.windows(4).position(|bytes| bytes == b"GPL\0").unwrap();
    changed[license + 2] = b'X';
    fs::write(&signed, &changed).unwrap();
    let message = fails(load().arg(&signed), "statement does not list program");
    assert!(message.contains("\n  license `GPX`, signed `GPL`"), "{message}");

    // Descriptions of something else explain nothing.
    let other = Object::parse(bytes("xdp_acl")).unwrap();
    let mut other = Description::of(&other.programs()[0]).unwrap();
    other.name = "xdp_lb".into();
    place.write("xdp_lb.p7s.json", description::to_json(&[other], &Choices::default()).as_bytes());
    let message = fails(load().arg(&signed), "statement does not list program");
    assert!(!message.contains("signed `"), "{message}");
}

#[test]
#[ignore = "needs the patched kernel"]
fn places_that_do_not_exist() {
    let place = Place::new();
    let xdp = place.signed("xdp_acl");
    let cgroup = place.signed("cgroup_port_stats");
    fails(load().arg(&xdp).args(["--dev", "none0"]), "network device `none0`: No such device");
    fails(load().arg(&xdp).arg("--attach"), "no program that says in its section where it attaches");
    fails(load().arg(&cgroup).args(["--dev", "lo"]), "no program that attaches to a network device");
    fails(load().arg(&xdp).args(["--cgroup", "/proc"]), "no program that attaches to a control group");
    fails(load().arg(&xdp).arg("--netns"), "no program that attaches to a network namespace");
    fails(load().arg(&cgroup).args(["--cgroup", "/none"]), "control group /none: No such file");
    fails(load().arg(&cgroup).args(["--cgroup", "/tmp"]), "program `cgroup_ports`: attaching to /tmp: ");
    fails(load().arg(&xdp).args(["--keyring", "2147483647"]), "no keyring 2147483647");
    fails(load().arg(&xdp).args(["--target", "4000000000"]), "program 4000000000: No such file");
    fails(load().arg(&xdp).args(["--target", "/none"]), "program /none: No such file");
    let output = load().arg(&xdp).args(["--keyring", "mine"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no keyring: say builtin, secondary, platform, bpf"));
}

/// What is in the first of the object's global variables.
fn counters(place: &Place) -> Vec<u64> {
    let bss = MapHandle::from_pinned_path(place.pins().join("_bss")).unwrap();
    let value = bss.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
    value.as_chunks().0.iter().map(|number| u64::from_ne_bytes(*number)).collect()
}

/// Each kind of program runs when what it is attached to happens.
#[test]
#[ignore = "needs the patched kernel"]
fn attached_to_functions_and_events() {
    let place = Place::new();
    let veth = Veth::new();
    let object = place.compiled("hooks");
    let report = place.load_file(
        &object,
        [
            "--attach",
            "--dev",
            veth.0,
            "--at",
            "counter=cpu-clock:1000",
            "--at",
            "filter=ip/input/-100",
            "--at",
            "elements=map=listed",
        ],
    );
    run("ip", ["link", "set", "lo", "up"]);
    drop(tempfile::NamedTempFile::new().unwrap());
    let _ = std::os::unix::process::parent_id();
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", "127.0.0.1:9").unwrap();
    let start = std::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_millis(200) {}
    let listed = MapHandle::from_pinned_path(place.pins().join("listed")).unwrap();
    listed.update(&1u32.to_ne_bytes(), &[0; 8], MapFlags::ANY).unwrap();
    File::open(place.pins().join("elements_link")).unwrap().read_to_end(&mut Vec::new()).unwrap();

    let names: Vec<_> =
        report["programs"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for (name, count) in names.iter().zip(counters(&place).iter().take(8)) {
        assert!(*count > 0, "{name} has not run: {:?}", counters(&place));
    }
    // On entry and on return.
    assert!(counters(&place)[1] >= 2, "{:?}", counters(&place));
    for (link, is_kind) in [
        ("kernel_functions_by_pattern", "kprobe.multi/filename_unlink[a]t*"),
        ("counter", "cpu-clock:1000"),
        ("filter", "ip/input/-100"),
        ("elements", "map=listed"),
        ("leaving", veth.0),
    ] {
        let row = report["programs"].as_array().unwrap().iter().find(|row| row["name"] == link).unwrap();
        assert_eq!(row["attached"], is_kind);
    }

    // The names that the kernel keeps of three of them are alike.
    let output = machine::bpfsig().args(["ps", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in names {
        assert!(listed.as_array().unwrap().iter().any(|row| row["name"] == name), "{name}: {listed}");
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn attached_to_a_static_tracepoint() {
    let place = Place::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/usdt_program.c");
    let program = place.path("usdt_program");
    run("clang", [source.as_os_str(), OsStr::new("-o"), program.as_os_str()]);
    let at = format!("started={}:app:started", program.display());
    let object = place.compiled("usdt");
    place.load_file(&object, ["--at", &at]);
    run(program.to_str().unwrap(), [""; 0]);
    assert_eq!(counters(&place)[..3], [1, 1, 42], "runs, arguments, the first one");
    place.clear();

    let at = format!("started={}:app:ended", program.display());
    fails(load().arg(&object).args(["--at", &at]), "has no usdt app:ended");
}

#[test]
#[ignore = "needs the patched kernel"]
fn places_that_make_no_sense() {
    let place = Place::new();
    let object = place.compiled("hooks");
    for (at, message) in [
        (
            "filter=inet/input",
            "program `filter`: `inet/input` does not say where to attach it: it takes ip|ip6/HOOK",
        ),
        ("counter=clock", "program `counter`: `clock` does not say where to attach it: it takes EVENT"),
        ("leaving=lo", "program `leaving`: it can't be attached to `lo`"),
        ("other=lo", "the object has no program `other` that is loaded"),
        ("elements=map=none", "program `elements`: attaching to map=none: map none: No such file"),
        ("elements=pid=me", "program `elements`: attaching to pid=me: `me` is not a number"),
        ("system_call=no_such_call", "the kernel has no system call no_such_call"),
        ("kernel_functions_by_pattern=no_such_*", "the kernel has no function like no_such_* to probe"),
        ("library_function_entry=libc.so.6:no_such", "/libc.so.6 has no function no_such"),
        ("library_function_entry=no_such_program:main", "no binary no_such_program found"),
    ] {
        fails(load().arg(&object).args(["--at", at]), message);
    }
    let output = load().arg(&object).args(["--at", "leaving"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// As with libbpf, objects share a map that is pinned by its name.
#[test]
#[ignore = "needs the patched kernel"]
fn maps_pinned_by_name() {
    let place = Place::new();
    let pin_path = place.path("bpf");
    let pin_path = ["--pin-path", pin_path.to_str().unwrap()];
    let object = place.compiled("pinned");
    let first = place.load_file(&object, pin_path);
    place.clear();
    let second = place.load_file(&object, pin_path);
    assert_eq!(first["maps"][0]["id"], second["maps"][0]["id"]);
    let map = MapHandle::from_pinned_path(place.path("bpf/shared_by_name")).unwrap();
    assert_eq!(first["maps"][0]["id"], map.info().unwrap().info.id);
    place.clear();

    let mut larger = load();
    larger.arg(place.compiled("pinned_larger")).args(pin_path);
    fails(&mut larger, "bpf/shared_by_name can't be shared: its max_entries is 8, not 16");
    fs::remove_file(place.path("bpf/shared_by_name")).unwrap();

    // What a load has pinned goes away with it when it fails.
    place.write("pinned.p7s", &sign(&Object::parse(bytes("xdp_acl")).unwrap()));
    fails(load().arg(&object).args(pin_path), "statement does not list program");
    assert!(!place.path("bpf/shared_by_name").exists());
    fails(load().arg(&object).args(["--pin-path", "/tmp"]), "is not on a BPF file system");
}

#[test]
#[ignore = "needs the patched kernel"]
fn maps_without_a_size() {
    let place = Place::new();
    let object = place.compiled("unsized");
    let mut command = load();
    command.arg(&object).arg("--pin-path").arg(place.path("bpf"));
    fails(&mut command, "map `shared_by_name`: its size is not in the object (max_entries is 0)");
}

#[test]
#[ignore = "needs the patched kernel"]
fn struct_ops_that_the_kernel_does_not_register() {
    let place = Place::new();
    let object = place.compiled("struct_ops_partial");
    place.load_file(&object, []);
    place.clear();
    let message =
        fails(load().arg(&object).arg("--attach"), "map `partial`: registering it, which does not set ");
    assert!(message.contains("undo_cwnd") && message.contains("Invalid argument"), "{message}");
}

/// One without a link is registered for as long as the command, or for good if it is pinned.
#[test]
#[ignore = "needs the patched kernel"]
fn struct_ops_without_a_link() {
    const AVAILABLE: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let is_available = || fs::read_to_string(AVAILABLE).unwrap().contains("bpf_unlinked");
    let place = Place::new();
    let object = place.compiled("struct_ops_unlinked");
    place.load_file(&object, []);
    assert!(!is_available());
    place.clear();

    let mut command = load();
    let mut child = command.arg(&object).args(["--attach", "--json"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "bpfsig: attached until Ctrl-C\n");
    assert!(is_available());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!is_available());
}
