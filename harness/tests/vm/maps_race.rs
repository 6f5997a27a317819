//! Another thread rewrites what a load refers to.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bpfsig::bpf;
use bpfsig_signing::map::MapDefinition;
use libc::EKEYREJECTED;

use crate::keys::signer;
use crate::load::{load_btf, load_onto, program, sign};

const DURATION: Duration = Duration::from_secs(10);

/// The slots of a program change between maps that were signed and others during the load: it is refused, or it uses
/// those that were signed.
#[test]
#[ignore = "needs the patched kernel"]
fn rewritten_fd_array() {
    let program = program("xdp_lb");
    let signature = sign(&program, signer());
    let btf = load_btf(&program);
    let maps = bpf::create_maps(&program, btf.as_ref().map(AsFd::as_fd)).unwrap();
    // A foreign map that the program could use as well.
    let slot = program.slots.iter().position(|map| map.name == "lb_flows").unwrap();
    let foreign = MapDefinition { max_entries: 1, ..MapDefinition::clone(&program.slots[slot]) };
    let foreign = bpf::create_map(&foreign, btf.as_ref().map(AsFd::as_fd)).unwrap();
    let foreign_id = bpf::map_id(foreign.as_fd()).unwrap();

    let fds: Vec<_> = maps.iter().map(|map| AtomicI32::new(map.as_raw_fd())).collect();
    let (own, other) = (maps[slot].as_raw_fd(), foreign.as_raw_fd());
    let done = AtomicBool::new(false);
    let (mut accepted, mut refused, mut problem) = (0, 0, None);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fds[slot].store(other, Ordering::Relaxed);
                std::hint::spin_loop();
                fds[slot].store(own, Ordering::Relaxed);
                std::hint::spin_loop();
            }
        });
        let end = Instant::now() + DURATION;
        // No panic in here: the other thread would never end.
        while Instant::now() < end && problem.is_none() {
            let outcome = load_onto(&program, &btf, &maps, Some(&signature), |attr| {
                attr.fd_array = fds.as_ptr() as u64;
            });
            match outcome.result {
                Ok(loaded) => {
                    accepted += 1;
                    let ids = bpf::map_ids(loaded.as_fd()).unwrap_or_default();
                    if ids.len() != maps.len() || ids.contains(&foreign_id) {
                        problem =
                            Some(format!("accepted with maps {ids:?}, and {foreign_id} was not signed"));
                    }
                }
                Err(EKEYREJECTED) => refused += 1,
                Err(errno) => problem = Some(format!("errno {errno}: {}", outcome.log)),
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(problem, None, "after {accepted} loads accepted, {refused} refused");
    assert!(accepted > 0 && refused > 0, "no race: {accepted} loads accepted, {refused} refused");
    println!("{accepted} loads accepted, {refused} refused");
}
