use bpfsig_signing::statement::{Entry, Kind, Statement};
use bpfsig_signing::{Digest, Error};
use proptest::prelude::*;

fn statement() -> Statement {
    Statement {
        expiry: 0x0102_0304_0506_0708,
        entries: vec![
            Entry { kind: Kind::PROGRAM, digest: Digest([0xaa; 32]) },
            Entry { kind: Kind(0xdead_beef), digest: Digest([0xbb; 32]) },
        ],
    }
}

#[test]
fn layout_is_as_specified() {
    let mut bytes = vec![0; 32 + 2 * 36];
    bytes[0..8].copy_from_slice(b"BPFSIGST");
    bytes[8..10].copy_from_slice(&[1, 0]);
    bytes[10..12].copy_from_slice(&[1, 0]);
    bytes[12..16].copy_from_slice(&[2, 0, 0, 0]);
    bytes[16..24].copy_from_slice(&[8, 7, 6, 5, 4, 3, 2, 1]);
    bytes[32..36].copy_from_slice(&[1, 0, 0, 0]);
    bytes[36..68].fill(0xaa);
    bytes[68..72].copy_from_slice(&[0xef, 0xbe, 0xad, 0xde]);
    bytes[72..104].fill(0xbb);

    assert_eq!(statement().encode().unwrap(), bytes);
    assert_eq!(Statement::decode(&bytes).unwrap(), statement());
}

#[test]
fn malformed_statements_are_told_apart() {
    let decode = |change: fn(&mut Vec<u8>)| {
        let mut bytes = statement().encode().unwrap();
        change(&mut bytes);
        Statement::decode(&bytes).unwrap_err()
    };
    assert!(matches!(decode(|bytes| bytes[0] = b'b'), Error::StatementMagic));
    assert!(matches!(decode(|bytes| bytes[9] = 1), Error::StatementVersion(257)));
    assert!(matches!(decode(|bytes| bytes[10] = 2), Error::StatementAlgorithm(2)));
    assert!(matches!(decode(|bytes| bytes[31] = 1), Error::StatementReserved));
    assert!(matches!(decode(|bytes| bytes[12] = 0), Error::StatementEmpty));
    assert!(matches!(decode(|bytes| bytes[12] = 3), Error::StatementSize { expected: 140, actual: 104 }));
    assert!(matches!(
        decode(|bytes| bytes[12..16].fill(0xff)),
        Error::StatementSize { expected: 154_618_822_652, actual: 104 }
    ));
    assert!(matches!(decode(|bytes| bytes.push(0)), Error::StatementSize { expected: 104, actual: 105 }));
    assert!(matches!(decode(|bytes| bytes.truncate(103)), Error::StatementSize { actual: 103, .. }));
    assert!(matches!(decode(|bytes| bytes.truncate(31)), Error::StatementSize { expected: 32, actual: 31 }));
    assert!(matches!(decode(Vec::clear), Error::StatementSize { expected: 32, actual: 0 }));
}

#[test]
fn a_statement_states_something() {
    let empty = Statement { expiry: 0, entries: vec![] };
    assert!(matches!(empty.encode(), Err(Error::StatementEmpty)));
}

#[test]
fn an_entry_counts_with_its_kind() {
    let entry = statement().entries[0];
    assert!(statement().lists(&entry));
    assert!(!statement().lists(&Entry { kind: Kind::FILE, ..entry }));
    assert!(!statement().lists(&Entry { digest: Digest::ZERO, ..entry }));
}

#[test]
fn expiry_is_the_last_second() {
    let until = |expiry| Statement { expiry, ..statement() };
    assert!(!until(1000).is_expired(1000));
    assert!(until(1000).is_expired(1001));
    assert!(!until(0).is_expired(u64::MAX));
}

proptest! {
    #[test]
    fn encoding_and_decoding_are_inverse(
        expiry: u64,
        entries in proptest::collection::vec(any::<(u32, [u8; 32])>(), 1..20),
    ) {
        let entries =
            entries.into_iter().map(|(kind, digest)| Entry { kind: Kind(kind), digest: Digest(digest) });
        let statement = Statement { expiry, entries: entries.collect() };
        prop_assert_eq!(Statement::decode(&statement.encode().unwrap()).unwrap(), statement);
    }

    #[test]
    fn what_decodes_is_what_would_be_encoded(at in 0..104usize, byte: u8, length in 0..120usize) {
        let mut bytes = statement().encode().unwrap();
        bytes[at] = byte;
        bytes.resize(length, 0);
        if let Ok(statement) = Statement::decode(&bytes) {
            prop_assert_eq!(statement.encode().unwrap(), bytes);
        }
    }
}
