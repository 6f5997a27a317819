//! Running a program by hand (`BPF_PROG_TEST_RUN`).

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use libbpf_rs::libbpf_sys as sys;

use crate::info;
use crate::libbpf::check;
use crate::stopwatch::timed;

/// Room for packets that grow, in bytes.
const HEADROOM: usize = 256;

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// What the program returned.
    pub retval: u32,
    /// The packet afterwards; empty for a program that has none.
    pub data: Vec<u8>,
    /// The context afterwards, as large as it was before.
    pub context: Vec<u8>,
    /// As the kernel measured it; 0 for programs that it does not measure.
    pub duration: Duration,
}

/// Runs a program once on a packet and a context (`struct xdp_md`, `struct __sk_buff`, …); either may be empty.
///
/// # Errors
/// The kernel can't run programs of this type by hand, or not with this packet and context.
pub fn test_run(program: BorrowedFd<'_>, data: &[u8], context: &[u8]) -> io::Result<TestRun> {
    let mut data_out = vec![0; if data.is_empty() { 0 } else { data.len() + HEADROOM }];
    let mut context = context.to_vec();
    let context_address = or_null(&mut context);
    // These write to their input, if at all.
    let in_place =
        matches!(info::prog_type(program)?, sys::BPF_PROG_TYPE_SYSCALL | sys::BPF_PROG_TYPE_RAW_TRACEPOINT);
    let mut options = sys::bpf_test_run_opts {
        sz: size_of::<sys::bpf_test_run_opts>() as _,
        data_in: if data.is_empty() { ptr::null() } else { data.as_ptr().cast() },
        data_size_in: data.len() as u32,
        data_out: or_null(&mut data_out),
        data_size_out: data_out.len() as u32,
        ctx_in: context_address,
        ctx_size_in: context.len() as u32,
        ctx_out: if in_place { ptr::null_mut() } else { context_address },
        ctx_size_out: if in_place { 0 } else { context.len() as u32 },
        ..Default::default()
    };
    // SAFETY: each buffer comes with its size; the kernel is done with reading one before it writes to it.
    check(timed(|| unsafe { sys::bpf_prog_test_run_opts(program.as_raw_fd(), &mut options) }))?;
    data_out.truncate(options.data_size_out as usize);
    Ok(TestRun {
        retval: options.retval,
        data: data_out,
        context,
        duration: Duration::from_nanos(options.duration.into()),
    })
}

/// The kernel takes an address for a sign that there is something.
fn or_null(bytes: &mut [u8]) -> *mut c_void {
    if bytes.is_empty() { ptr::null_mut() } else { bytes.as_mut_ptr().cast() }
}
