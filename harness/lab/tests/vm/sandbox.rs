//! The machine that tests provoke programs on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};

/// Waits until something is so. It is on its way: the limit only ends a test that has failed.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) {
    const LIMIT: Duration = Duration::from_secs(600);
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "it did not happen");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command, such as `ip link set lo up`.
#[track_caller]
pub fn run(command: &str) {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Gives this thread a network of its own, which has these addresses.
pub fn network(addresses: &[&str]) {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    run("ip link set lo up");
    for address in addresses {
        run(&format!("ip addr add {address} dev lo"));
    }
}

/// A control group with all threads of this process in it. They leave it, and it goes away, with this value.
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    pub fn new() -> Self {
        let path = Path::new("/sys/fs/cgroup/bpfsig");
        fs::create_dir(path).unwrap();
        let cgroup = Self { path: path.to_owned() };
        fs::write(path.join("cgroup.procs"), "0").unwrap();
        cgroup
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        fs::write("/sys/fs/cgroup/cgroup.procs", "0").unwrap();
        // Killed processes leave it in their own time.
        until(|| fs::remove_dir(&self.path).is_ok());
    }
}

/// A directory on a file system of its own, where set-user-ID works. It goes away with this value.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn new() -> Self {
        let path = PathBuf::from("/run/bpfsig-scratch");
        fs::create_dir(&path).unwrap();
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
        Self { path }
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A copy of a program in it, with these permissions.
    pub fn copy(&self, program: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let copy = self.file(program.rsplit('/').next().unwrap());
        fs::copy(program, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode)).unwrap();
        copy
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        umount2(&self.path, MntFlags::MNT_DETACH).unwrap();
        fs::remove_dir(&self.path).unwrap();
    }
}

/// A network device whose frames come out here. It goes away with this value.
pub struct Tap {
    name: &'static str,
    file: File,
}

impl Tap {
    pub fn new(name: &'static str) -> Self {
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun").unwrap();
        // `struct ifreq`: a name of 16 bytes, flags of two.
        let mut request = [0u8; 40];
        request[..name.len()].copy_from_slice(name.as_bytes());
        request[16..18].copy_from_slice(&((libc::IFF_TAP | libc::IFF_NO_PI) as u16).to_ne_bytes());
        // SAFETY: the request is as large as `struct ifreq`.
        let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
        assert_eq!(result, 0, "{name}: {}", io::Error::last_os_error());
        run(&format!("ip link set {name} up"));
        Self { name, file }
    }

    /// The number of the device.
    pub fn index(&self) -> u32 {
        if_nametoindex(self.name).unwrap()
    }

    /// The next frame with this source; the kernel's own (IPv6 looks for routers) are skipped.
    pub fn next_from(&mut self, source: [u8; 6]) -> Vec<u8> {
        let mut frame = vec![0; 2048];
        loop {
            let size = self.file.read(&mut frame).unwrap();
            if frame[6..12] == source {
                frame.truncate(size);
                return frame;
            }
        }
    }
}
