//! The verifier log.

use std::ffi::CStr;

/// `BPF_LOG_STATS`: figures only, no trace.
pub const STATS: u32 = 4;
/// `BPF_LOG_LEVEL1`: the path to the error.
pub(super) const TRACE: u32 = 1;

/// Enough for figures, and for why a signature is refused.
const SMALL: usize = 64 << 10;
/// Enough for what the kernel says of a CO-RE record, whatever it is asked for: some lines with the names of types. With a full
/// log, a load fails after all of it has been done.
const RECORD: usize = 1 << 10;

/// A buffer for the verifier's log.
#[derive(Clone, Debug)]
pub struct Log(Box<[u8]>);

impl Log {
    /// Room for `size` bytes.
    pub(super) fn new(size: usize) -> Self {
        Self(vec![0; size].into())
    }

    /// Room for what is said of a program with so many CO-RE records.
    pub(super) fn for_records(count: u32) -> Self {
        Self::new(SMALL + count as usize * RECORD)
    }

    /// Makes it empty; returns address and size of the room.
    pub fn clear(&mut self) -> (u64, u32) {
        self.0[0] = 0;
        (self.0.as_mut_ptr() as u64, self.0.len() as u32)
    }

    /// What has been written.
    pub fn text(&self) -> String {
        let text = CStr::from_bytes_until_nul(&self.0).map_or(&*self.0, CStr::to_bytes);
        String::from_utf8_lossy(text).into_owned()
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new(SMALL)
    }
}
