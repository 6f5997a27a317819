//! The programs that are loaded, and what the kernel knows of their signatures.

use std::fmt;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use bpfsig_signing::Digest;
use bpfsig_signing::key::KeyId;
use bpfsig_signing::program::NAME_LEN;
use bpfsig_signing::uapi::prog_type;
use libbpf_rs::libbpf_sys as sys;
use serde::Serialize;

use crate::kernel_btf;
use crate::libbpf::{check, next_program_id, program_by_id};

/// `struct bpf_prog_info` of the patched kernel.
#[repr(C)]
#[derive(Default)]
struct Info {
    program: sys::bpf_prog_info,
    signature: SignatureInfo,
}

/// What the patched kernel adds, with its names.
#[repr(C)]
#[derive(Default)]
struct SignatureInfo {
    verdict: u32,
    keyring_id: i32,
    signer_size: u32,
    attested: u32,
    signer: [u8; 32],
    statement: [u8; 32],
    program: [u8; 32],
    facts: u64,
    facts_size: u32,
    attester_size: u32,
    attester: [u8; 32],
}

const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(Info, signature) == 232);
    assert!(offset_of!(SignatureInfo, facts) == 112);
};

/// A loaded program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgramInfo {
    /// The kernel's number of the program.
    pub id: u32,
    /// The whole name if the program has BTF to say it; else at most the 15 bytes that the kernel keeps.
    pub name: String,
    /// `enum bpf_prog_type`, by name.
    #[serde(rename = "type")]
    pub prog_type: String,
    /// The start of SHA-1 over its instructions, in hexadecimal, by which tools tell programs apart.
    pub tag: String,
    /// The user who loaded it.
    pub uid: u32,
    /// `None`: this kernel does not tell.
    #[serde(flatten)]
    pub origin: Option<Origin>,
}

/// The origin of a program (`sig_verdict` of `struct bpf_prog_info`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Origin {
    /// Nothing.
    Unsigned,
    /// Its signature is good.
    Verified(Signature),
    /// It has none, but a policy has granted it. Signer and statement are the policy's, and the digest is zero if the
    /// policy did not ask for it.
    Granted(Signature),
    /// A verdict that a later kernel has.
    Unknown,
}

/// A signature that the kernel has checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// The signer's subject key identifier.
    #[serde(serialize_with = "hex")]
    pub signer: KeyId,
    /// Where the signer was found: the `keyring_id` of the load.
    pub keyring_id: i32,
    /// Digest of the statement; `None` if the signature is detached.
    #[serde(serialize_with = "optional_hex")]
    pub statement: Option<Digest>,
    /// Digest of the manifest; zeros if the signature is detached.
    #[serde(serialize_with = "hex")]
    pub program: Digest,
    /// Whether attested facts took the place of the verifier's search.
    #[serde(flatten)]
    pub attested: Attested,
}

/// Whether attested facts took the place of the verifier's search, and if not, why the kernel has explored the program
/// itself (`enum bpf_sig_attested`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "facts", rename_all = "kebab-case")]
pub enum Attested {
    /// There were none.
    NotGiven,
    /// They did.
    Attested {
        /// The attester's subject key identifier.
        #[serde(serialize_with = "hex")]
        attester: KeyId,
    },
    /// `kernel.bpf_attestation` is 0.
    SwitchedOff,
    /// They are of another kernel.
    OtherKernel,
    /// The verifier is set up differently.
    OtherSwitches,
    /// The modules in use are others.
    OtherModules,
    /// CO-RE made other instructions of the program.
    OtherInstructions,
    /// Facts can't express all that this program needs.
    Unsupported,
    /// They do not fit the program.
    Malformed,
    /// A reason that a later kernel has.
    Unknown,
}

impl Attested {
    fn new(info: &SignatureInfo) -> Attested {
        match info.attested {
            0 => Attested::NotGiven,
            1 => Attested::Attested { attester: key_id(&info.attester, info.attester_size) },
            2 => Attested::SwitchedOff,
            3 => Attested::OtherKernel,
            4 => Attested::OtherSwitches,
            5 => Attested::OtherModules,
            6 => Attested::OtherInstructions,
            7 => Attested::Unsupported,
            8 => Attested::Malformed,
            _ => Attested::Unknown,
        }
    }
}

impl fmt::Display for Attested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Attested::NotGiven => "verified",
            Attested::Attested { .. } => "attested",
            Attested::SwitchedOff => "verified: kernel.bpf_attestation is 0",
            Attested::OtherKernel => "verified: the facts are of another kernel",
            Attested::OtherSwitches => "verified: the verifier is set up differently",
            Attested::OtherModules => "verified: the modules are others",
            Attested::OtherInstructions => "verified: CO-RE made other instructions of it",
            Attested::Unsupported => "verified: facts can't express what it needs",
            Attested::Malformed => "verified: the facts do not fit it",
            Attested::Unknown => "verified",
        })
    }
}

fn key_id(bytes: &[u8; 32], size: u32) -> KeyId {
    KeyId(bytes.iter().copied().take(size as usize).collect())
}

fn hex<S: serde::Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

fn optional_hex<S: serde::Serializer>(value: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}

impl ProgramInfo {
    /// What the kernel tells of a program.
    ///
    /// # Errors
    /// `program` is not an eBPF program.
    pub fn of(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
        let (info, known) = info(program, |_| {})?;
        let mut program_info = ProgramInfo::new(&info, known);
        if program_info.name.len() == NAME_LEN
            && let Some(whole) = whole_name(program, &info.program)
            && whole.starts_with(&program_info.name)
        {
            program_info.name = whole;
        }
        Ok(program_info)
    }

    /// `known` is how many bytes of it the kernel has filled in.
    fn new(info: &Info, known: usize) -> ProgramInfo {
        let program = &info.program;
        let name: Vec<u8> =
            program.name.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
        ProgramInfo {
            id: program.id,
            name: String::from_utf8_lossy(&name).into_owned(),
            prog_type: prog_type::name(program.type_).into_owned(),
            tag: program.tag.iter().map(|byte| format!("{byte:02x}")).collect(),
            uid: program.created_by_uid,
            origin: (known >= size_of::<Info>()).then(|| Origin::new(&info.signature)),
        }
    }
}

impl Origin {
    fn new(info: &SignatureInfo) -> Origin {
        let signature = || Signature {
            signer: key_id(&info.signer, info.signer_size),
            keyring_id: info.keyring_id,
            statement: Some(Digest(info.statement)).filter(|digest| digest.0 != [0; Digest::SIZE]),
            program: Digest(info.program),
            attested: Attested::new(info),
        };
        match info.verdict {
            0 => Origin::Unsigned,
            1 => Origin::Verified(signature()),
            2 => Origin::Granted(signature()),
            _ => Origin::Unknown,
        }
    }
}

/// The name of a program's first function in its BTF.
fn whole_name(program: BorrowedFd<'_>, program_info: &sys::bpf_prog_info) -> Option<String> {
    /// `insn_off` and `type_id`, with which `struct bpf_func_info` begins.
    type FuncInfo = [u32; 2];
    if program_info.nr_func_info == 0 || program_info.func_info_rec_size as usize != size_of::<FuncInfo>() {
        return None;
    }
    let mut first = FuncInfo::default();
    let ask = |info: &mut Info| {
        info.program.nr_func_info = 1;
        info.program.func_info_rec_size = size_of::<FuncInfo>() as u32;
        info.program.func_info = first.as_mut_ptr() as u64;
    };
    info(program, ask).ok()?;
    let btf = kernel_btf::of_program(program).ok()?;
    btf.name(first[1]).ok().map(str::to_owned)
}

/// What the kernel says of a program, and how many bytes of it it has filled in. `ask` names the caller's array for the
/// kernel to fill, with its size.
fn info(program: BorrowedFd<'_>, ask: impl FnOnce(&mut Info)) -> io::Result<(Info, usize)> {
    let mut info = Info::default();
    ask(&mut info);
    let mut size = size_of::<Info>() as u32;
    let start = (&raw mut info).cast();
    // SAFETY: the kernel writes at most `size` bytes to `info`, and to an array that `ask` has named no more than fit.
    check(unsafe { sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), start, &mut size) })?;
    Ok((info, size as usize))
}

/// What the verifier learned about a program that was loaded with [`Attest::Export`](crate::raw::Attest); empty if that can't
/// be said in facts.
///
/// # Errors
/// `program` is not an eBPF program, or the caller may not see its facts.
pub fn facts(program: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut facts = vec![0; info(program, |_| {})?.0.signature.facts_size as usize];
    info(program, |info| {
        info.signature.facts_size = facts.len() as u32;
        info.signature.facts = facts.as_mut_ptr() as u64;
    })?;
    Ok(facts)
}

/// All programs that are loaded, by id. Some may end while the list is made, and others appear.
///
/// # Errors
/// The caller may not list programs.
pub fn programs() -> io::Result<Vec<ProgramInfo>> {
    let mut programs = Vec::new();
    let mut id = 0;
    while let Some(next) = next_program_id(id)? {
        id = next;
        match program_by_id(id) {
            Ok(program) => programs.push(ProgramInfo::of(program.as_fd())?),
            // It has ended since.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => (),
            Err(error) => return Err(error),
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified() -> Info {
        let mut program = sys::bpf_prog_info { type_: 6, id: 7, ..Default::default() };
        program.name[..3].copy_from_slice(&[b'a' as _, b'c' as _, b'l' as _]);
        let mut signer = [0; 32];
        signer[..2].copy_from_slice(&[0xab, 0xcd]);
        let signature = SignatureInfo {
            verdict: 1,
            keyring_id: 3,
            signer_size: 2,
            signer,
            statement: [1; 32],
            program: [2; 32],
            ..SignatureInfo::default()
        };
        Info { program, signature }
    }

    #[test]
    fn of_a_signed_program() {
        let program = ProgramInfo::new(&verified(), size_of::<Info>());
        let json = serde_json::to_value(&program).unwrap();
        let expected = serde_json::json!({
            "id": 7,
            "name": "acl",
            "type": "xdp",
            "tag": "0000000000000000",
            "uid": 0,
            "verdict": "verified",
            "signer": "abcd",
            "keyring_id": 3,
            "statement": "01".repeat(32),
            "program": "02".repeat(32),
            "facts": "not-given",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn of_a_kernel_that_does_not_tell() {
        let program = ProgramInfo::new(&verified(), 232);
        assert_eq!(program.origin, None);
        assert!(serde_json::to_value(&program).unwrap().get("verdict").is_none());
    }

    #[test]
    fn of_a_signature_over_instructions() {
        let mut info = verified();
        info.signature.statement = [0; 32];
        let Some(Origin::Verified(signature)) = ProgramInfo::new(&info, size_of::<Info>()).origin else {
            panic!()
        };
        assert_eq!(signature.statement, None);
    }

    #[test]
    fn of_a_granted_program() {
        let mut info = verified();
        info.signature.verdict = 2;
        let json = serde_json::to_value(ProgramInfo::new(&info, size_of::<Info>())).unwrap();
        assert_eq!((&json["verdict"], &json["signer"]), (&"granted".into(), &"abcd".into()));
    }

    #[test]
    fn of_an_attested_program() {
        let mut info = verified();
        info.signature.attested = 1;
        info.signature.attester_size = 1;
        info.signature.attester[0] = 0xef;
        let json = serde_json::to_value(ProgramInfo::new(&info, size_of::<Info>())).unwrap();
        assert_eq!((&json["facts"], &json["attester"]), (&"attested".into(), &"ef".into()));
        info.signature.attested = 6;
        let json = serde_json::to_value(ProgramInfo::new(&info, size_of::<Info>())).unwrap();
        assert_eq!((&json["facts"], json.get("attester")), (&"other-instructions".into(), None));
    }

    #[test]
    fn of_a_later_kernel() {
        let mut info = verified();
        info.program.type_ = 99;
        info.signature.verdict = 9;
        // A struct that has grown.
        let program = ProgramInfo::new(&info, size_of::<Info>() + 8);
        assert_eq!((&program.prog_type[..], program.origin), ("99", Some(Origin::Unknown)));
    }
}
