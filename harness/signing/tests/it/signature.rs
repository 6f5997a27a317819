use bpfsig_signing::Digest;
use bpfsig_signing::cms::{MAX_SIZE, Message};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::signature::{self, MAX_ENTRIES};
use bpfsig_signing::statement::{Entry, Kind, Statement};
use proptest::prelude::*;

use crate::openssl::{Dir, chain};

fn entries(count: usize) -> Vec<Entry> {
    (0..count).map(|n| Entry { kind: Kind::PROGRAM, digest: Digest::of(n.to_le_bytes()) }).collect()
}

#[test]
fn as_many_messages_as_it_takes() {
    for algorithm in Algorithm::ALL {
        let signer = &chain(algorithm).signer;
        for (count, messages) in [(1, 1), (MAX_ENTRIES, 1), (MAX_ENTRIES + 1, 2), (900, 3)] {
            let statement = Statement { expiry: 9, entries: entries(count) };
            let signed = signature::sign(&statement, signer).unwrap();
            let split = signature::split(&signed);
            assert_eq!(split.len(), messages, "{algorithm}, {count}");
            assert!(split.iter().all(|message| message.len() <= MAX_SIZE));
            let read = signature::read(&signed).unwrap();
            assert_eq!(signature::verify(&read, signer.certificate()).unwrap(), statement);
            assert_eq!(signature::content(&read).unwrap(), Some(statement.clone()));
            for entry in [&statement.entries[0], statement.entries.last().unwrap()] {
                let message = Message::parse(signature::message_for(&signed, entry)).unwrap();
                assert!(Statement::decode(message.content().unwrap()).unwrap().lists(entry));
            }
            let other = Entry { kind: Kind::PROGRAM, digest: Digest::of("other") };
            assert_eq!(signature::message_for(&signed, &other), split[0]);
        }
    }
}

#[test]
fn openssl_verifies_each_message() {
    let chain = chain(Algorithm::Rsa2048);
    let dir = Dir::new();
    dir.write("ca.pem", chain.ca.certificate().to_pem());
    dir.write("signer.pem", chain.signer.certificate().to_pem());
    let statement = Statement { expiry: 0, entries: entries(750) };
    let signed = signature::sign(&statement, &chain.signer).unwrap();
    for message in signature::split(&signed) {
        dir.write("message", message);
        dir.openssl(
            "cms -verify -binary -inform DER -in message -certfile signer.pem -CAfile ca.pem -out verified",
        );
    }
    // The whole file is its first message to it.
    dir.write("message", &signed);
    dir.openssl(
        "cms -verify -binary -inform DER -in message -certfile signer.pem -CAfile ca.pem -out verified",
    );
    assert_eq!(dir.read("verified").len(), 32 + 36 * MAX_ENTRIES);
}

#[test]
fn each_message_counts() {
    let signer = &chain(Algorithm::P256).signer;
    let signed = signature::sign(&Statement { expiry: 0, entries: entries(400) }, signer).unwrap();
    let mut wrong = signed.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let read = signature::read(&wrong).unwrap();
    assert!(signature::verify(&read, signer.certificate()).is_err());
    for rest in [&b"0"[..], b"rubbish", &signed[..100], &[0x30, 0x82, 1]] {
        assert!(signature::read(&[&signed, rest].concat()).is_err());
    }
    assert!(signature::read(b"").is_err());
    assert!(signature::sign(&Statement { expiry: 0, entries: Vec::new() }, signer).is_err());
}

proptest! {
    #[test]
    fn nothing_is_lost_in_splitting(bytes in proptest::collection::vec(prop_oneof![Just(0x30u8), Just(0x82), any::<u8>()], 0..300)) {
        prop_assert_eq!(signature::split(&bytes).concat(), bytes);
    }
}
