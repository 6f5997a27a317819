//! A machine with listed programs, and ways to load two instructions there.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use bpfsig_lab::approve_list::{ApproveList, Digest, Disk, seal};
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::loaded_object;
use crate::sandbox::run;

/// What becomes of a load.
pub const LOADED: &str = "loaded";
/// `EPERM`, from the list.
pub const REFUSED: &str = "Operation not permitted";

/// `BPF_PROG_LOAD`
const PROG_LOAD: u64 = 5;

/// Loads a socket filter of two instructions.
const SCRIPT: &str = r#"
    my $insns = pack("CCsl" x 2, 0xb7, 0, 0, 0, 0x95, 0, 0, 0);
    my $license = "GPL\0";
    my $attr = pack("LLPP", 1, 2, $insns, $license);
    print syscall(321, 5, $attr, length $attr) < 0 ? $! : "loaded";
"#;

/// `tests/objects/loader.c`, as a program and as a library, on a file system without fs-verity.
static ELSEWHERE: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/objects/loader.c");
    let target = directory.path().display();
    run(&format!("gcc -O2 -o {target}/loader {source}"));
    run(&format!("gcc -O2 -shared -fPIC -Wl,-z,now -o {target}/loader.so {source}"));
    directory
});

/// Listed programs on a file system with fs-verity.
pub struct ListedMachine {
    disk: Disk,
    approved: Vec<Digest>,
}

impl ListedMachine {
    /// Three programs are listed: `loader`, which loads two instructions and nothing else; `ip`, which loads what it is
    /// told to; and `perl`, because a loader is written in it.
    pub fn new() -> Self {
        let mut machine = Self { disk: Disk::new().unwrap(), approved: Vec::new() };
        for original in [&machine.elsewhere("loader"), Path::new("/bin/ip"), Path::new("/usr/bin/perl")] {
            let copy = machine.on_disk(original.file_name().unwrap().to_str().unwrap());
            fs::copy(original, &copy).unwrap();
            machine.approved.push(seal(&copy).unwrap());
        }
        machine
    }

    /// A file on the file system with fs-verity.
    pub fn on_disk(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    /// A file on one without.
    pub fn elsewhere(&self, name: &str) -> PathBuf {
        ELSEWHERE.path().join(name)
    }

    /// What is on the list.
    pub fn approved(&self) -> &[Digest] {
        &self.approved
    }

    /// Enforces the list from now on: what is not on it can't load.
    pub fn enforce(&self) -> ApproveList {
        let list = ApproveList::enforce(&self.approved).unwrap();
        assert_eq!(by_loader(&self.elsewhere("loader")), REFUSED);
        list
    }

    /// By a library that is loaded into a program.
    pub fn by_library(&self, program: &Path) -> String {
        said_by(Command::new(program).env("LD_PRELOAD", self.elsewhere("loader.so")))
    }

    /// By a process of another program that takes on the identity of this one.
    pub fn by_impersonation_of(&self, program: &Path) -> String {
        let library = self.elsewhere("loader.so");
        said_by(Command::new("true").env("LD_PRELOAD", library).env("PRETEND_TO_BE", program))
    }

    /// By `ip`, which is handed an object that nobody has listed, signed or looked at.
    pub fn by_object(&self, ip: &Path) -> String {
        let object = self.elsewhere("object");
        fs::write(&object, loaded_object::bytes("xdp_drop_fragments")).unwrap();
        let output = Command::new(ip)
            .args(["link", "set", "dev", "lo", "xdpgeneric", "object"])
            .arg(&object)
            .args(["section", "xdp"])
            .output()
            .unwrap();
        match output.status.success() {
            true => LOADED.to_owned(),
            false => String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// By a program that does nothing else.
pub fn by_loader(loader: &Path) -> String {
    said_by(&mut Command::new(loader))
}

/// By a script.
pub fn by_script(perl: &Path) -> String {
    said_by(Command::new(perl).args(["-e", SCRIPT]))
}

/// By a process that is made to.
pub fn by_ptrace(program: &Path) -> String {
    let mut command = Command::new(program);
    // SAFETY: one system call and nothing else.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    // It stops before its first instruction.
    waitpid(pid, None).unwrap();
    let mut registers = ptrace::getregs(pid).unwrap();
    let memory = OpenOptions::new().write(true).open(format!("/proc/{pid}/mem")).unwrap();

    let attr = registers.rsp - 1024;
    let (insns, license) = (attr + 64, attr + 128);
    // `prog_type`, `insn_cnt`, `insns`, `license`
    let attributes =
        [&[1, 2].map(u32::to_ne_bytes).concat()[..], &[insns, license].map(u64::to_ne_bytes).concat()];
    let attributes = attributes.concat();
    memory.write_all_at(&attributes, attr).unwrap();
    memory.write_all_at(&crate::load::small().insns, insns).unwrap();
    memory.write_all_at(b"GPL\0", license).unwrap();
    // `syscall`
    memory.write_all_at(&[0x0f, 0x05], registers.rip).unwrap();
    registers.rax = libc::SYS_bpf as u64;
    (registers.rdi, registers.rsi, registers.rdx) = (PROG_LOAD, attr, attributes.len() as u64);
    ptrace::setregs(pid, registers).unwrap();
    ptrace::step(pid, None).unwrap();
    waitpid(pid, None).unwrap();
    let result = ptrace::getregs(pid).unwrap().rax as i64;
    child.kill().unwrap();
    child.wait().unwrap();
    match result {
        0.. => LOADED.to_owned(),
        _ => Errno::from_raw(-result as i32).desc().to_owned(),
    }
}

/// What a command that succeeds says.
fn said_by(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
