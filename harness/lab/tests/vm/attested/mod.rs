//! Programs that are loaded with facts that somebody attests.

pub mod command;
mod fuzz;
mod identical;
mod refused;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::LazyLock;

use bpfsig_loading::raw::ProgLoad;
use bpfsig_loading::{self as bpf, Attested, Origin, ProgramInfo, keyring};
use bpfsig_signing::Digest;
use bpfsig_signing::attestation::Attestation;
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::facts::Facts;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::Statement;

use crate::keys::{self, signer};
use crate::load::{self, Outcome, load_btf, load_onto};
use crate::machine::set_sysctl;

const SYSCTL: &str = "bpf_attestation";
/// `BPF_ATTEST_EXPORT`.
const EXPORT: u32 = 1;

/// Attested facts take the place of verification for as long as this lives.
pub struct SwitchedOn;

impl SwitchedOn {
    pub fn new() -> Self {
        set_sysctl(SYSCTL, "1").unwrap();
        SwitchedOn
    }
}

impl Drop for SwitchedOn {
    fn drop(&mut self) {
        set_sysctl(SYSCTL, "0").unwrap();
    }
}

/// The keyring of attesters.
pub fn attest_keyring() -> i32 {
    keyring::find(".bpf_attest").unwrap().expect("there is no keyring .bpf_attest")
}

/// An attester whom the kernel trusts.
pub fn attester() -> &'static Signer {
    static ATTESTER: LazyLock<Signer> = LazyLock::new(|| {
        let attester = keys::issued_attester("attester");
        keys::add(&attester, attest_keyring());
        attester
    });
    &ATTESTER
}

/// The message of an attester who vouches for facts about a program.
pub fn attest(program: &Program, facts: &[u8], attester: &Signer) -> Vec<u8> {
    attest_until(program, facts, attester, 0)
}

/// The same, which expires at a time in seconds since the epoch.
fn attest_until(program: &Program, facts: &[u8], attester: &Signer, expiry: u64) -> Vec<u8> {
    let manifest = Manifest::of(program).unwrap().digest();
    let attestation = Attestation { manifest, facts: Digest::of(facts) };
    let statement = Statement { expiry, entries: vec![attestation.entry()] };
    cms::sign_attached(&statement.encode().unwrap(), attester).unwrap()
}

/// A signed program with the maps that all its loads share.
pub struct Subject {
    pub program: Program,
    signature: Vec<u8>,
    btf: Option<OwnedFd>,
    maps: Vec<OwnedFd>,
}

impl Subject {
    pub fn new(program: Program) -> Subject {
        let btf = load_btf(&program);
        let maps = bpf::raw::create_maps(&program, btf.as_ref().map(AsFd::as_fd)).unwrap();
        Subject { signature: load::sign(&program, signer()), program, btf, maps }
    }

    pub fn load(&self, change: impl FnOnce(&mut ProgLoad)) -> Outcome {
        self.load_signed(&self.signature, change)
    }

    /// Loads it with another signature.
    pub fn load_signed(&self, signature: &[u8], change: impl FnOnce(&mut ProgLoad)) -> Outcome {
        load_onto(&self.program, &self.btf, &self.maps, Some(signature), change)
    }

    /// Has it verified, for its facts.
    pub fn export(&self) -> Outcome {
        self.load(|attr| attr.attest_flags = EXPORT)
    }

    /// The facts about it.
    pub fn facts(&self) -> Facts {
        let program = self.export().accepted();
        Facts::decode(&bpf::raw::facts(program.as_fd()).unwrap()).unwrap()
    }

    /// Loads it with facts and a message about them.
    pub fn load_with(&self, facts: &[u8], message: &[u8]) -> Outcome {
        self.load(|attr| give(attr, facts, message))
    }

    /// Loads it with facts for which the attester vouches.
    pub fn load_attested(&self, facts: &[u8]) -> Outcome {
        self.load_with(facts, &attest(&self.program, facts, attester()))
    }
}

/// Puts facts and a message about them into the attributes of a load.
pub fn give(attr: &mut ProgLoad, facts: &[u8], message: &[u8]) {
    (attr.facts, attr.facts_size) = (facts.as_ptr() as u64, facts.len() as u32);
    (attr.attestation, attr.attestation_size) = (message.as_ptr() as u64, message.len() as u32);
}

/// What became of the facts that a program was loaded with.
pub fn attested(program: BorrowedFd<'_>) -> Attested {
    match ProgramInfo::of(program).unwrap().origin {
        Some(Origin::Verified(signature)) => signature.attested,
        origin => panic!("{origin:?}"),
    }
}
