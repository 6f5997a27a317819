//! A private key that another program uses for us, such as the client of a cloud's key management service.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::{PublicKey, SigningKey};
use crate::{Digest, Error, Result};

/// Bytes that a signature may have; ML-DSA-87 needs 4627.
const MAX_SIGNATURE: u64 = 8192;

/// A command that signs.
///
/// It is run once for each signature. Its standard input is the SHA-256 digest to sign: 32 bytes, not encoded; for
/// ML-DSA, which takes no digest, the message itself, of a few thousand bytes. Its standard output must be the
/// signature alone, not encoded: for RSA a PKCS#1 v1.5 signature over the digest (the command makes the `DigestInfo`),
/// for ECDSA the DER form `SEQUENCE { r, s }`, for ML-DSA a FIPS 204 signature with an empty context. It exits with 0,
/// or says on its standard error why not. `openssl pkeyutl -sign -inkey KEY -pkeyopt digest:sha256` is such a command,
/// for RSA and ECDSA.
#[derive(Debug)]
pub struct CommandKey {
    program: OsString,
    arguments: Vec<OsString>,
    public: PublicKey,
}

impl CommandKey {
    /// Will run `program` with `arguments`, without a shell, to sign with the private half of `public`.
    pub fn new(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        public: PublicKey,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        CommandKey { program: program.into(), arguments, public }
    }

    fn run(&self, input: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // A command that does not read has failed in some other way, which its exit code tells.
        let _ = child.stdin.take().expect("it is piped").write_all(input);
        let mut signature = Vec::new();
        let output = child.stdout.take().expect("it is piped");
        let read = output.take(MAX_SIGNATURE + 1).read_to_end(&mut signature);
        let status = child.wait()?;
        read?;
        if !status.success() {
            return Err(std::io::Error::other(status.to_string()));
        }
        Ok(signature)
    }
}

impl SigningKey for CommandKey {
    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>> {
        let digest = Digest::of(message);
        let input = if self.public.digests_itself() { message } else { &digest.0 };
        self.run(input)
            .map_err(|reason| Error::SignerCommand { command: self.program.display().to_string(), reason })
    }
}
