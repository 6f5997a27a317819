//! A congestion control that sockets use.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use crate::loaded::{Hook, each_way};
use crate::sandbox::{network, until};

/// Chooses a congestion control.
fn choose(stream: &TcpStream, name: &str) -> io::Result<()> {
    // SAFETY: as many bytes as `name` has are read.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            name.as_ptr().cast(),
            name.len() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
#[ignore = "needs the patched kernel"]
fn tcp_cc_gentle() {
    const NAME: &str = "bpf_gentle";
    const SIZE: usize = 4 << 20;
    network(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(choose(&connect(), NAME).is_err());
    each_way("tcp_cc_gentle", |loaded| {
        let link = loaded.attach(Hook::Section);
        assert_eq!(link.len(), 1);
        let mut stream = connect();
        choose(&stream, NAME).unwrap();
        let (mut peer, _) = loop {
            let (peer, address) = listener.accept().unwrap();
            if address == stream.local_addr().unwrap() {
                break (peer, address);
            }
        };
        let reader = thread::spawn(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            received
        });
        let sent: Vec<u8> = (0..SIZE).map(|index| (index % 251) as u8).collect();
        stream.write_all(&sent).unwrap();
        drop(stream);
        assert!(reader.join().unwrap() == sent, "the stream is not what was sent");
        assert_eq!(loaded.variable("gentle_connections"), 1);
        assert!(loaded.variable("gentle_acks") > 0);
        until(|| loaded.variable("gentle_released") == 1);
        drop(link);
        assert!(choose(&connect(), NAME).is_err());
    });
}
