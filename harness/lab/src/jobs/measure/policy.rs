//! A policy that grants what is measured.

use anyhow::{Context, Result};
use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{Hooks, Link, OpenObject};
use bpfsig_policy::{Policy, Program, compile};
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::object::Object;

use super::super::message;
use super::plan::{Plan, SignedPolicy};

impl Plan {
    /// Has a policy grant all programs of the plan, each by its digest.
    ///
    /// # Errors
    /// There are more programs than a policy holds, one of them has no manifest, or the signer can't sign.
    pub fn grant(&mut self, signer: &Signer) -> Result<()> {
        let grant = |program: &bpfsig_signing::program::Program| -> Result<Program> {
            Ok(Program { name: program.name.clone(), digest: Manifest::of(program)?.digest() })
        };
        let programs = self.programs.iter().map(grant).collect::<Result<_>>()?;
        let object = compile(&Policy { version: 1, programs, classes: Vec::new() })?;
        let entries = message::entries(Object::parse(&object)?.programs())?;
        let signature = message::signed(entries, 0, signer)?;
        self.certificates.push(signer.certificate().to_der().to_vec());
        self.policy = Some(SignedPolicy { object, signature });
        Ok(())
    }
}

/// Puts the policy into force until what this returns is dropped.
///
/// # Errors
/// The kernel refuses it.
pub(super) fn enforce(policy: &SignedPolicy) -> Result<Vec<Link>> {
    let mut object = OpenObject::open_memory(&policy.object)?;
    object.set_signature(Some(policy.signature.clone())).set_keyring(Keyring::SECONDARY);
    let loaded = object.load().context("loading the policy")?;
    loaded.attach(&Hooks::new().by_section()).context("attaching the policy")
}
