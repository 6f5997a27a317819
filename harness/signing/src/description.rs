//! A description of one program: everything that a signature binds, in readable form.
//!
//! The manifest is made from it, so that a description vouches for itself: the digest of its manifest is in the
//! statement, or it describes something else. A file of descriptions beside a signature says what was signed.

use serde::{Deserialize, Serialize};

use crate::choices::Choices;
use crate::manifest::Manifest;
use crate::program::{Attach, INSN_SIZE, NAME_LEN, Program, Records};
use crate::slot::Slot;
use crate::uapi::prog_type;
use crate::{Digest, Error, Result, names};

/// `BPF_F_TOKEN_FD`: says how a program is loaded, not what it does.
const F_TOKEN_FD: u32 = 1 << 16;
/// Bytes of the license that `BPF_PROG_LOAD` reads, without the terminating zero.
const LICENSE_LEN: usize = 127;

/// What a signature binds of a program. In JSON, types are names and digests hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The first [`NAME_LEN`] bytes of the name.
    pub name: String,
    /// The whole name, if it is longer. Not bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_name: Option<String>,
    /// `enum bpf_prog_type`.
    #[serde(with = "names::prog_type_json")]
    pub prog_type: u32,
    /// `enum bpf_attach_type`; 0 for struct_ops, where it is a member index that depends on the kernel.
    pub expected_attach_type: u32,
    /// `BPF_F_*` flags, without `BPF_F_TOKEN_FD`.
    pub prog_flags: u32,
    /// As much of the license as the kernel reads.
    pub license: String,
    /// The attach target.
    pub attach: Attach,
    /// Instructions in load-invariant form.
    pub insns: Part,
    /// The BTF as it is given to `BPF_BTF_LOAD`; its bytes are counted.
    pub btf: Part,
    /// Bytes per `struct bpf_func_info`; 0 if there are none.
    pub func_info_rec_size: u32,
    /// `struct bpf_func_info` records.
    pub func_info: Part,
    /// Bytes per `struct bpf_core_relo`; 0 if there are none.
    pub core_relo_rec_size: u32,
    /// `struct bpf_core_relo` records.
    pub core_relos: Part,
    /// The maps that the program may use.
    pub slots: Vec<Slot>,
}

/// A part of a program that is bound by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Instructions, records or bytes.
    pub count: u32,
    /// [`Digest::ZERO`] if there are none.
    pub sha256: Digest,
}

impl Description {
    /// The description of a program.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] if the program could not be loaded in this form: instructions or records that are cut off,
    /// a size beyond 32 bits, a name that the kernel does not take.
    pub fn of(program: &Program) -> Result<Self> {
        let refuse = |problem| Error::Program { name: program.name.clone(), problem };

        if program.insns.is_empty() {
            return Err(refuse("it has no instructions"));
        }
        if !program.insns.len().is_multiple_of(INSN_SIZE) {
            return Err(refuse("the last instruction is cut off"));
        }
        for records in [&program.func_info, &program.core_relos] {
            if !is_whole(records) {
                return Err(refuse("func_info or CO-RE records are cut off"));
            }
        }
        let btf = program.btf.as_deref().unwrap_or_default();
        if program.func_info.bytes.is_empty() && !(btf.is_empty() && program.core_relos.bytes.is_empty()) {
            return Err(refuse("it has BTF or CO-RE records but no func_info"));
        }
        for part in [&program.insns, btf, &program.func_info.bytes, &program.core_relos.bytes] {
            if u32::try_from(part.len()).is_err() {
                return Err(refuse("a part has 4 GiB or more"));
            }
        }

        let description = Self {
            name: names::cut(&program.name, NAME_LEN).to_owned(),
            whole_name: (program.name.len() > NAME_LEN).then(|| program.name.clone()),
            prog_type: program.prog_type,
            expected_attach_type: match program.prog_type {
                prog_type::STRUCT_OPS => 0,
                _ => program.expected_attach_type,
            },
            prog_flags: program.flags & !F_TOKEN_FD,
            license: names::cut(&program.license, LICENSE_LEN).to_owned(),
            attach: program.attach.clone(),
            insns: Part::of(&program.insns, program.insn_count()),
            btf: Part::of(btf, btf.len() as u32),
            func_info_rec_size: record_size(&program.func_info),
            func_info: Part::of(&program.func_info.bytes, program.func_info.count()),
            core_relo_rec_size: record_size(&program.core_relos),
            core_relos: Part::of(&program.core_relos.bytes, program.core_relos.count()),
            slots: program.slots.iter().map(|map| Slot::of(map)).collect(),
        };
        if !description.is_exact() {
            return Err(refuse("a name has characters that the kernel does not take"));
        }
        Ok(description)
    }

    /// The same program, if what it attaches to may as well be in a module.
    pub fn in_module(&self, module: &str) -> Option<Self> {
        Some(Self { attach: self.attach.in_module(module)?, ..self.clone() })
    }

    /// The whole name, which distinguishes programs whose bound part of the name is the same.
    pub fn whole_name(&self) -> &str {
        self.whole_name.as_deref().unwrap_or(&self.name)
    }

    /// The manifest, which binds each field but the whole name.
    pub fn manifest(&self) -> Manifest {
        let (attach_kind, [object, target, member]) = self.target();
        let names: String =
            [&self.license, object, target, member].iter().flat_map(|name| [name, "\0"]).collect();
        let slots: Vec<u8> = self.slots.iter().flat_map(Slot::to_bytes).collect();
        Manifest {
            prog_type: self.prog_type,
            expected_attach_type: self.expected_attach_type,
            prog_flags: self.prog_flags,
            attach_kind,
            insn_cnt: self.insns.count,
            btf_size: self.btf.count,
            func_info_rec_size: self.func_info_rec_size,
            func_info_cnt: self.func_info.count,
            core_relo_rec_size: self.core_relo_rec_size,
            core_relo_cnt: self.core_relos.count,
            slot_cnt: self.slots.len() as u32,
            prog_name: names::padded(&self.name),
            names_sha256: Digest::of(names),
            insns_sha256: self.insns.sha256,
            btf_sha256: self.btf.sha256,
            func_info_sha256: self.func_info.sha256,
            core_relos_sha256: self.core_relos.sha256,
            slots_sha256: Part::of(&slots, self.slots.len() as u32).sha256,
        }
    }

    /// The entry of a statement for the program.
    pub fn digest(&self) -> Digest {
        self.manifest().digest()
    }

    /// The kind of attach target, and its names: object, type, member.
    fn target(&self) -> (u32, [&str; 3]) {
        match &self.attach {
            Attach::None => (0, ["", "", ""]),
            Attach::KernelType { btf, name, member } => (1, [btf, name, member]),
            Attach::Program { name } => (2, ["", name, ""]),
        }
    }

    /// Whether the manifest binds the texts to the last character.
    fn is_exact(&self) -> bool {
        // The kernel takes no others (`bpf_obj_name_cpy`).
        let is_kept = |name: &str| {
            name.len() <= NAME_LEN
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
        };
        let is_text = |text: &str| !text.contains('\0');
        let (_, target) = self.target();
        let maps = self.slots.iter().flat_map(|slot| [Some(&slot.map), slot.inner.as_ref()]).flatten();
        is_kept(&self.name)
            && self.whole_name.as_ref().is_none_or(|whole| whole.starts_with(&self.name))
            && maps.map(|map| &*map.name).all(is_kept)
            && self.license.len() <= LICENSE_LEN
            && target.into_iter().chain([&*self.license]).all(is_text)
    }
}

impl Manifest {
    /// The manifest of a program.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] as for [`Description::of`].
    pub fn of(program: &Program) -> Result<Self> {
        Ok(Description::of(program)?.manifest())
    }
}

impl Part {
    fn of(bytes: &[u8], count: u32) -> Self {
        Self { count, sha256: if bytes.is_empty() { Digest::ZERO } else { Digest::of(bytes) } }
    }
}

fn is_whole(records: &Records) -> bool {
    match records.record_size {
        0 => records.bytes.is_empty(),
        size => records.bytes.len().is_multiple_of(size as usize),
    }
}

/// A record size without records does not count: the kernel does not look at it.
fn record_size(records: &Records) -> u32 {
    if records.bytes.is_empty() { 0 } else { records.record_size }
}

/// The version of the file format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<P> {
    version: u32,
    #[serde(default, skip_serializing_if = "Choices::is_empty")]
    choices: Choices,
    programs: P,
}

/// What was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptions {
    /// What the signer has said about the object.
    pub choices: Choices,
    /// The programs.
    pub programs: Vec<Description>,
}

/// Writes descriptions as JSON: `{"version": 1, "programs": […]}`, and `choices` if there are any.
pub fn to_json(programs: &[Description], choices: &Choices) -> String {
    let file = File { version: VERSION, choices: choices.clone(), programs };
    serde_json::to_string_pretty(&file).expect("a description has no keys but names") + "\n"
}

/// Reads descriptions. It is up to the caller to look for their digests in a statement.
///
/// # Errors
///
/// [`Error::Descriptions`] and [`Error::DescriptionsVersion`].
pub fn from_json(json: &[u8]) -> Result<Descriptions> {
    let file: File<serde_json::Value> = serde_json::from_slice(json)?;
    if file.version != VERSION {
        return Err(Error::DescriptionsVersion(file.version));
    }
    let programs: Vec<Description> = serde_json::from_value(file.programs)?;
    match programs.iter().find(|program| !program.is_exact()) {
        None => Ok(Descriptions { choices: file.choices, programs }),
        Some(program) => Err(Error::Program {
            name: program.name.clone(),
            problem: "its description has a name that no manifest binds",
        }),
    }
}
