//! Programs that look at packets: a verdict, and what becomes of the packet, for each of a table of frames.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};

use bpfsig_loading as bpf;
use bpfsig_loading::raw::TestRun;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, RingBufferBuilder, libbpf_sys};

use crate::loaded::{Loaded, each_way, number};
use crate::packet::{self, IP, IP_TOS, L4, RECEIVER, SENDER, ack, arp, changed, fragment, later_fragment};
use crate::packet::{ping, syn, tcp, udp};
use crate::sandbox::{Tap, until};

/// `enum xdp_action`.
const DROP: u32 = 1;
const PASS: u32 = 2;
const TX: u32 = 3;

/// `TC_ACT_…`.
const TC_UNSPEC: u32 = u32::MAX;
const TC_OK: u32 = 0;
const TC_SHOT: u32 = 2;

/// What a program is to make of a frame.
struct Case {
    what: &'static str,
    frame: Vec<u8>,
    verdict: u32,
    /// The frame afterwards; none: as it was.
    becomes: Option<Vec<u8>>,
}

/// A frame that is only judged.
fn case(what: &'static str, frame: Vec<u8>, verdict: u32) -> Case {
    Case { what, frame, verdict, becomes: None }
}

/// A frame that is changed.
fn changes(what: &'static str, frame: Vec<u8>, verdict: u32, becomes: Vec<u8>) -> Case {
    Case { what, frame, verdict, becomes: Some(becomes) }
}

#[track_caller]
fn check(loaded: &Loaded, program: &str, cases: &[Case]) {
    for Case { what, frame, verdict, becomes } in cases {
        let run = loaded.run(program, frame);
        let expected = (*verdict, becomes.as_ref().unwrap_or(frame));
        assert_eq!((run.retval, &run.data), expected, "{program}, {:?}: {what}", loaded.way);
    }
}

/// Demands the same of a program each way.
#[track_caller]
fn cases(object: &str, program: &str, cases: &[Case]) {
    each_way(object, |loaded| check(loaded, program, cases));
}

fn ip(address: &str) -> [u8; 4] {
    address.parse::<Ipv4Addr>().unwrap().octets()
}

fn port(port: u16) -> [u8; 2] {
    port.to_be_bytes()
}

/// A frame as the next hop gets it.
fn forwarded(frame: &[u8], from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from);
    frame
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_acl() {
    let datagram = udp("198.18.0.1:5000", "192.168.12.1:53", b"query");
    cases(
        "xdp_acl",
        "xdp_acl",
        &[
            case("no IP", arp(), PASS),
            case("a service", syn("198.18.0.1:5000", "192.168.10.7:443"), PASS),
            case("no service", syn("198.18.0.1:5000", "192.168.10.7:444"), DROP),
            case("management from inside", syn("10.1.2.3:5000", "192.168.10.7:22"), PASS),
            case("management from outside", syn("198.18.0.1:5000", "192.168.10.7:22"), DROP),
            case("an address of documentation", syn("192.0.2.1:5000", "192.168.10.7:443"), DROP),
            case("an amplifier", udp("198.18.0.1:5000", "192.168.12.1:1900", b"M-SEARCH"), DROP),
            case("name service", datagram.clone(), PASS),
            case("a first fragment", fragment(&datagram), PASS),
            case("a later fragment", later_fragment(&datagram), DROP),
            case("an answer", udp("198.18.0.1:53", "192.168.99.1:40000", b"answer"), PASS),
            case("ports cut off", datagram[..L4 + 4].to_vec(), DROP),
        ],
    );
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_drop_fragments() {
    const FRAGMENT: u8 = 44;
    const UDP: u8 = 17;
    let datagram = udp("192.0.2.1:1", "192.0.2.2:2", b"whole");
    cases(
        "xdp_drop_fragments",
        "xdp_drop_fragments",
        &[
            case("whole", datagram.clone(), PASS),
            case("first fragment", fragment(&datagram), DROP),
            case("later fragment", later_fragment(&datagram), DROP),
            case("IPv6", packet::ipv6(UDP, &[0; 8]), PASS),
            case("IPv6 fragment", packet::ipv6(FRAGMENT, &[UDP, 0, 0, 1, 0, 0, 0, 1]), DROP),
            case("header cut off", datagram[..IP + 10].to_vec(), DROP),
            case("no IP", arp(), PASS),
        ],
    );
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_frags_limit() {
    const UDP_LENGTH: usize = L4 + 4;
    let datagram = udp("192.0.2.1:1", "192.0.2.2:2", b"twelve bytes");
    let with_length = |length: u16| changed(&datagram, UDP_LENGTH, &length.to_be_bytes());
    cases(
        "xdp_frags_limit",
        "xdp_frags_limit",
        &[
            case("right length", datagram.clone(), PASS),
            case("shorter than its header", with_length(7), DROP),
            case("one byte too long", with_length(8 + 12 + 1), DROP),
            case("shorter than the frame", with_length(8), PASS),
            case("TCP", syn("192.0.2.1:1", "192.0.2.2:2"), PASS),
        ],
    );
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_icmp_echo() {
    let request = ping(b"odd number of bytes");
    let mut reply = forwarded(&request, RECEIVER, SENDER);
    reply[IP + 12..IP + 20].rotate_left(4);
    reply[L4] = 0;
    let sum = u16::from_be_bytes([request[L4 + 2], request[L4 + 3]]);
    // The type was 8 and is 0.
    let (sum, carry) = sum.overflowing_add(0x0800);
    reply[L4 + 2..L4 + 4].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    let broken = changed(&request, L4 + 2, &[0, 0]);
    cases(
        "xdp_icmp_echo",
        "xdp_icmp_echo",
        &[
            changes("a request", request, TX, reply),
            case("a wrong checksum", broken, PASS),
            case("too long to sum up", ping(&[1; 300]), PASS),
            case("UDP", udp("192.0.2.1:1", "192.0.2.2:2", b""), PASS),
        ],
    );
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_ipv6_ext_parser() {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const OPTIONS: u8 = 60;
    const UDP: u8 = 17;
    let header = |next| [next, 0, 0, 0, 0, 0, 0, 0];
    let chain = |headers: &[u8]| {
        let (first, rest) = headers.split_first().unwrap();
        packet::ipv6(*first, &rest.iter().flat_map(|next| header(*next)).collect::<Vec<_>>())
    };
    let modern_routing = packet::ipv6(ROUTING, &[UDP, 0, 4, 0, 0, 0, 0, 0]);
    cases(
        "xdp_ipv6_ext_parser",
        "xdp_ipv6_ext",
        &[
            case("none", chain(&[UDP, UDP]), PASS),
            case("hop-by-hop first", chain(&[HOP_BY_HOP, OPTIONS, UDP]), PASS),
            case("hop-by-hop second", chain(&[OPTIONS, HOP_BY_HOP, UDP]), DROP),
            case("routing type 0", chain(&[ROUTING, UDP]), DROP),
            case("routing type 4", modern_routing, PASS),
            case("seven", chain(&[&[OPTIONS; 7][..], &[UDP]].concat()), PASS),
            case("eight", chain(&[&[OPTIONS; 8][..], &[UDP]].concat()), DROP),
            case("cut off", packet::ipv6(OPTIONS, &[UDP, 0, 0]), DROP),
            case("IPv4", ping(b""), PASS),
        ],
    );
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_tcp_mss() {
    let with_options =
        |options: &[u8]| tcp("192.0.2.1:1000", "192.0.2.2:80", |tcp| tcp.syn().options_raw(options).unwrap());
    const NOP: u8 = 1;
    let mss = |size: u16| [2, 4, size.to_be_bytes()[0], size.to_be_bytes()[1]];
    let tiny_later = [&[NOP, NOP, 4, 2, 3, 3, 7, NOP], &mss(48)[..]].concat();
    cases(
        "xdp_tcp_mss",
        "xdp_tcp_mss",
        &[
            case("usual", with_options(&mss(1460)), PASS),
            case("tiny", with_options(&mss(48)), DROP),
            case("just enough", with_options(&mss(500)), PASS),
            case("tiny, behind others", with_options(&tiny_later), DROP),
            case("none", syn("192.0.2.1:1000", "192.0.2.2:80"), PASS),
            case("not the first segment", ack("192.0.2.1:1000", "192.0.2.2:80"), PASS),
        ],
    );
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_lb() {
    let mac = [2, 0, 0, 0, 1, 7];
    let to_service = syn("198.51.100.1:4000", "192.0.2.80:80");
    each_way("xdp_lb", |loaded| {
        let service = [&ip("192.0.2.80")[..], &port(80), &[6, 0]].concat();
        let backends = [3u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat();
        loaded.set("lb_services", &service, &backends);
        let backend = |is_up| [&mac[..], &[is_up, 0]].concat();
        check(loaded, "xdp_lb", &[case("all backends down", to_service.clone(), DROP)]);
        loaded.set("lb_backends", &3u32.to_ne_bytes(), &backend(1));
        check(
            loaded,
            "xdp_lb",
            &[
                changes("a service", to_service.clone(), TX, forwarded(&to_service, RECEIVER, mac)),
                case("no service", syn("198.51.100.1:4000", "192.0.2.80:81"), PASS),
                case("a fragment", fragment(&to_service), PASS),
                case("no IP", arp(), PASS),
            ],
        );
        // Packets and bytes.
        assert_eq!(loaded.total("lb_traffic", 3), 1);
        let flow =
            [&ip("198.51.100.1")[..], &ip("192.0.2.80"), &port(4000), &port(80), &[6, 0, 0, 0]].concat();
        assert_eq!(loaded.get("lb_flows", &flow).unwrap(), 3u32.to_ne_bytes());
        loaded.set("lb_backends", &3u32.to_ne_bytes(), &backend(0));
        check(loaded, "xdp_lb", &[case("down again", to_service.clone(), DROP)]);
    });
}

/// Stages that call each other through a program array with entries from the start.
#[test]
#[ignore = "needs the patched kernel"]
fn xdp_lb_stages() {
    const ABORTED: u32 = 0;
    const TUNNEL: u32 = 0;
    const REJECT: u32 = 1;
    const STAGE_MISSING: u32 = 2;
    let query = udp("198.51.100.1:4000", "192.0.2.53:53", b"query");
    let mut tunneled = forwarded(&query[..IP], RECEIVER, SENDER);
    let inner = &query[IP..];
    let mut outer = etherparse::Ipv4Header::new(
        inner.len() as u16,
        64,
        etherparse::IpNumber::IPV4,
        // 172.16.0.0/12 and the last two bytes of the client's address.
        ip("172.16.100.1"),
        ip("10.0.0.7"),
    )
    .unwrap();
    outer.dont_fragment = false;
    outer.header_checksum = outer.calc_header_checksum();
    tunneled.extend(outer.to_bytes());
    tunneled.extend(inner);
    each_way("xdp_lb_stages", |loaded| {
        let vip = [&ip("192.0.2.53")[..], &port(53), &[17, 0]].concat();
        loaded.set("lbs_vips", &vip, &0u32.to_ne_bytes());
        for at in 0..1024u32 {
            loaded.set("lbs_ring", &at.to_ne_bytes(), &9u32.to_ne_bytes());
        }
        let program = "xdp_lbs_parse";
        check(
            loaded,
            program,
            &[
                case("no backend", query.clone(), DROP),
                case("another port", udp("198.51.100.1:4000", "192.0.2.53:54", b""), PASS),
            ],
        );
        loaded.set("lbs_backends", &9u32.to_ne_bytes(), &ip("10.0.0.7"));
        check(loaded, program, &[changes("a backend", query.clone(), TX, tunneled.clone())]);
        loaded.map("lbs_stages").delete(&TUNNEL.to_ne_bytes()).unwrap();
        check(loaded, program, &[case("no stage", query.clone(), ABORTED)]);
        assert_eq!([TUNNEL, REJECT, STAGE_MISSING].map(|what| loaded.total("lbs_counters", what)), [1, 1, 1]);
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_tenant_acl() {
    let from = |vlan, source: &str| packet::tagged_udp(vlan, source, "192.0.2.2:80");
    each_way("xdp_tenant_acl", |loaded| {
        let acl = MapHandle::create(
            MapType::LpmTrie,
            Some("acl"),
            8,
            4,
            1024,
            &libbpf_sys::bpf_map_create_opts {
                sz: size_of::<libbpf_sys::bpf_map_create_opts>() as _,
                map_flags: libbpf_sys::BPF_F_NO_PREALLOC,
                ..Default::default()
            },
        )
        .unwrap();
        let prefix = |length: u32, address| [length.to_ne_bytes(), ip(address)].concat();
        acl.update(&prefix(8, "10.0.0.0"), &1u32.to_ne_bytes(), MapFlags::ANY).unwrap();
        acl.update(&prefix(16, "10.9.0.0"), &0u32.to_ne_bytes(), MapFlags::ANY).unwrap();
        let fd = acl.as_fd().as_raw_fd();
        loaded.set("tenant_acls", &7u32.to_ne_bytes(), &fd.to_ne_bytes());
        check(
            loaded,
            "xdp_tenant_acl",
            &[
                case("within a prefix", from(7, "10.1.2.3:1"), PASS),
                case("a longer prefix says no", from(7, "10.9.2.3:1"), DROP),
                case("in no prefix", from(7, "11.1.2.3:1"), DROP),
                case("an unknown tenant", from(8, "10.1.2.3:1"), DROP),
                case("untagged", udp("10.1.2.3:1", "192.0.2.2:80", b""), PASS),
            ],
        );
        assert_eq!([7, 8].map(|tenant| loaded.total("tenant_drops", tenant)), [2, 1]);
    });
}

/// Maps that a map of maps has from the start.
#[test]
#[ignore = "needs the patched kernel"]
fn xdp_blocklist() {
    let frame = || udp("203.0.113.5:1", "192.0.2.2:80", b"");
    each_way("xdp_blocklist", |loaded| {
        let program = "xdp_blocklist";
        check(loaded, program, &[case("empty lists", frame(), PASS)]);
        loaded.set("blocklist_b", &ip("203.0.113.5"), &0u64.to_ne_bytes());
        check(loaded, program, &[case("in the list that is not in use", frame(), PASS)]);
        let list = loaded.map("blocklist_b").as_fd().as_raw_fd();
        loaded.set("blocklists", &0u32.to_ne_bytes(), &list.to_ne_bytes());
        check(
            loaded,
            program,
            &[
                case("in use now", frame(), DROP),
                case("another source", udp("203.0.113.6:1", "192.0.2.2:80", b""), PASS),
            ],
        );
        assert_eq!(loaded.get("blocklist_b", &ip("203.0.113.5")).unwrap(), 1u64.to_ne_bytes());
    });
}

/// A timer, a callback for each element of a map, and a program that user space runs.
#[test]
#[ignore = "needs the patched kernel"]
fn xdp_ban() {
    const LIMIT: u32 = 100;
    let frame = udp("203.0.113.5:1", "192.0.2.2:80", b"");
    let other = udp("203.0.113.6:1", "192.0.2.2:80", b"");
    each_way("xdp_ban", |loaded| {
        let report = || {
            let run = bpf::raw::test_run(loaded.program("xdp_ban_report"), &[], &[0; 8]).unwrap();
            let (sources, banned) = run.context.split_at(4);
            (number(sources), number(banned))
        };
        assert_eq!(report(), (0, 0));
        for _ in 0..LIMIT {
            assert_eq!(loaded.run("xdp_ban", &frame).retval, PASS);
        }
        check(
            loaded,
            "xdp_ban",
            &[case("one too many", frame.clone(), DROP), case("another source", other.clone(), PASS)],
        );
        assert_eq!(report(), (2, 1));
        assert_eq!(loaded.variable("ban_dropped"), 1);
        until(|| report() == (0, 0));
        assert_eq!(loaded.variable("ban_lifted"), 1);
        check(loaded, "xdp_ban", &[case("no longer banned", frame.clone(), PASS)]);
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn xdp_gateway() {
    let ssdp = udp("203.0.113.5:1", "192.0.2.2:1900", b"M-SEARCH");
    each_way("xdp_gateway", |loaded| {
        check(loaded, "xdp_gateway", &[case("without a policy", ssdp.clone(), PASS)]);
        assert_eq!(loaded.total("gateway_verdicts", PASS), 1);
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn tc_rate_limit() {
    const CLASS: u32 = 7;
    let context = |mark: u32| {
        // `struct __sk_buff`; the mark is its third field.
        let mut context = [0; 192];
        context[8..12].copy_from_slice(&mark.to_ne_bytes());
        context
    };
    let frame = udp("203.0.113.5:1", "192.0.2.2:80", &[0; 58]);
    assert_eq!(frame.len(), 100);
    each_way("tc_rate_limit", |loaded| {
        let run = |mark, frame: &[u8]| {
            let program = loaded.program("tc_rate_limit");
            bpf::raw::test_run(program, frame, &context(mark)).unwrap().retval
        };
        // A byte a second, and a burst of one packet and a half.
        loaded.set("rl_config", &CLASS.to_ne_bytes(), &[1u64.to_ne_bytes(), 150u64.to_ne_bytes()].concat());
        assert_eq!([1, 2, 3].map(|_| run(CLASS, &frame)), [TC_OK, TC_OK, TC_SHOT]);
        assert_eq!(run(CLASS + 1, &frame), TC_OK, "a class without a limit");
        assert_eq!(run(CLASS, &udp("203.0.113.6:1", "192.0.2.2:80", &[0; 58])), TC_OK, "another source");
        assert_eq!(run(CLASS, &arp()), TC_OK);
        assert_eq!([0, 1].map(|verdict| loaded.total("rl_verdicts", verdict)), [3, 1]);
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn tc_dscp_mark() {
    const EXPEDITED: u8 = 46 << 2;
    const LOW: u8 = 8 << 2;
    let voice = udp("192.0.2.1:5060", "192.0.2.2:16384", b"voice");
    let backup = ack("192.0.2.1:1000", "192.0.2.2:873");
    let with = |frame: &[u8], tos| changed(frame, IP_TOS, &[tos]);
    cases(
        "tc_dscp_mark",
        "tc_dscp_mark",
        &[
            changes("voice", voice.clone(), TC_OK, with(&voice, EXPEDITED)),
            changes("backup", backup.clone(), TC_OK, with(&backup, LOW)),
            changes("keeps ECN", with(&voice, 1), TC_OK, with(&voice, EXPEDITED | 1)),
            case("marked before", with(&voice, EXPEDITED), TC_OK),
            case("anything else", syn("192.0.2.1:1000", "192.0.2.2:80"), TC_OK),
        ],
    );
}

/// Frames that come without a tag: `BPF_PROG_TEST_RUN` has no others.
#[test]
#[ignore = "needs the patched kernel"]
fn tc_vlan_policy() {
    let frame = udp("192.0.2.1:1", "192.0.2.2:2", b"");
    each_way("tc_vlan_policy", |loaded| {
        check(loaded, "tc_vlan_ingress", &[case("gets a tag", frame.clone(), TC_UNSPEC)]);
        check(loaded, "tc_vlan_egress", &[case("has no tag", frame.clone(), TC_SHOT)]);
    });
}

/// A ring buffer, which delivers a record of each flow that ends or has grown.
#[test]
#[ignore = "needs the patched kernel"]
fn tc_flow_export() {
    const FIN: u64 = 1;
    const EVERY: usize = 1000;
    each_way("tc_flow_export", |loaded| {
        let records = RefCell::new(Vec::new());
        let mut ring = RingBufferBuilder::new();
        ring.add(loaded.map("flow_export"), |record| {
            records.borrow_mut().push(record.to_vec());
            0
        })
        .unwrap();
        let ring = ring.build().unwrap();
        let program = "tc_flow_export";
        let (from, to) = ("198.51.100.1:4000", "192.0.2.80:80");
        let end = tcp(from, to, |tcp| tcp.ack(1).fin());
        check(loaded, program, &[case("begins", syn(from, to), TC_UNSPEC)]);
        check(loaded, program, &[case("goes on", ack(from, to), TC_UNSPEC)]);
        ring.consume().unwrap();
        assert_eq!(records.borrow().len(), 0);
        check(loaded, program, &[case("ends", end, TC_UNSPEC)]);
        let datagram = udp(from, to, b"");
        for _ in 0..EVERY {
            assert_eq!(loaded.run(program, &datagram).retval, TC_UNSPEC);
        }
        ring.consume().unwrap();
        let records = records.borrow();
        let [connection, grown] = &records[..] else { panic!("{} records", records.len()) };
        let id = [&ip("198.51.100.1")[..], &ip("192.0.2.80"), &port(4000), &port(80)].concat();
        // After the id and the times: packets, bytes, flags, whether it has ended.
        let field = |record: &[u8], at: usize, size: usize| number(&record[at..at + size]);
        let summary = |record: &[u8]| [field(record, 32, 8), field(record, 40, 8), field(record, 52, 4)];
        assert_eq!((&connection[..12], connection[12]), (&id[..], 6));
        assert_eq!(summary(connection), [3, 3 * 54, 1]);
        assert_eq!(field(connection, 48, 4) & FIN, FIN);
        assert_eq!((&grown[..12], grown[12]), (&id[..], 17));
        assert_eq!(summary(grown), [EVERY as u64, EVERY as u64 * 42, 0]);
        assert_eq!(loaded.variable("flow_records_lost"), 0);
    });
}

/// A copy leaves through another device.
#[test]
#[ignore = "needs the patched kernel"]
fn tc_mirror() {
    let chosen = udp("192.0.2.1:1000", "192.0.2.2:53", b"to be seen");
    let long = udp("192.0.2.1:1000", "192.0.2.2:53", &[0; 200]);
    each_way("tc_mirror", |loaded| {
        let mut tap = Tap::new("mirror0");
        let target = |max: u32| [tap.index().to_ne_bytes(), max.to_ne_bytes()].concat();
        loaded.set("mirror_ports", &port(53), &target(150));
        loaded.set("mirror_ports", &port(54), &[9999u32, 0].map(u32::to_ne_bytes).concat());
        let no_device = udp("192.0.2.1:1000", "192.0.2.2:54", b"");
        check(
            loaded,
            "tc_mirror",
            &[
                case("another port", udp("192.0.2.1:1000", "192.0.2.2:55", b""), TC_UNSPEC),
                case("too long", long.clone(), TC_UNSPEC),
                case("to be copied", chosen.clone(), TC_UNSPEC),
                case("to no device", no_device, TC_UNSPEC),
            ],
        );
        assert_eq!([0, 1].map(|failed| loaded.total("mirror_counts", failed)), [1, 1]);
        assert_eq!(tap.next_from(SENDER), chosen);
    });
}

#[test]
#[ignore = "needs the patched kernel"]
fn socket_filter_dns() {
    let header = |flags: u16, questions: u16| [7, flags, questions, 0, 0, 0].map(u16::to_be_bytes).concat();
    let question = |name: &[u8]| [&header(0x0100, 1), name, &[0, 1, 0, 1]].concat();
    let to_dns = |payload: &[u8]| udp("192.0.2.1:1000", "192.0.2.2:53", payload);
    let good = to_dns(&question(b"\x07example\x03com\0"));
    each_way("socket_filter_dns", |loaded| {
        let run = |frame: &[u8]| {
            // Such a program sees frames from their start, but when run by hand, from behind the Ethernet header.
            let data = [&frame[..IP], frame].concat();
            loaded.run("socket_dns", &data).retval
        };
        assert_eq!(run(&good), good.len() as u32, "a question");
        assert_eq!(run(&good[..good.len() - 8]), 0, "cut off");
        assert_eq!(run(&to_dns(&question(b"\xc0\x0c"))), 0, "a pointer in a question");
        assert_eq!(run(&to_dns(&[&header(0x8180, 1)[..], b"\x01a\0\0\x01\0\x01"].concat())), 0, "an answer");
        assert_eq!(
            run(&to_dns(&[&header(0x0100, 2)[..], b"\x01a\0\0\x01\0\x01"].concat())),
            0,
            "two questions"
        );
        assert_eq!(run(&udp("192.0.2.1:1000", "192.0.2.2:54", b"")), 0, "another port");
        assert_eq!(run(&arp()), 0);
    });
}

/// The result is not a packet but what the kernel is told of its flow (`struct bpf_flow_keys`).
#[test]
#[ignore = "needs the patched kernel"]
fn flow_dissector() {
    const OK: u32 = 0;
    const DROP: u32 = 2;
    let datagram = udp("192.0.2.1:1000", "198.51.100.2:53", b"");
    each_way("flow_dissector", |loaded| {
        // Offsets of the headers, protocols, ports, addresses.
        let keys = |frame: &[u8]| {
            let TestRun { retval, data, .. } = loaded.run("flow_dissect", frame);
            let half = |at: usize| u16::from_ne_bytes([data[at], data[at + 1]]);
            let network = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]);
            (retval, half(0), half(2), data[6], data[9], network(12), network(14), data[16..24].to_vec())
        };
        let addresses = [ip("192.0.2.1"), ip("198.51.100.2")].concat();
        assert_eq!(keys(&datagram), (OK, 14, 34, 0, 17, 1000, 53, addresses.clone()));
        let tagged = packet::tagged_udp(7, "192.0.2.1:1000", "198.51.100.2:53");
        assert_eq!(keys(&tagged), (OK, 18, 38, 0, 17, 1000, 53, addresses.clone()));
        assert_eq!(keys(&later_fragment(&datagram)), (OK, 14, 34, 1, 17, 0, 0, addresses));
        assert_eq!(loaded.run("flow_dissect", &arp()).retval, DROP);
    });
}

/// Has no packet, only a context (`struct bpf_sk_lookup`).
#[test]
#[ignore = "needs the patched kernel"]
fn sk_lookup_gate() {
    const DROP: u32 = 0;
    const PASS: u32 = 1;
    let lookup = |remote: &str, local_port: u32| {
        let mut context = [0; 72];
        context[8..12].copy_from_slice(&(libc::AF_INET as u32).to_ne_bytes());
        context[12..16].copy_from_slice(&(libc::IPPROTO_TCP as u32).to_ne_bytes());
        context[16..20].copy_from_slice(&ip(remote));
        context[36..38].copy_from_slice(&port(1000));
        context[40..44].copy_from_slice(&ip("192.0.2.1"));
        context[60..64].copy_from_slice(&local_port.to_ne_bytes());
        context
    };
    each_way("sk_lookup_gate", |loaded| {
        let run = |remote, port| {
            bpf::raw::test_run(loaded.program("sk_lookup_gate"), &[], &lookup(remote, port)).unwrap().retval
        };
        assert_eq!(run("203.0.113.5", 443), PASS);
        assert_eq!(run("203.0.113.5", 22), DROP);
        assert_eq!(run("192.168.1.1", 22), PASS);
        assert_eq!(run("203.0.113.5", 9095), DROP);
        assert_eq!(run("203.0.113.5", 9101), PASS);
    });
}
