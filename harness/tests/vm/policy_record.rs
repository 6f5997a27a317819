//! What is put on record: audit records, and a tracepoint.

use std::fs;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use bpfsig::bpf::ProgramInfo;
use bpfsig_signing::Digest;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;

use crate::keys::{self, signer};
use crate::load::{load, sign, small, statement};
use crate::machine::Mount;

/// Loads a program unsigned, signed, by a stranger, and with another's signature; what must be said of each. The first
/// word of an expectation is that of a load or of a refusal.
fn loads(load_word: &str, refusal_word: &str, field: impl Fn(&str, &str) -> String) -> Vec<Vec<String>> {
    let program = Program { name: "recorded".into(), ..small() };
    let other = Program { name: "other".into(), ..small() };
    let digest = |program| Manifest::of(program).unwrap().digest().to_string();
    let signer_id = signer().certificate().subject_key_id().to_string();
    let statement_of = |program| Digest::of(statement(program).encode().unwrap()).to_string();

    load(&program, None).accepted();
    let signed = load(&program, Some(&sign(&program, signer()))).accepted();
    let id = ProgramInfo::of(signed.as_fd()).unwrap().id;
    load(&program, Some(&sign(&program, &keys::stranger()))).result.unwrap_err();
    load(&other, Some(&sign(&program, signer()))).result.unwrap_err();
    vec![
        vec![load_word.to_owned(), "=unsigned".to_owned()],
        vec![
            load_word.to_owned(),
            format!("={id} "),
            "=verified".to_owned(),
            field("signer", &signer_id),
            field("statement", &statement_of(&program)),
            field("program", &digest(&program)),
        ],
        vec![
            refusal_word.to_owned(),
            "recorded".to_owned(),
            "err=-126 ".to_owned(),
            "reason=\"signer is not in the keyring\"".to_owned(),
        ],
        vec![
            refusal_word.to_owned(),
            "other".to_owned(),
            "err=-129 ".to_owned(),
            format!("reason=\"statement does not list program {}\"", digest(&other)),
            field("signer", &signer_id),
            field("statement", &statement_of(&program)),
            field("program", &digest(&other)),
        ],
    ]
}

#[test]
#[ignore = "needs the patched kernel"]
fn audit() {
    let listener = Audit::new();
    let expected = loads("op=LOAD", "op=REFUSE_LOAD", |name, value| format!("{name}={value}"));
    let mut expected = expected.iter();
    let mut wanted = expected.next();
    while let Some(words) = wanted {
        let record = listener.next();
        if words.iter().all(|word| record.contains(word)) {
            wanted = expected.next();
        }
    }
}

#[test]
#[ignore = "needs the patched kernel"]
fn trace() {
    let tracefs = Mount::new(c"tracefs");
    let enable = tracefs.path().join("events/bpf_signature/bpf_signature/enable");
    fs::write(&enable, "1").unwrap();
    let expected = loads("err=0", "prog_id=0", |name, value| format!("{name}={value}"));
    fs::write(&enable, "0").unwrap();
    let trace = fs::read_to_string(tracefs.path().join("trace")).unwrap();
    let mut lines = trace.lines();
    for words in expected {
        let found = lines.any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line with {words:?} (in this order):\n{trace}");
    }
}

/// `NETLINK_AUDIT`, its messages, and its group of listeners.
const NETLINK_AUDIT: i32 = 9;
const AUDIT_SET: u16 = 1001;
const AUDIT_BPF: u16 = 1334;
const GROUP_READLOG: u32 = 1;

/// Listens to audit records, which it switches on.
struct Audit(OwnedFd);

impl Audit {
    fn new() -> Audit {
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

    /// The next record about BPF.
    fn next(&self) -> String {
        loop {
            let mut buffer = [0u8; 8192];
            // SAFETY: the kernel writes at most as many bytes as fit.
            let size = unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            assert!(size >= 16, "no more records: {}", io::Error::last_os_error());
            if u16::from_ne_bytes([buffer[4], buffer[5]]) == AUDIT_BPF {
                return String::from_utf8_lossy(&buffer[16..size as usize]).into_owned();
            }
        }
    }
}
