//! Signing and loading programs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::LazyLock;

use bpfsig_lab::corpus;
use bpfsig_loading as bpf;
use bpfsig_loading::raw::{LoadContext, LoadTarget, PreparedLoad, ProgLoad};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::{Entry, Kind, Statement};

/// A program of the corpus.
pub fn program(name: &str) -> Program {
    // Made once: the translated machine takes its time for a million instructions.
    static CORPUS: LazyLock<Vec<corpus::Entry>> = LazyLock::new(|| corpus::select(None).unwrap());
    CORPUS.iter().find(|entry| entry.name == name).unwrap().program.clone()
}

/// Two instructions.
pub fn small() -> Program {
    program("straight-2")
}

/// The statement that lists a program.
pub fn statement(program: &Program) -> Statement {
    let digest = Manifest::of(program).unwrap().digest();
    Statement { expiry: 0, entries: vec![Entry { kind: Kind::PROGRAM, digest }] }
}

/// The signature of a program.
pub fn sign(program: &Program, signer: &Signer) -> Vec<u8> {
    cms::sign_attached(&statement(program).encode().unwrap(), signer).unwrap()
}

/// What became of a load.
#[derive(Debug)]
pub struct Outcome {
    /// The program, or the error number.
    pub result: Result<OwnedFd, i32>,
    /// The verifier log.
    pub log: String,
}

impl Outcome {
    /// The kernel must have accepted the program.
    #[track_caller]
    pub fn accepted(self) -> OwnedFd {
        match self.result {
            Ok(program) => program,
            Err(errno) => panic!("{}: {}", io::Error::from_raw_os_error(errno), self.log),
        }
    }

    /// The kernel must have refused the program, for this reason.
    #[track_caller]
    pub fn refused(self, errno: i32, reason: &str) {
        let found = match &self.result {
            Ok(_) => 0,
            Err(errno) => *errno,
        };
        assert_eq!(found, errno, "{}\n{}", io::Error::from_raw_os_error(found), self.log);
        assert!(self.log.contains(reason), "`{reason}` is not in the log: {}", self.log);
    }
}

/// Loads a program with a signature that is looked for in the secondary keyring, or without one.
pub fn load(program: &Program, signature: Option<&[u8]>) -> Outcome {
    load_with(program, signature, |_| {})
}

/// Loads a program with changed attributes.
pub fn load_with(program: &Program, signature: Option<&[u8]>, change: impl FnOnce(&mut ProgLoad)) -> Outcome {
    let btf = load_btf(program);
    let maps = bpf::raw::create_maps(program, btf.as_ref().map(AsFd::as_fd)).unwrap();
    load_onto(program, &btf, &maps, signature, change)
}

/// Loads a program's BTF.
pub fn load_btf(program: &Program) -> Option<OwnedFd> {
    program.btf.as_deref().map(|btf| bpf::raw::load_btf(btf).unwrap())
}

/// Loads a program that is to use these maps.
pub fn load_onto(
    program: &Program,
    btf: &Option<OwnedFd>,
    maps: &[OwnedFd],
    signature: Option<&[u8]>,
    change: impl FnOnce(&mut ProgLoad),
) -> Outcome {
    let target = LoadTarget::of(program, None).unwrap();
    let context = LoadContext {
        btf: btf.as_ref().map(AsFd::as_fd),
        maps: maps.iter().map(AsFd::as_fd).collect(),
        target: Some(&target),
        signature,
        ..LoadContext::default()
    };
    let mut load = PreparedLoad::new(program, context).unwrap();
    let mut attr = load.attr();
    change(&mut attr);
    // SAFETY: no test changes the log.
    let result = unsafe { bpf::raw::prog_load(&mut attr) };
    Outcome { result: result.map_err(|error| error.raw_os_error().unwrap()), log: load.log() }
}
