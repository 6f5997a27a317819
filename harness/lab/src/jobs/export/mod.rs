//! Has a kernel verify programs, and export what its verifier learns about them.

mod guest;

use std::path::PathBuf;

use anyhow::Result;
use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::description::Description;
use bpfsig_signing::facts::BuildId;
use bpfsig_signing::key::{Algorithm, PrivateKey};
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::{Entry, Kind};
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
#[derive(Debug, Serialize, Deserialize)]
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
    Facts {
        /// The module that it attaches to a part of, if it does not name that itself.
        module: Option<String>,
        /// The bytes.
        #[serde(with = "hex::serde")]
        facts: Vec<u8>,
    },
    /// Nothing, for this reason.
    Nothing(String),
}

impl Export {
    /// Facts about a program do not depend on its signer: a key that nobody keeps signs these programs, also as what they
    /// are to a kernel that finds in one of the modules what they attach to.
    ///
    /// # Errors
    /// A program can't be signed, or there are too many for one signature.
    pub fn new(programs: Vec<Program>, modules: Vec<String>) -> Result<Export> {
        let key = PrivateKey::generate(Algorithm::P256)?;
        let certificate = Certificate::self_signed(Role::Signer, "verification", &key, 1)?;
        let signer = Signer::new(key, certificate)?;
        let mut entries = message::entries(&programs)?;
        for program in &programs {
            let program = Description::of(program)?;
            let elsewhere = modules.iter().filter_map(|module| program.in_module(module));
            entries.extend(elsewhere.map(|program| Entry { kind: Kind::PROGRAM, digest: program.digest() }));
        }
        Ok(Export {
            modules: Modules { names: modules, root: PathBuf::from("/") },
            signature: message::signed(entries, 0, &signer)?,
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

#[cfg(test)]
mod tests {
    use bpfsig_signing::cms::Message;
    use bpfsig_signing::program::{Attach, VMLINUX};
    use bpfsig_signing::statement::Statement;

    use super::*;
    use crate::corpus;

    /// A kernel that finds the target in a module has that module's name in the manifest.
    #[test]
    fn programs_are_signed_for_modules_too() {
        let mut program = corpus::programs().unwrap().remove(0).program;
        let attach = |btf: &str| Attach::KernelType {
            btf: btf.to_owned(),
            name: "nft_init".to_owned(),
            member: String::new(),
        };
        program.attach = attach(VMLINUX);
        let export = Export::new(vec![program.clone()], vec!["nf_tables".to_owned()]).unwrap();
        let message = Message::parse(&export.signature).unwrap();
        let statement = Statement::decode(message.content().unwrap()).unwrap();
        let elsewhere = Program { attach: attach("nf_tables"), ..program.clone() };
        assert_eq!(statement.entries, message::entries(&[program, elsewhere]).unwrap());
    }
}
