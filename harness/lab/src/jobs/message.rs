//! The CMS messages that programs are loaded with.

use anyhow::{Context, Result};
use bpfsig_signing::Digest;
use bpfsig_signing::attestation::Attestation;
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms::{self, Message};
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

/// A message whose signature has been changed where only the whole public-key operation tells: in the middle of RSA's
/// number and of ECDSA's first, and in what ML-DSA compares at last. Most other changes to an ML-DSA signature break
/// its encoding, which the kernel notices at once.
///
/// # Errors
/// The message can't be read.
pub fn forged(mut message: Vec<u8>) -> Result<Vec<u8>> {
    const OFFSET: usize = 20;
    // The signature's value is what the message ends with.
    let start = message.len() - Message::parse(&message)?.signature().len();
    *message.get_mut(start + OFFSET).context("a short signature")? ^= 1;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use bpfsig_signing::certificate::{Certificate, Role};
    use bpfsig_signing::key::{Algorithm, PrivateKey};

    use super::*;

    fn signer(algorithm: Algorithm) -> Signer {
        let key = PrivateKey::generate(algorithm).unwrap();
        let certificate = Certificate::self_signed(Role::Signer, "test", &key, 1).unwrap();
        Signer::new(key, certificate).unwrap()
    }

    #[test]
    fn a_forged_message_differs_in_its_signature_alone() {
        for algorithm in [Algorithm::Rsa2048, Algorithm::P256, Algorithm::P384, Algorithm::MlDsa87] {
            let signer = signer(algorithm);
            for valid in [cms::sign_attached, cms::sign_detached].map(|sign| sign(b"statement", &signer)) {
                let valid = valid.unwrap();
                let changed = forged(valid.clone()).unwrap();
                let signature = valid.len() - Message::parse(&changed).unwrap().signature().len();
                assert_eq!(valid[..signature], changed[..signature]);
                assert_ne!(valid, changed);
            }
        }
    }
}
