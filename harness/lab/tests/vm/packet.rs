//! Frames to feed programs with. What makes no difference (Ethernet addresses, TTL) is the same in all of them.

use std::net::{SocketAddr, SocketAddrV4};

use etherparse::{Ipv4Header, PacketBuilder, PacketBuilderStep, TcpHeader, VlanId};

/// Ethernet addresses of the sender and of who receives the frame.
pub const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const RECEIVER: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Where headers start in a frame without a VLAN tag.
pub const IP: usize = 14;
pub const IP_TOS: usize = IP + 1;
pub const IP_FRAGMENT: usize = IP + 6;
pub const IP_CHECKSUM: usize = IP + 10;
pub const L4: usize = IP + 20;

const TTL: u8 = 64;

/// A UDP datagram, IPv4 or IPv6, such as from `192.0.2.1:1000` to `192.0.2.2:53`.
pub fn udp(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2(SENDER, RECEIVER);
    let mut frame = Vec::new();
    match (from.parse().unwrap(), to.parse().unwrap()) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => ethernet
            .ipv4(from.ip().octets(), to.ip().octets(), TTL)
            .udp(from.port(), to.port())
            .write(&mut frame, payload),
        (SocketAddr::V6(from), SocketAddr::V6(to)) => ethernet
            .ipv6(from.ip().octets(), to.ip().octets(), TTL)
            .udp(from.port(), to.port())
            .write(&mut frame, payload),
        mixed => panic!("{mixed:?}"),
    }
    .unwrap();
    frame
}

/// A UDP datagram with a VLAN tag.
pub fn tagged_udp(vlan: u16, from: &str, to: &str) -> Vec<u8> {
    let (from, to) = (v4(from), v4(to));
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(SENDER, RECEIVER)
        .single_vlan(VlanId::try_new(vlan).unwrap())
        .ipv4(from.ip().octets(), to.ip().octets(), TTL)
        .udp(from.port(), to.port())
        .write(&mut frame, b"payload")
        .unwrap();
    frame
}

/// A TCP segment without payload.
pub fn tcp(
    from: &str,
    to: &str,
    with: impl FnOnce(PacketBuilderStep<TcpHeader>) -> PacketBuilderStep<TcpHeader>,
) -> Vec<u8> {
    let (from, to) = (v4(from), v4(to));
    let ip = PacketBuilder::ethernet2(SENDER, RECEIVER).ipv4(from.ip().octets(), to.ip().octets(), TTL);
    let mut frame = Vec::new();
    with(ip.tcp(from.port(), to.port(), 1, 1024)).write(&mut frame, &[]).unwrap();
    frame
}

/// The first segment of a connection.
pub fn syn(from: &str, to: &str) -> Vec<u8> {
    tcp(from, to, PacketBuilderStep::<TcpHeader>::syn)
}

/// A segment of an open connection.
pub fn ack(from: &str, to: &str) -> Vec<u8> {
    tcp(from, to, |tcp| tcp.ack(1))
}

/// An ICMP echo request from 192.0.2.1 to 192.0.2.2.
pub fn ping(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(SENDER, RECEIVER)
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], TTL)
        .icmpv4_echo_request(7, 1)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

/// An IPv6 packet whose first header after the fixed one is `next`, and what follows it.
pub fn ipv6(next: u8, rest: &[u8]) -> Vec<u8> {
    let mut frame = udp("[2001:db8::1]:1", "[2001:db8::2]:2", b"");
    frame[IP + 6] = next;
    frame.truncate(IP + 40);
    frame.extend(rest);
    frame[IP + 4..IP + 6].copy_from_slice(&(rest.len() as u16).to_be_bytes());
    frame
}

/// An ARP request.
pub fn arp() -> Vec<u8> {
    let mut frame = vec![0; 60];
    frame[..6].copy_from_slice(&[0xff; 6]);
    frame[6..12].copy_from_slice(&SENDER);
    frame[12..14].copy_from_slice(&[0x08, 0x06]);
    frame
}

/// The frame with these bytes changed, and the IPv4 header's checksum made right again.
pub fn changed(frame: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    if let Ok((header, _)) = Ipv4Header::from_slice(&frame[IP..]) {
        let checksum = header.calc_header_checksum().to_be_bytes();
        frame[IP_CHECKSUM..IP_CHECKSUM + 2].copy_from_slice(&checksum);
    }
    frame
}

/// The first fragment of a packet.
pub fn fragment(frame: &[u8]) -> Vec<u8> {
    const MORE_FRAGMENTS: u8 = 0x20;
    changed(frame, IP_FRAGMENT, &[MORE_FRAGMENTS, 0])
}

/// A fragment that is not the first.
pub fn later_fragment(frame: &[u8]) -> Vec<u8> {
    changed(frame, IP_FRAGMENT, &[0, 8])
}

/// Address and port.
fn v4(address: &str) -> SocketAddrV4 {
    address.parse().unwrap()
}
