//! The machine that tests provoke programs on.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;

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

/// `struct ifreq` with flags.
#[repr(C)]
struct DeviceFlags {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

impl DeviceFlags {
    fn new(name: &str, flags: libc::c_int) -> Self {
        let mut request = Self { name: [0; libc::IFNAMSIZ], flags: flags as _, rest: [0; 22] };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        request
    }
}

/// Switches a network device on.
pub fn device_up(name: &str) {
    // SAFETY: takes no pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    assert!(socket >= 0, "{}", io::Error::last_os_error());
    // SAFETY: it has just been made for us.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut request = DeviceFlags::new(name, libc::IFF_UP | libc::IFF_RUNNING);
    // SAFETY: the request has the size and layout of `struct ifreq`.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &mut request) };
    assert_eq!(result, 0, "{name}: {}", io::Error::last_os_error());
}

/// A network device whose frames come out here. It goes away with this value.
pub struct Tap {
    name: String,
    file: File,
}

impl Tap {
    pub fn new(name: &str) -> Self {
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun").unwrap();
        let mut request = DeviceFlags::new(name, libc::IFF_TAP | libc::IFF_NO_PI);
        // SAFETY: the request has the size and layout of `struct ifreq`.
        let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &mut request) };
        assert_eq!(result, 0, "{name}: {}", io::Error::last_os_error());
        device_up(name);
        Self { name: name.to_owned(), file }
    }

    /// The number of the device.
    pub fn index(&self) -> u32 {
        if_nametoindex(self.name.as_str()).unwrap()
    }

    /// The next frame with this source; those of the kernel's own (IPv6 finds routers) are passed over.
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
