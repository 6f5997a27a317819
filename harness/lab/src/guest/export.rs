//! Has the kernel verify programs, for what it learns about them.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_loading::raw::{self, Attest, LoadContext, LoadTarget, PreparedLoad};
use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::facts::BuildId;
use bpfsig_signing::key::{Algorithm, PrivateKey};
use bpfsig_signing::program::{Attach, Program};
use serde::{Deserialize, Serialize};

use super::kit::Kit;
use super::{Job, announce, measure};
use crate::bench::message;

/// Programs to verify.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {
    /// What they need.
    pub modules: Modules,
    /// The programs.
    pub programs: Vec<Program>,
    /// The CMS message that they are loaded with.
    pub signature: Vec<u8>,
    /// The signer's certificate (DER), whom the kernel need not know.
    pub certificate: Vec<u8>,
}

/// Modules of the kernel that is to verify programs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Modules {
    /// Their names.
    pub names: Vec<String>,
    /// Where `lib/modules` is that they are in.
    pub root: PathBuf,
}

/// What a kernel has learned.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exported {
    /// Release and version of the kernel.
    pub kernel: String,
    /// Which build of it.
    pub build_id: BuildId,
    /// About each program.
    pub programs: Vec<Learned>,
}

/// What a kernel has learned about a program.
#[derive(Debug, Serialize, Deserialize)]
pub enum Learned {
    /// The facts.
    Facts(#[serde(with = "hex::serde")] Vec<u8>),
    /// Nothing that facts could say, for this reason.
    Nothing(String),
}

impl Job for Export {
    const NAME: &'static str = "export";

    const TASK: &'static str = "Verify";

    type Outcome = Exported;

    fn carry_out(&self) -> Result<Exported> {
        const PROCESS_KEYRING: i32 = -2;
        let key = keyring::add_key(c"asymmetric", &self.certificate, PROCESS_KEYRING)
            .context("adding the signer's certificate to a keyring")?;
        self.modules.load()?;
        let learn = |program: &Program| {
            let learned = self.learn(program, Keyring(key)).with_context(|| program.name.clone());
            announce(&program.name);
            learned
        };
        Ok(Exported {
            kernel: measure::kernel_version()?,
            build_id: bpfsig_loading::build_id()?,
            programs: self.programs.iter().map(learn).collect::<Result<_>>()?,
        })
    }
}

impl Export {
    /// Who has signed a program makes no difference to what is learned about it: a key that nobody keeps signs these for
    /// the occasion.
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

    fn learn(&self, program: &Program, keyring: Keyring) -> Result<Learned> {
        if let Attach::Program { .. } = program.attach {
            return Ok(Learned::Nothing("it attaches to another program".to_owned()));
        }
        let target = LoadTarget::of(program, None)?;
        let kit = Kit::new(&[program])?;
        let context = LoadContext {
            signature: Some(&self.signature),
            keyring,
            attest: Attest::Export,
            ..kit.context(program, &target)
        };
        let mut load = PreparedLoad::new(program, context)?;
        let loaded = match load.load().0 {
            Ok(loaded) => loaded,
            Err(error) if matches!(error.raw_os_error(), Some(libc::E2BIG | libc::EOPNOTSUPP)) => {
                bail!("this kernel does not export what it learns (CONFIG_BPF_ATTESTATION)")
            }
            Err(error) => return Err(error).context(reason(&load.log())),
        };
        let facts = raw::facts(loaded.as_fd())?;
        if facts.is_empty() {
            return Ok(Learned::Nothing(reason(&load.log())));
        }
        Ok(Learned::Facts(facts))
    }
}

impl Modules {
    /// Loads them, and those that they need.
    fn load(&self) -> Result<()> {
        for name in &self.names {
            let modprobe =
                Command::new("modprobe").arg("--dirname").arg(&self.root).arg("--").arg(name).output();
            let output = modprobe.context("modprobe")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "module {name}: {}", said.trim_end());
        }
        Ok(())
    }
}

fn reason(log: &str) -> String {
    super::reason(log).unwrap_or("the kernel does not say why").to_owned()
}
