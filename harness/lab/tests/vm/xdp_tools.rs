//! Objects of other people, as Debian ships them.

#[path = "../common/xdp_tools.rs"]
mod objects;

use bpfsig_signing::choices::Choices;

use crate::xlated;

pub use objects::objects;

/// Attaches to a program that it does not name: see `behaviour/extensions.rs`.
pub const DUMP: &str = "xdpdump_bpf.o";

/// Each is signed, loaded, and in the kernel what libbpf makes of it.
#[test]
#[ignore = "needs the patched kernel"]
fn each_object() {
    let mut programs = 0;
    for (name, bytes) in objects().iter().filter(|(name, _)| name != DUMP) {
        programs += xlated::same(name, bytes, &Choices::default(), None);
    }
    println!("{programs} programs load signed");
    assert!(programs > 0);
}
