//! Has a kernel verify programs, and export what its verifier learns about them.

mod guest;

use std::path::PathBuf;

use anyhow::Result;
use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::facts::BuildId;
use bpfsig_signing::key::{Algorithm, PrivateKey};
use bpfsig_signing::program::Program;
use serde::{Deserialize, Serialize};

use super::{Job, message};

/// Programs to verify.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {
    /// What they need.
    pub modules: Modules,
    /// The programs.
    pub programs: Vec<Program>,
    /// The CMS message that they are loaded with.
    pub signature: Vec<u8>,
    /// The certificate (DER) of the signer. The kernel need not trust it.
    pub certificate: Vec<u8>,
}

/// Modules of the kernel that is to verify programs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Modules {
    /// Their names.
    pub names: Vec<String>,
    /// The directory of the `lib/modules` that they are in.
    pub root: PathBuf,
}

/// What a kernel has learned.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exported {
    /// Release and version of the kernel.
    pub kernel: String,
    /// Its build id.
    pub build_id: BuildId,
    /// About each program, in the order of the job.
    pub programs: Vec<Learned>,
}

/// What a kernel has learned about a program.
#[derive(Debug, Serialize, Deserialize)]
pub enum Learned {
    /// The facts.
    Facts(#[serde(with = "hex::serde")] Vec<u8>),
    /// Nothing, for this reason.
    Nothing(String),
}

impl Export {
    /// Facts about a program do not depend on its signer: a key that nobody keeps signs these programs.
    ///
    /// # Errors
    /// A program can't be signed, or there are too many for one signature.
    pub fn new(programs: Vec<Program>) -> Result<Export> {
        let key = PrivateKey::generate(Algorithm::P256)?;
        let certificate = Certificate::self_signed(Role::Signer, "verification", &key, 1)?;
        let signer = Signer::new(key, certificate)?;
        Ok(Export {
            modules: Modules::default(),
            signature: message::signed(message::entries(&programs)?, 0, &signer)?,
            certificate: signer.certificate().to_der().to_vec(),
            programs,
        })
    }
}

impl Job for Export {
    const NAME: &'static str = "export";

    const ACTIVITY: &'static str = "Verify, for facts";

    type Outcome = Exported;

    fn items(&self) -> usize {
        self.programs.len()
    }

    fn carry_out(&self) -> Result<Exported> {
        guest::export(self)
    }
}
