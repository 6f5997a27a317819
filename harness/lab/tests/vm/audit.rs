//! Audit records, as they come.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `NETLINK_AUDIT`, its messages, and its group of listeners.
const NETLINK_AUDIT: i32 = 9;
const AUDIT_SET: u16 = 1001;
const AUDIT_BPF: u16 = 1334;
const GROUP_READLOG: u32 = 1;

/// Listens to audit records, which it switches on.
pub struct Audit(OwnedFd);

impl Audit {
    pub fn listen() -> Audit {
        let listener = Audit::socket(GROUP_READLOG);
        let timeout = libc::timeval { tv_sec: 10, tv_usec: 0 };
        // SAFETY: the option is a `timeval`.
        let result = unsafe {
            libc::setsockopt(
                listener.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const timeout).cast(),
                size_of::<libc::timeval>() as _,
            )
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());

        // A `struct nlmsghdr`, and a `struct audit_status` with AUDIT_STATUS_ENABLED in `mask` and 1 in `enabled`.
        let mut request = [0u32; 4 + 11];
        request[0] = size_of_val(&request) as u32;
        request[1] = u32::from(AUDIT_SET) | (libc::NLM_F_REQUEST as u32) << 16;
        (request[4], request[5]) = (1, 1);
        let sender = Audit::socket(0);
        // SAFETY: sends as many bytes as there are.
        let sent =
            unsafe { libc::send(sender.as_raw_fd(), request.as_ptr().cast(), size_of_val(&request), 0) };
        assert_eq!(sent, size_of_val(&request) as isize, "{}", io::Error::last_os_error());
        Audit(listener)
    }

    fn socket(groups: u32) -> OwnedFd {
        // SAFETY: takes three numbers.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, NETLINK_AUDIT) };
        assert!(socket >= 0, "{}", io::Error::last_os_error());
        // SAFETY: the kernel has just made it for us.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: all zero is valid.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        // SAFETY: the address has the size that is given.
        let result = unsafe {
            libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as _)
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        socket
    }

    /// Waits for a record about BPF with all of these words in it. Those that came before are passed over.
    #[track_caller]
    pub fn expect(&self, words: &[&str]) {
        let mut passed = Vec::new();
        while let Some(record) = self.next() {
            if words.iter().all(|word| record.contains(word)) {
                return;
            }
            passed.push(record);
        }
        panic!("no record with {words:?} among:\n{}", passed.join("\n"));
    }

    /// The next record about BPF; none if there is none for ten seconds.
    fn next(&self) -> Option<String> {
        loop {
            let mut buffer = [0u8; 8192];
            // SAFETY: the kernel writes at most as many bytes as fit.
            let size = unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            if size < 16 {
                return None;
            }
            if u16::from_ne_bytes([buffer[4], buffer[5]]) == AUDIT_BPF {
                return Some(String::from_utf8_lossy(&buffer[16..size as usize]).into_owned());
            }
        }
    }
}
