//! A program that takes the place of another's function.

use crate::loaded::{Hook, Loaded, Way};
use crate::packet::udp;

/// `enum xdp_action`.
const DROP: u32 = 1;
const PASS: u32 = 2;

#[test]
#[ignore = "needs the patched kernel"]
fn freplace_gateway_policy() {
    let ssdp = udp("203.0.113.5:1", "192.0.2.2:1900", b"M-SEARCH");
    let dns = udp("203.0.113.5:1", "192.0.2.2:53", b"query");
    for way in Way::ALL {
        let gateway = Loaded::new("xdp_gateway", way);
        let verdicts = || [&ssdp, &dns].map(|frame| gateway.run("xdp_gateway", frame).retval);
        let policy = Loaded::onto("freplace_gateway_policy", way, gateway.program("xdp_gateway"));
        assert_eq!(verdicts(), [PASS, PASS], "{way:?}: not yet attached");
        let link = policy.attach(Hook::Section);
        assert_eq!(link.len(), 1);
        assert_eq!(verdicts(), [DROP, PASS], "{way:?}: attached");
        assert_eq!(policy.variable("policy_dropped"), 1);
        drop(link);
        assert_eq!(verdicts(), [PASS, PASS], "{way:?}: no longer attached");
        assert_eq!([DROP, PASS].map(|verdict| gateway.total("gateway_verdicts", verdict)), [1, 5]);
    }
}
