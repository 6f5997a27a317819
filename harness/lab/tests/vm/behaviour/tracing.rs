//! Programs that watch what processes do, and some that stop them.

use std::cell::RefCell;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt, parent_id};
use std::path::Path;
use std::process::{self, Command, ExitStatus};

use bpfsig_loading as bpf;
use libbpf_rs::RingBufferBuilder;

use crate::loaded::{Attached, Hook, Loaded, each_way, number};
use crate::machine::Mount;
use crate::sandbox::{Scratch, network};

/// Users that are not root.
const USER: u32 = 1000;
const OTHER_USER: u32 = 1001;

/// Attaches an object to what its sections name, each way.
fn each_way_attached(object: &str, test: impl Fn(&Loaded, &[Attached])) {
    each_way(object, |loaded| {
        let links = loaded.attach(Hook::Section);
        assert_eq!(links.len(), loaded.names().len());
        test(loaded, &links);
    });
}

/// Runs a script as a user.
fn shell(user: u32, script: &str) -> ExitStatus {
    Command::new("bash").args(["-c", script]).uid(user).status().unwrap()
}

/// What has come out of a ring buffer since the last time.
fn records(loaded: &Loaded, map: &str) -> Vec<Vec<u8>> {
    let records = RefCell::new(Vec::new());
    let mut ring = RingBufferBuilder::new();
    ring.add(loaded.map(map), |record| {
        records.borrow_mut().push(record.to_vec());
        0
    })
    .unwrap();
    ring.build().unwrap().consume().unwrap();
    records.into_inner()
}

/// A name that ends with a zero byte.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes.split(|byte| *byte == 0).next().unwrap()).unwrap()
}

#[test]
#[ignore = "needs the patched kernel"]
fn fentry_tcp_connect() {
    const MAIL_USER: u32 = 8;
    const KILLED: Option<i32> = Some(libc::SIGKILL);
    network(&[]);
    let _servers = [25, 26].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let connect = |user, port| shell(user, &format!("exec 3<>/dev/tcp/127.0.0.1/{port}"));
    each_way_attached("fentry_tcp_connect", |_, _| {
        assert_eq!(connect(USER, 25).signal(), KILLED);
        assert!(connect(USER, 26).success());
        assert!(connect(MAIL_USER, 25).success());
        assert!(connect(0, 25).success());
    });
    assert!(connect(USER, 25).success());
}

#[test]
#[ignore = "needs the patched kernel"]
fn iter_task() {
    each_way_attached("iter_task", |_, links| {
        let mut output = Vec::new();
        open_iterator(&links[0]).read_to_end(&mut output).unwrap();
        let (tasks, rest) = output.as_chunks::<32>();
        assert!(rest.is_empty());
        let main = tasks.iter().find(|task| number(&task[..4]) == u64::from(process::id())).unwrap();
        assert_eq!(number(&main[4..8]), u64::from(process::id()));
        assert_eq!(number(&main[8..12]), 0);
        assert_eq!(number(&main[12..16]), u64::from(parent_id()));
        let init = tasks.iter().find(|task| number(&task[..4]) == 1).unwrap();
        assert_eq!(text(&init[16..]), fs::read_to_string("/proc/1/comm").unwrap().trim_end());
    });
}

/// Reading from it runs the iterator's program.
pub fn open_iterator(link: &Attached) -> File {
    // SAFETY: takes nothing but a file descriptor.
    let fd = unsafe { libbpf_rs::libbpf_sys::bpf_iter_create(link.as_fd().as_raw_fd()) };
    assert!(fd >= 0, "{}", io::Error::from_raw_os_error(-fd));
    // SAFETY: it has just been made for us.
    unsafe { File::from_raw_fd(fd) }
}

#[test]
#[ignore = "needs the patched kernel"]
fn kprobe_ptrace_guard() {
    /// A process that ends with this value.
    struct Sleeper(process::Child);
    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
    let sleeper = Sleeper(Command::new("sleep").arg("1000000").uid(USER).spawn().unwrap());
    let target = sleeper.0.id();
    // Runs `true` after it has tried to take a file from the sleeper, whether it could or not.
    let reach = |user| {
        let mut command = Command::new("true");
        let try_it = move || {
            // SAFETY: no pointers.
            unsafe {
                let pidfd = libc::syscall(libc::SYS_pidfd_open, target, 0);
                libc::syscall(libc::SYS_pidfd_getfd, pidfd, 0, 0);
            }
            Ok(())
        };
        // SAFETY: two system calls and nothing else.
        unsafe { command.uid(user).pre_exec(try_it) };
        command.status().unwrap()
    };
    each_way_attached("kprobe_ptrace_guard", |_, _| {
        assert_eq!(reach(OTHER_USER).signal(), Some(libc::SIGKILL));
        assert!(reach(USER).success());
        assert!(reach(0).success());
    });
    assert!(reach(OTHER_USER).success());
}

#[test]
#[ignore = "needs the patched kernel"]
fn tp_exec_export() {
    each_way_attached("tp_exec_export", |loaded, _| {
        let mut child = Command::new("true").uid(USER).spawn().unwrap();
        child.wait().unwrap();
        let events = records(loaded, "exec_events");
        let event = events.iter().find(|event| number(&event[16..20]) == u64::from(child.id())).unwrap();
        assert_eq!(number(&event[20..24]), u64::from(process::id()));
        assert_eq!(number(&event[24..28]), u64::from(USER));
        assert_eq!(number(&event[28..32]), 0, "no container");
        assert_eq!(text(&event[32..48]), "true");
        assert_eq!(loaded.variable("exec_lost"), 0);
    });
}

/// A set-user-ID program that an ordinary user starts in a container.
#[test]
#[ignore = "needs the patched kernel"]
fn tp_exec_guard() {
    let scratch = Scratch::new();
    let escalation = scratch.copy("/bin/true", 0o4755);
    let harmless = scratch.copy("/bin/echo", 0o755);
    // The shell stays, so that it is the parent.
    let in_container = |program: &Path| {
        let script = format!("{} > /dev/null; exit $?", program.display());
        let unshare =
            ["--pid", "--fork", "setpriv", "--reuid", "1000", "--clear-groups", "bash", "-c", &script];
        Command::new("unshare").args(unshare).status().unwrap()
    };
    each_way_attached("tp_exec_guard", |_, _| {
        assert_eq!(in_container(&escalation).code(), Some(128 + libc::SIGKILL));
        assert!(in_container(&harmless).success());
        let outside = shell(USER, &format!("{}; exit $?", escalation.display()));
        assert!(outside.success(), "outside of a container: {outside}");
    });
    assert!(in_container(&escalation).success());
}

#[test]
#[ignore = "needs the patched kernel"]
fn lsm_file_guard() {
    let scratch = Scratch::new();
    let set_user_id = scratch.copy("/bin/true", 0o4777);
    let plain = scratch.copy("/bin/echo", 0o777);
    let safe = scratch.copy("/bin/cat", 0o755);
    let write = |user, file: &Path| shell(user, &format!(": >> {}", file.display())).success();
    let can_execute = |file: &Path| match Command::new(file).arg("/dev/null").output() {
        Ok(output) => output.status.success(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            false
        }
    };
    each_way_attached("lsm_file_guard", |_, _| {
        assert!(!write(USER, &set_user_id));
        assert!(write(USER, &plain));
        assert!(write(0, &plain));
        assert!(!can_execute(&plain), "everyone may write to it");
        assert!(can_execute(&safe));
    });
    assert!(can_execute(&plain));
    fs::set_permissions(&set_user_id, Permissions::from_mode(0o4777)).unwrap();
    assert!(write(USER, &set_user_id));
}

/// Storage that belongs to tasks: what a confined program starts is confined too.
#[test]
#[ignore = "needs the patched kernel"]
fn lsm_confine() {
    const RULE: u32 = 7;
    network(&[]);
    let scratch = Scratch::new();
    let confined = scratch.copy("/bin/bash", 0o755);
    let metadata = fs::metadata(&confined).unwrap();
    // `st_dev` has another layout than the kernel's `dev_t`, whose minor has 20 bits.
    let device = u64::from(libc::major(metadata.dev())) << 20 | u64::from(libc::minor(metadata.dev()));
    let _server = TcpListener::bind("127.0.0.1:26").unwrap();
    let connect = "exec 3<>/dev/tcp/127.0.0.1/26";
    let run = |shell: &Path, script: &str| {
        Command::new(shell).args(["-c", script]).stderr(process::Stdio::null()).status().unwrap().success()
    };
    each_way_attached("lsm_confine", |loaded, _| {
        assert!(run(&confined, connect), "not yet");
        let id = [metadata.ino(), device].map(u64::to_ne_bytes).concat();
        loaded.set("confined_files", &id, &RULE.to_ne_bytes());
        assert!(!run(&confined, connect));
        assert!(!run(&confined, &format!("bash -c '{connect}'")), "what it starts");
        assert!(run("/bin/bash".as_ref(), connect), "another program");
        assert_eq!(loaded.total("confine_denials", RULE), 2);
    });
}

/// A function, a kprobe and a tracepoint, with one ring buffer.
#[test]
#[ignore = "needs the patched kernel"]
fn trace_files() {
    const OPENED: u64 = 0;
    const REMOVED: u64 = 1;
    let scratch = Scratch::new();
    each_way_attached("trace_files", |loaded, _| {
        let ours = |records: &[Vec<u8>]| -> Vec<(u64, String)> {
            let ours = records.iter().filter(|event| number(&event[4..8]) == u64::from(process::id()));
            ours.map(|event| (number(&event[..4]), text(&event[32..]).to_owned())).collect()
        };
        let file = scratch.file("notes.txt");
        fs::write(&file, "text").unwrap();
        fs::read(&file).unwrap();
        OpenOptions::new().append(true).open(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let expected = [
            (OPENED, "notes.txt".to_owned()),
            (OPENED, "notes.txt".to_owned()),
            (REMOVED, file.display().to_string()),
        ];
        assert_eq!(ours(&records(loaded, "file_events")), expected);

        // A shell that has become another one.
        let script = format!("exec bash -c ': > {}; exit'", file.display());
        let mut child = Command::new("bash").args(["-c", &script]).spawn().unwrap();
        child.wait().unwrap();
        let events = records(loaded, "file_events");
        let of_child = |event: &&Vec<u8>| {
            number(&event[4..8]) == u64::from(child.id()) && text(&event[32..]) == "notes.txt"
        };
        let event = events.iter().find(of_child).unwrap();
        assert_eq!((number(&event[8..16]), text(&event[16..32])), (2, "bash"));
        fs::remove_file(&file).unwrap();
    });
}

/// A program on each of twenty hooks.
#[test]
#[ignore = "needs the patched kernel"]
fn lsm_journal() {
    const ACTIONS: [&str; 20] = [
        "unlink", "rmdir", "mkdir", "mknod", "symlink", "link", "rename", "setattr", "setxattr", "exec",
        "kill", "ptrace", "rlimit", "socket", "bind", "connect", "listen", "mount", "umount", "bpf",
    ];
    let entries = |loaded: &Loaded, process: Range<usize>| -> Vec<(&'static str, String)> {
        let records = records(loaded, "journal");
        let ours = records.iter().filter(|entry| number(&entry[process.clone()]) == u64::from(process::id()));
        ours.map(|entry| (ACTIONS[number(&entry[16..20]) as usize], text(&entry[56..]).to_owned())).collect()
    };
    // It takes calls of bpf() to ask.
    let but_bpf = |entries: Vec<(&'static str, String)>| -> Vec<(&str, String)> {
        entries.into_iter().filter(|(action, _)| *action != "bpf").collect()
    };
    const PROCESS: Range<usize> = 20..24;
    const PARENT: Range<usize> = 24..28;
    network(&[]);
    let scratch = Scratch::new();
    each_way_attached("lsm_journal", |loaded, _| {
        entries(loaded, PROCESS);

        let directory = scratch.file("d");
        let [a, b, c, s, f] = ["a", "b", "c", "s", "f"].map(|name| directory.join(name));
        fs::create_dir(&directory).unwrap();
        fs::write(&a, "text").unwrap();
        fs::hard_link(&a, &b).unwrap();
        symlink(&a, &s).unwrap();
        fs::rename(&b, &c).unwrap();
        fs::set_permissions(&a, Permissions::from_mode(0o600)).unwrap();
        let path = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
        let value = *b"value";
        // SAFETY: strings that end with a zero, and a value with its size. It need not succeed to be written down.
        unsafe {
            libc::setxattr(path(&a).as_ptr(), c"user.note".as_ptr(), value.as_ptr().cast(), value.len(), 0)
        };
        // SAFETY: a string that ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(path(&f).as_ptr(), 0o600) }, 0);
        for file in [&a, &c, &s, &f] {
            fs::remove_file(file).unwrap();
        }
        fs::remove_dir(&directory).unwrap();
        let expected = [
            ("mkdir", "d"),
            ("link", "b"),
            ("symlink", "s"),
            ("rename", "b"),
            ("setattr", "a"),
            ("setxattr", "user.note"),
            ("mknod", "f"),
            ("unlink", "a"),
            ("unlink", "c"),
            ("unlink", "s"),
            ("unlink", "f"),
            ("rmdir", "d"),
        ];
        let expected = expected.map(|(action, name)| (action, name.to_owned()));
        assert_eq!(but_bpf(entries(loaded, PROCESS)), expected);

        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let actions = but_bpf(entries(loaded, PROCESS)).into_iter().map(|(action, _)| action);
        assert_eq!(actions.collect::<Vec<_>>(), ["socket", "bind", "listen", "socket", "connect"]);

        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(but_bpf(entries(loaded, PARENT)).last().unwrap(), &("exec", "/usr/bin/sleep".to_owned()));
        File::open(format!("/proc/{}/mem", child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let mount = Mount::new(c"tmpfs");
        let mounted_at = mount.path().file_name().unwrap().to_str().unwrap().to_owned();
        drop(mount);
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: both take a limit, and the second leaves it as it is.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_CORE, &mut limit), 0);
            assert_eq!(libc::setrlimit(libc::RLIMIT_CORE, &limit), 0);
        }
        bpf::programs().unwrap();
        let own_name = fs::read_to_string("/proc/thread-self/comm").unwrap();
        let found = entries(loaded, PROCESS);
        for expected in [
            ("ptrace", "sleep"),
            ("kill", "sleep"),
            ("mount", &mounted_at),
            ("umount", "/"),
            ("rlimit", own_name.trim()),
            ("bpf", ""),
        ] {
            assert!(
                found.iter().any(|(action, name)| (*action, &**name) == expected),
                "{expected:?}: {found:?}"
            );
        }
    });
}
