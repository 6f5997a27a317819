//! Loading by a token (`BPF_TOKEN_CREATE`) of a BPF file system that delegates everything to a user namespace.

use std::ffi::CStr;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use libbpf_rs::libbpf_sys as sys;

use crate::load::{load_with, small};

/// `enum fsconfig_command`.
const SET_STRING: u32 = 1;
const CMD_CREATE: u32 = 6;

/// Loads a program without a signature by a token, as root of a user namespace: 0, or the error number.
pub fn load_unsigned() -> i32 {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    // SAFETY: the child does little but system calls, and ends.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let result = in_namespace(&mut theirs);
        theirs.write_all(&result.to_ne_bytes()).unwrap();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(0) };
    }
    drop(theirs);

    // The number of the child's file descriptor; what it stands for is fetched from there.
    let file_system = read(&mut ours);
    // SAFETY: takes two numbers.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, child, 0) } as i32;
    // SAFETY: takes three numbers.
    let file_system = owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, file_system, 0) });
    fs::write(format!("/proc/{child}/uid_map"), "0 0 1").unwrap();
    for option in [c"delegate_cmds", c"delegate_maps", c"delegate_progs", c"delegate_attachs"] {
        configure(&file_system, SET_STRING, Some((option, c"any")));
    }
    configure(&file_system, CMD_CREATE, None);
    ours.write_all(&0i32.to_ne_bytes()).unwrap();
    let result = read(&mut ours);
    // SAFETY: the child is ours; its status is of no interest.
    unsafe { libc::waitpid(child, ptr::null_mut(), 0) };
    drop(owned(process.into()));
    result
}

fn in_namespace(parent: &mut UnixStream) -> i32 {
    // SAFETY: takes a number, and concerns this process alone.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) }, 0);
    // SAFETY: the name ends with a zero.
    let file_system = owned(unsafe { libc::syscall(libc::SYS_fsopen, c"bpf".as_ptr(), 0) });
    parent.write_all(&file_system.as_raw_fd().to_ne_bytes()).unwrap();
    read(parent);
    // SAFETY: takes three numbers.
    let mount = owned(unsafe { libc::syscall(libc::SYS_fsmount, file_system.as_raw_fd(), 0, 0) });
    // SAFETY: the path ends with a zero. A mount itself is opened without the right to read.
    let root = owned(unsafe { libc::openat(mount.as_raw_fd(), c".".as_ptr(), libc::O_DIRECTORY) }.into());
    // SAFETY: no options.
    let token = owned(unsafe { sys::bpf_token_create(root.as_raw_fd(), ptr::null_mut()) }.into());
    let outcome = load_with(&small(), None, |attr| {
        // BPF_F_TOKEN_FD
        attr.prog_flags |= 1 << 16;
        attr.prog_token_fd = token.as_raw_fd();
    });
    outcome.result.err().unwrap_or_default()
}

fn configure(file_system: &OwnedFd, command: u32, option: Option<(&CStr, &CStr)>) {
    let (name, value) =
        option.map_or((ptr::null(), ptr::null()), |(name, value)| (name.as_ptr(), value.as_ptr()));
    // SAFETY: name and value end with a zero, or are not there.
    let result =
        unsafe { libc::syscall(libc::SYS_fsconfig, file_system.as_raw_fd(), command, name, value, 0) };
    assert_eq!(result, 0, "{option:?}: {}", std::io::Error::last_os_error());
}

fn read(from: &mut UnixStream) -> i32 {
    let mut number = 0i32.to_ne_bytes();
    from.read_exact(&mut number).unwrap();
    i32::from_ne_bytes(number)
}

fn owned(fd: i64) -> OwnedFd {
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel has just made it for us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}
