// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The source of count.o: aya-ebpf 0.1.1, bpf-linker 0.13.0 with --btf, rustc 1.97.0-nightly (e50aa6fba 2026-05-19) for
//! bpfel-unknown-none with opt-level 3; then `llvm-strip -g`.

#![no_std]
#![no_main]
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::{classifier, kprobe, map, xdp};
use aya_ebpf::maps::{Array, HashMap};
use aya_ebpf::programs::{ProbeContext, TcContext, XdpContext};

#[map]
static COUNTS: HashMap<u32, u64> = HashMap::with_max_entries(1024, 0);
#[map]
static TOTAL: Array<u64> = Array::with_max_entries(1, 0);

#[no_mangle]
static LIMIT: u32 = 7;

#[xdp]
pub fn count(ctx: XdpContext) -> u32 {
    let key = (ctx.data_end() - ctx.data()) as u32;
    if let Some(value) = COUNTS.get_ptr_mut(&key) {
        unsafe { *value += 1 };
    } else {
        let _ = COUNTS.insert(&key, &1, 0);
    }
    if key > unsafe { core::ptr::read_volatile(&LIMIT) } { xdp_action::XDP_PASS } else { xdp_action::XDP_DROP }
}

#[classifier]
pub fn pass(_ctx: TcContext) -> i32 {
    if let Some(total) = TOTAL.get_ptr_mut(0) {
        unsafe { *total += 1 };
    }
    0
}

#[kprobe]
pub fn opened(_ctx: ProbeContext) -> u32 {
    0
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[link_section = "license"]
#[no_mangle]
static LICENSE: [u8; 4] = *b"GPL\0";
