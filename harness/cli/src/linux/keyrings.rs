//! What to do about a signer whom the kernel does not find.

use bpfsig_loading as bpf;
use bpfsig_loading::keyring::{self, Keyring};
use nix::errno::Errno;

/// What to do if a load has failed because the signer's key is not in the keyring.
pub fn unknown_signer(error: &bpf::Error, keyring: Keyring, signer: &str) -> Option<String> {
    (error.errno() == Some(Errno::ENOKEY)).then(|| advice(keyring, signer, holder(signer)))
}

/// The keyring of the system that has a key, by its subject key identifier.
fn holder(signer: &str) -> Option<Keyring> {
    Keyring::SYSTEM.into_iter().find(|keyring| {
        let serial = keyring.system_name().and_then(|name| keyring::find(name).ok()?);
        let keys = serial.and_then(|serial| keyring::keys(serial).ok());
        keys.is_some_and(|keys| keys.iter().any(|key| key.is(signer)))
    })
}

fn advice(keyring: Keyring, signer: &str, holder: Option<Keyring>) -> String {
    let missing = match keyring.system_name() {
        Some(name) => {
            format!("Key {signer} is not in the keyring {keyring} ({name}), where the kernel has looked")
        }
        None => format!("Key {signer} is not in the keyring or key {keyring}, where the kernel has looked"),
    };
    match holder {
        Some(holder) if holder != keyring => {
            format!("{missing}: it is in {holder}; load with `--keyring {holder}`")
        }
        _ if keyring == Keyring::BPF => {
            format!("{missing}: `bpfsig trust add CERT` adds the signer's certificate to it")
        }
        _ => format!(
            "{missing}: `bpfsig trust add CERT` adds the signer's certificate to bpf; then load with `--keyring bpf`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_keyring_and_what_to_do() {
        let missing = "Key 12ab is not in the keyring";
        for (keyring, holder, expected) in [
            (
                Keyring::SECONDARY,
                None,
                "secondary (.secondary_trusted_keys), where the kernel has looked: `bpfsig trust add CERT` adds the signer's \
                 certificate to bpf; then load with `--keyring bpf`",
            ),
            (
                Keyring::SECONDARY,
                Some(Keyring::BPF),
                "secondary (.secondary_trusted_keys), where the kernel has looked: it is in bpf; load with `--keyring bpf`",
            ),
            (
                Keyring::BPF,
                None,
                "bpf (.bpf), where the kernel has looked: `bpfsig trust add CERT` adds the signer's certificate to it",
            ),
            (
                Keyring(77),
                Some(Keyring::BUILTIN),
                "or key 77, where the kernel has looked: it is in builtin; load with `--keyring builtin`",
            ),
        ] {
            assert_eq!(advice(keyring, "12ab", holder), format!("{missing} {expected}"));
        }
    }

    #[test]
    fn only_an_unknown_signer_is_explained() {
        let refused = |errno: i32| bpf::Error::System {
            what: "loading".to_owned(),
            source: std::io::Error::from_raw_os_error(errno),
        };
        assert!(unknown_signer(&refused(libc::ENOKEY), Keyring::BPF, "12ab").is_some());
        assert!(unknown_signer(&refused(libc::EKEYREJECTED), Keyring::BPF, "12ab").is_none());
    }
}
