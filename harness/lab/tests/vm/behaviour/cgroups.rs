//! Programs that decide for the processes of a control group.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::loaded::{Hook, Loaded, each_way};
use crate::sandbox::{Cgroup, network};

/// Attaches an object to a control group that the test is in, each way.
fn each_way_attached(object: &str, test: impl Fn(&Loaded)) {
    each_way(object, |loaded| {
        let cgroup = Cgroup::new();
        let links = loaded.attach(Hook::Cgroup(cgroup.path()));
        assert_eq!(links.len(), loaded.names().len());
        test(loaded);
        drop(links);
    });
}

/// What a program says no to fails with EPERM.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[track_caller]
fn send(from: &str, to: &str) -> io::Result<usize> {
    UdpSocket::bind(from).unwrap().send_to(b"payload", to)
}

#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_bind_ports() {
    network(&[]);
    let bind = |address: &str| TcpListener::bind(address);
    each_way_attached("cgroup_bind_ports", |_| {
        for address in ["127.0.0.1:80", "127.0.0.1:0", "127.0.0.1:1024", "[::1]:443", "[::1]:32767"] {
            bind(address).unwrap();
        }
        for address in ["127.0.0.1:81", "127.0.0.1:1023", "127.0.0.1:32768", "[::1]:22"] {
            refused(bind(address));
        }
    });
    bind("127.0.0.1:81").unwrap();
}

#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_connect_redirect() {
    const METADATA: &str = "169.254.169.254:80";
    network(&["192.0.2.1/32", "169.254.169.254/32"]);
    let _proxy = TcpListener::bind("127.0.0.1:8181").unwrap();
    let _other = TcpListener::bind("192.0.2.1:80").unwrap();
    each_way_attached("cgroup_connect_redirect", |_| {
        let stream = TcpStream::connect(METADATA).unwrap();
        // It does not notice.
        assert_eq!(stream.peer_addr().unwrap(), METADATA.parse::<SocketAddr>().unwrap());
        let other = TcpStream::connect("192.0.2.1:80").unwrap();
        assert_eq!(other.peer_addr().unwrap(), "192.0.2.1:80".parse::<SocketAddr>().unwrap());
        // By IPv6, the address that the socket has is seen.
        let mapped = TcpStream::connect("[::ffff:169.254.169.254]:80").unwrap();
        assert_eq!(mapped.peer_addr().unwrap().port(), 8181);
        refused(TcpStream::connect("169.254.169.254:81"));
        refused(UdpSocket::bind("0.0.0.0:0").unwrap().connect(METADATA));
    });
    let nobody = TcpStream::connect(METADATA).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused);
}

#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_device_policy() {
    each_way_attached("cgroup_device_policy", |_| {
        File::open("/dev/null").unwrap();
        File::open("/dev/urandom").unwrap();
        refused(File::open("/dev/kmsg"));
        refused(File::open("/dev/net/tun"));
    });
    File::open("/dev/kmsg").unwrap();
}

#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_sysctl_guard() {
    const TCP: &str = "/proc/sys/net/ipv4/tcp_fin_timeout";
    const KERNEL: &str = "/proc/sys/kernel/panic_on_oops";
    network(&[]);
    each_way_attached("cgroup_sysctl_guard", |_| {
        fs::write(TCP, "61").unwrap();
        assert_eq!(fs::read_to_string(TCP).unwrap(), "61\n");
        refused(fs::write(TCP, "65537"));
        let value = fs::read_to_string(KERNEL).unwrap();
        refused(fs::write(KERNEL, value));
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_egress_filter() {
    network(&[
        "192.0.2.1/32",
        "10.1.2.3/32",
        "172.31.0.1/32",
        "172.32.0.1/32",
        "fd00::1/128",
        "2001:db8::1/128",
    ]);
    each_way_attached("cgroup_egress_filter", |_| {
        for to in ["192.0.2.1:9", "172.32.0.1:9"] {
            send("192.0.2.1:0", to).unwrap();
        }
        send("[2001:db8::1]:0", "[2001:db8::1]:9").unwrap();
        for to in ["10.1.2.3:9", "172.31.0.1:9"] {
            refused(send("192.0.2.1:0", to));
        }
        refused(send("[2001:db8::1]:0", "[fd00::1]:9"));
    });
}

/// Constants in `.rodata`, counters in `.bss`.
#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_port_stats() {
    network(&[]);
    each_way_attached("cgroup_port_stats", |loaded| {
        send("127.0.0.1:0", "127.0.0.1:53").unwrap();
        send("127.0.0.1:0", "127.0.0.1:443").unwrap();
        refused(send("127.0.0.1:0", "127.0.0.1:54"));
        refused(send("127.0.0.1:0", "127.0.0.1:25"));
        assert_eq!(loaded.variable("unknown_packets"), 2);
        // Of port 53, UDP, which is the first.
        assert_eq!(loaded.variable("service_packets"), 1);
        assert_eq!(loaded.variable("service_bytes"), 20 + 8 + 7);
    });
    let nobody = TcpStream::connect("127.0.0.1:54").unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused);
}

#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_firewall() {
    const MAY_RECEIVE: u32 = 1;
    const MAY_SEND: u32 = 2;
    network(&["203.0.113.5/32", "203.0.113.6/32", "2001:db8::1/128", "2001:db8:ff::1/128"]);
    each_way_attached("cgroup_firewall", |loaded| {
        let allow = |length: u32, address: [u8; 4], rights: u32| {
            loaded.set("fw_prefixes4", &[length.to_ne_bytes(), address].concat(), &rights.to_ne_bytes());
        };
        send("127.0.0.1:0", "203.0.113.5:9").unwrap();
        allow(24, [203, 0, 113, 0], MAY_RECEIVE);
        allow(32, [203, 0, 113, 6], MAY_SEND);
        let prefix = [&48u32.to_ne_bytes()[..], &[0x20, 1, 0x0d, 0xb8, 0], &[0; 11]].concat();
        loaded.set("fw_prefixes6", &prefix, &MAY_RECEIVE.to_ne_bytes());

        refused(send("127.0.0.1:0", "203.0.113.5:9"));
        send("[2001:db8:ff::1]:0", "[2001:db8:ff::1]:9").unwrap();
        refused(send("[2001:db8::1]:0", "[2001:db8::1]:9"));
        assert_eq!([MAY_SEND, MAY_RECEIVE].map(|right| loaded.total("fw_denied", right)), [2, 0]);

        // What may be sent to but not received from.
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let address = receiver.local_addr().unwrap().to_string();
        let mut buffer = [0; 16];
        send("127.0.0.1:0", &address).unwrap();
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 7);
        send("203.0.113.6:0", &address).unwrap();
        assert_eq!(receiver.recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!([MAY_SEND, MAY_RECEIVE].map(|right| loaded.total("fw_denied", right)), [2, 1]);
    });
}

/// A hash, and storage that belongs to sockets.
#[test]
#[ignore = "needs the patched kernel"]
fn cgroup_conn_limit() {
    network(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || TcpStream::connect(listener.local_addr().unwrap());
    each_way_attached("cgroup_conn_limit", |loaded| {
        let _unlimited = [connect().unwrap(), connect().unwrap()];
        loaded.set("conn_limit", &[0; 4], &2u32.to_ne_bytes());
        let first = connect().unwrap();
        let _second = connect().unwrap();
        refused(connect());
        assert_eq!(loaded.variable("conn_refused"), 1);
        drop(first);
        let _third = connect().unwrap();
        refused(connect());
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn sockops_tuning() {
    network(&["10.0.0.1/32", "192.0.2.1/32"]);
    let window = |address: &str| {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // SAFETY: a struct of numbers.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut size = size_of_val(&info) as libc::socklen_t;
        // SAFETY: at most `size` bytes are written.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &mut size,
            )
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        info.tcpi_snd_cwnd
    };
    each_way_attached("sockops_tuning", |_| {
        assert_eq!(window("10.0.0.1"), 40, "inside the data centre");
        assert_eq!(window("192.0.2.1"), 10, "outside");
    });
}
