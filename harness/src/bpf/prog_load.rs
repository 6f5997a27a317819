//! Loading a program in load-invariant form, signed or not.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bpfsig_signing::program::Program;

use super::syscall::{ProgLoad, address, number, object_name, prog_load};

/// `BPF_LOG_STATS`: figures only, no trace.
const LOG_STATS: u32 = 4;

/// Index of the secondary trusted keyring (`VERIFY_USE_SECONDARY_KEYRING`).
pub const SECONDARY_KEYRING: i32 = 1;

/// A load that can be repeated: `BPF_PROG_LOAD` with all its attributes filled in.
pub struct PreparedLoad<'a> {
    program: &'a Program,
    insns: Cow<'a, [u8]>,
    signature: Option<&'a [u8]>,
    btf: Option<BorrowedFd<'a>>,
    maps: Vec<BorrowedFd<'a>>,
    attach_btf_id: u32,
    license: CString,
    log: Box<[u8]>,
}

impl<'a> PreparedLoad<'a> {
    /// `maps` are the program's, in the order of its slots.
    ///
    /// # Errors
    /// The program's license has a zero byte, or `replacement` is not one of its instructions.
    pub fn new(
        program: &'a Program,
        btf: Option<BorrowedFd<'a>>,
        maps: &'a [OwnedFd],
        attach_btf_id: u32,
        signature: Option<&'a [u8]>,
        replacement: Option<(usize, [u8; 8])>,
    ) -> Result<PreparedLoad<'a>> {
        let mut insns = Cow::Borrowed(&program.insns[..]);
        if let Some((index, insn)) = replacement {
            insns
                .to_mut()
                .as_chunks_mut()
                .0
                .get_mut(index)
                .map(|old| *old = insn)
                .with_context(|| format!("{} has no instruction {index}", program.name))?;
        }
        let license = CString::new(program.license.as_str())?;
        let log = vec![0; 4096].into_boxed_slice();
        let maps = maps.iter().map(AsFd::as_fd).collect();
        Ok(PreparedLoad { program, insns, signature, btf, maps, attach_btf_id, license, log })
    }

    /// Loads the program; also says how long the system call took, and nothing but the system call.
    pub fn load(&mut self) -> (io::Result<OwnedFd>, Duration) {
        let mut attr = self.attr();
        let start = Instant::now();
        // SAFETY: the log is `self.log`, with its size.
        let result = unsafe { prog_load(&mut attr) };
        (result, start.elapsed())
    }

    /// The attributes; they are good for as long as `self` is not used otherwise.
    pub fn attr(&mut self) -> ProgLoad {
        self.log[0] = 0;
        let program = self.program;
        ProgLoad {
            prog_type: program.prog_type,
            insn_cnt: program.insn_count(),
            insns: address(&self.insns),
            license: self.license.as_ptr() as u64,
            log_level: LOG_STATS,
            log_size: self.log.len() as u32,
            log_buf: self.log.as_mut_ptr() as u64,
            prog_flags: program.flags,
            prog_name: object_name(&program.name),
            expected_attach_type: program.expected_attach_type,
            prog_btf_fd: self.btf.as_ref().map_or(0, number),
            func_info_rec_size: program.func_info.record_size,
            func_info: address(&program.func_info.bytes),
            func_info_cnt: program.func_info.count(),
            line_info_rec_size: program.line_info.record_size,
            line_info: address(&program.line_info.bytes),
            line_info_cnt: program.line_info.count(),
            attach_btf_id: self.attach_btf_id,
            core_relo_cnt: program.core_relos.count(),
            // A `BorrowedFd` is the number.
            fd_array: if self.maps.is_empty() { 0 } else { self.maps.as_ptr() as u64 },
            // Says what the signature covers.
            fd_array_cnt: if self.signature.is_some() { self.maps.len() as u32 } else { 0 },
            core_relos: address(&program.core_relos.bytes),
            core_relo_rec_size: program.core_relos.record_size,
            signature: self.signature.map_or(0, address),
            signature_size: self.signature.map_or(0, |signature| signature.len() as u32),
            keyring_id: if self.signature.is_some() { SECONDARY_KEYRING } else { 0 },
            ..ProgLoad::default()
        }
    }

    /// What the last load wrote to the verifier log.
    pub fn log(&self) -> String {
        CStr::from_bytes_until_nul(&self.log).map_or_else(
            |_| String::from_utf8_lossy(&self.log).into_owned(),
            |text| text.to_string_lossy().into_owned(),
        )
    }
}
