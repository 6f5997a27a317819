//! The CMS messages that programs are loaded with.

use anyhow::{Context, Result};
use bpfsig_signing::Digest;
use bpfsig_signing::attestation::Attestation;
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms;
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::Program;
use bpfsig_signing::statement::{Entry, Kind, Statement};

/// The entries of a statement about programs.
///
/// # Errors
/// A program can't be signed.
pub fn entries(programs: &[Program]) -> Result<Vec<Entry>> {
    let entry = |program| Ok(Entry { kind: Kind::PROGRAM, digest: Manifest::of(program)?.digest() });
    programs.iter().map(entry).collect()
}

/// The entries of a statement about facts that a kernel learned about programs.
///
/// # Errors
/// A program can't be signed.
pub fn attestations(programs: &[Program], facts: &[Vec<u8>]) -> Result<Vec<Entry>> {
    let attestation = |(program, facts): (&Program, &Vec<u8>)| {
        let manifest = Manifest::of(program)?.digest();
        Ok(Attestation { manifest, facts: Digest::of(facts) }.entry())
    };
    programs.iter().zip(facts).map(attestation).collect()
}

/// A message with a statement that expires at `expiry`, in seconds since 1970, or never if it is 0.
///
/// # Errors
/// There are none or too many entries, or the signer can't sign.
pub fn signed(entries: Vec<Entry>, expiry: u64, signer: &Signer) -> Result<Vec<u8>> {
    Ok(cms::sign_attached(&Statement { expiry, entries }.encode()?, signer)?)
}

/// A message whose signature has been changed.
///
/// # Errors
/// The message is empty.
pub fn forged(mut message: Vec<u8>) -> Result<Vec<u8>> {
    // The signature's value is what the message ends with.
    *message.last_mut().context("an empty message")? ^= 1;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use bpfsig_signing::certificate::{Certificate, Role};
    use bpfsig_signing::cms::Message;
    use bpfsig_signing::key::{Algorithm, PrivateKey};

    use super::*;

    fn signer() -> Signer {
        let key = PrivateKey::generate(Algorithm::Rsa2048).unwrap();
        let certificate = Certificate::self_signed(Role::Signer, "test", &key, 1).unwrap();
        Signer::new(key, certificate).unwrap()
    }

    #[test]
    fn a_forged_message_differs_in_its_signature_alone() {
        let signer = signer();
        let valid = cms::sign_attached(b"statement", &signer).unwrap();
        let changed = forged(valid.clone()).unwrap();
        Message::parse(&changed).unwrap();
        assert_eq!(valid[..valid.len() - 1], changed[..valid.len() - 1]);
        assert_ne!(valid, changed);
    }
}
