//! Loading a program in load-invariant form, signed or not.

use std::borrow::Cow;
use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use bpfsig_signing::names;
use bpfsig_signing::program::Program;

use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::stopwatch;
use crate::syscall::{ProgLoad, address, number, prog_load};
use crate::target::LoadTarget;
use crate::verifier_log::{self, Log};

/// `BPF_ATTEST_EXPORT`.
const ATTEST_EXPORT: u32 = 1;

/// Source and destination of facts about a program.
#[derive(Clone, Copy, Default)]
pub enum Attest<'a> {
    /// The kernel verifies the program, and keeps to itself what it learns.
    #[default]
    No,
    /// The kernel verifies the program, and keeps what it learns for [`facts`](crate::raw::facts).
    Export,
    /// The kernel may take these facts instead, if a CMS message attests them.
    Facts {
        /// The message.
        message: &'a [u8],
        /// The facts.
        facts: &'a [u8],
    },
}

/// What a load needs besides the program itself.
#[derive(Default)]
pub struct LoadContext<'a> {
    /// The program's BTF.
    pub btf: Option<BorrowedFd<'a>>,
    /// The program's maps, in the order of its slots.
    pub maps: Vec<BorrowedFd<'a>>,
    /// What the program attaches to.
    pub target: Option<&'a LoadTarget>,
    /// A CMS message; none: an unsigned load.
    pub signature: Option<&'a [u8]>,
    /// Where to look for the signer.
    pub keyring: Keyring,
    /// What is done about facts.
    pub attest: Attest<'a>,
}

/// A load that can be repeated: `BPF_PROG_LOAD` with all its attributes filled in.
pub struct PreparedLoad<'a> {
    program: &'a Program,
    insns: Cow<'a, [u8]>,
    context: LoadContext<'a>,
    license: CString,
    log_level: u32,
    log: Log,
}

impl<'a> PreparedLoad<'a> {
    /// # Errors
    /// The program's license has a zero byte.
    pub fn new(program: &'a Program, context: LoadContext<'a>) -> Result<PreparedLoad<'a>> {
        Ok(PreparedLoad {
            program,
            insns: Cow::Borrowed(&program.insns[..]),
            context,
            license: CString::new(program.license.as_str()).map_err(|_| {
                Error::Invalid("its license has a zero byte".to_owned()).in_program(&program.name)
            })?,
            log_level: verifier_log::STATS,
            log: Log::for_records(program.core_relos.count()),
        })
    }

    /// Replaces an instruction.
    ///
    /// # Errors
    /// The program has no instruction `index`.
    pub fn replace(&mut self, index: usize, insn: [u8; 8]) -> Result<()> {
        let insns = self.insns.to_mut().as_chunks_mut().0;
        let place = insns.get_mut(index).ok_or_else(|| {
            Error::Missing(format!("there is no instruction {index}")).in_program(&self.program.name)
        })?;
        *place = insn;
        Ok(())
    }

    /// Makes room for a whole verifier log of `size` bytes.
    pub fn trace(&mut self, size: usize) {
        self.log_level = verifier_log::STATS | verifier_log::TRACE;
        self.log = Log::new(size);
    }

    /// Loads the program; also says how long the system call took, and nothing but the system call.
    pub fn load(&mut self) -> (io::Result<OwnedFd>, Duration) {
        let mut attr = self.attr();
        let start = stopwatch::elapsed();
        // SAFETY: the log is `self.log`, with its size.
        let result = unsafe { prog_load(&mut attr) };
        (result, stopwatch::elapsed() - start)
    }

    /// The attributes; they are good for as long as `self` is not used otherwise.
    pub fn attr(&mut self) -> ProgLoad {
        let (log_buf, log_size) = self.log.clear();
        let program = self.program;
        let LoadContext { btf, maps, target, signature, keyring, attest } = &self.context;
        let (message, facts) = match *attest {
            Attest::Facts { message, facts } => (Some(message), Some(facts)),
            Attest::No | Attest::Export => (None, None),
        };
        ProgLoad {
            prog_type: program.prog_type,
            insn_cnt: program.insn_count(),
            insns: address(&self.insns),
            license: self.license.as_ptr() as u64,
            log_level: self.log_level,
            log_size,
            log_buf,
            prog_flags: program.flags,
            prog_name: names::padded(&program.name),
            expected_attach_type: target
                .and_then(|target| target.member)
                .unwrap_or(program.expected_attach_type),
            prog_btf_fd: btf.as_ref().map_or(0, number),
            func_info_rec_size: program.func_info.record_size,
            func_info: address(&program.func_info.bytes),
            func_info_cnt: program.func_info.count(),
            line_info_rec_size: program.line_info.record_size,
            line_info: address(&program.line_info.bytes),
            line_info_cnt: program.line_info.count(),
            attach_btf_id: target.map_or(0, |target| target.btf_id),
            attach_object_fd: target.and_then(|target| target.object.as_ref()).map_or(0, number),
            core_relo_cnt: program.core_relos.count(),
            // A `BorrowedFd` is the number.
            fd_array: if maps.is_empty() { 0 } else { maps.as_ptr() as u64 },
            // Says what the signature covers.
            fd_array_cnt: if signature.is_some() { maps.len() as u32 } else { 0 },
            core_relos: address(&program.core_relos.bytes),
            core_relo_rec_size: program.core_relos.record_size,
            signature: signature.map_or(0, address),
            signature_size: signature.map_or(0, size),
            keyring_id: if signature.is_some() { keyring.0 } else { 0 },
            attestation: message.map_or(0, address),
            facts: facts.map_or(0, address),
            attestation_size: message.map_or(0, size),
            facts_size: facts.map_or(0, size),
            attest_flags: if matches!(attest, Attest::Export) { ATTEST_EXPORT } else { 0 },
            ..ProgLoad::default()
        }
    }

    /// What the last load wrote to the verifier log.
    pub fn log(&self) -> String {
        self.log.text()
    }
}

fn size(bytes: &[u8]) -> u32 {
    bytes.len() as u32
}
