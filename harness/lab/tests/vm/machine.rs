//! What the tests need of the machine besides loads: sysctls, users, mounts, the BPF system calls around a load.

use std::env;
use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::ptr;

use libbpf_rs::libbpf_sys as sys;
use tempfile::TempDir;

/// The command that is tested.
pub fn bpfsig() -> Command {
    Command::new(env::var_os("BPFSIG_TEST_COMMAND").expect("BPFSIG_TEST_COMMAND names the command bpfsig"))
}

/// A number that whoever runs a test without an end sets in its environment.
pub fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The value of `kernel.NAME`.
pub fn sysctl(name: &str) -> String {
    fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).unwrap().trim().to_owned()
}

/// Sets `kernel.NAME`.
pub fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    fs::write(Path::new("/proc/sys/kernel").join(name), value)
}

/// Runs something in a thread that belongs to another user, but has all of root's capabilities.
pub fn as_user<T: Send>(uid: libc::uid_t, run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: these take numbers, and concern this thread alone.
            unsafe {
                assert_eq!(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
                assert_eq!(libc::syscall(libc::SYS_setresuid, uid, uid, uid), 0);
            }
            // `_LINUX_CAPABILITY_VERSION_3`; effective, permitted and inheritable ones, twice 32.
            let header = [0x2008_0522u32, 0];
            let mut data = [0u32; 6];
            // SAFETY: both have the size that the version stands for.
            unsafe {
                assert_eq!(libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()), 0);
                (data[0], data[3]) = (data[1], data[4]);
                assert_eq!(libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()), 0);
            }
            run()
        });
        thread.join().unwrap()
    })
}

/// A file system that is mounted for as long as this lives.
pub struct Mount(TempDir);

impl Mount {
    /// Mounts a file system of a type that needs no device.
    pub fn new(fs_type: &CStr) -> Mount {
        let directory = tempfile::tempdir().unwrap();
        mount(directory.path(), fs_type, 0).unwrap();
        Mount(directory)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Mounts it again, as `mount -o remount` does.
    pub fn remount(&self, fs_type: &CStr) {
        mount(self.path(), fs_type, libc::MS_REMOUNT).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let path = CString::new(self.path().to_str().unwrap()).unwrap();
        // SAFETY: the path ends with a zero.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}

fn mount(path: &Path, fs_type: &CStr, flags: libc::c_ulong) -> io::Result<()> {
    let path = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: all strings end with a zero; there is no data.
    let result =
        unsafe { libc::mount(fs_type.as_ptr(), path.as_ptr(), fs_type.as_ptr(), flags, ptr::null()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Attaches a program to the LSM hook that it was loaded for.
pub fn attach_lsm(program: BorrowedFd<'_>) -> OwnedFd {
    // SAFETY: LSM programs are attached without a name.
    let link = unsafe { sys::bpf_raw_tracepoint_open(ptr::null(), program.as_raw_fd()) };
    assert!(link >= 0, "{}", io::Error::from_raw_os_error(-link));
    // SAFETY: the kernel has just made it for us.
    unsafe { OwnedFd::from_raw_fd(link) }
}
