//! CMS messages that keep the kernel busy.

use anyhow::{Context, Result};
use bpfsig_signing::Digest;
use bpfsig_signing::certificate::Signer;
use bpfsig_signing::cms::MAX_SIZE;
use bpfsig_signing::statement::{Entry, Kind};

use super::super::message;

/// DER tags.
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0_PRIMITIVE: u8 = 0x80;
const CONTEXT_0: u8 = 0xa0;

/// An indefinite length: two zero bytes end the contents.
const INDEFINITE: u8 = 0x80;
const END_OF_CONTENTS: [u8; 2] = [0, 0];

/// RFC 5652: id-signedData, id-data; RFC 8017: rsaEncryption; FIPS 180: id-sha256.
const ID_SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const ID_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// Bytes of an RSA-2048 signature.
const SIGNATURE_SIZE: usize = 256;

/// Pseudo-random bytes, the same in each run, and as many as the kernel takes.
pub(super) fn random_bytes() -> Vec<u8> {
    let digest = |index: u64| Digest::of(index.to_le_bytes()).0;
    (0..).flat_map(digest).take(MAX_SIZE).collect()
}

/// A statement signed by `signer` with as many entries as fit, none of them of an existing program.
pub(super) fn most_entries(signer: &Signer) -> Result<Vec<u8>> {
    let entry = |index: u64| Entry { kind: Kind::PROGRAM, digest: Digest::of(index.to_le_bytes()) };
    let signed =
        |count: u64| -> Result<Vec<u8>> { message::signed((0..count).map(entry).collect(), 0, signer) };
    (1..=MAX_SIZE as u64 / 36).rev().find_map(|count| signed(count).ok()).context("not even one entry fits")
}

/// A message with as many signers as fit, `signer` last, and wrong signatures by all of them.
pub(super) fn most_signers(signer: &Signer) -> Vec<u8> {
    let known = signer_info(&signer.certificate().subject_key_id().0, &[0x5a; SIGNATURE_SIZE]);
    let message = |others: usize| {
        let other = signer_info(&[0x5a], &[0x5a]);
        let infos = [other.repeat(others), known.clone()].concat();
        signed_data(&octets(&[0; 32]), &infos)
    };
    let mut most = 0;
    while message(most + 1).len() <= MAX_SIZE {
        most += 1;
    }
    message(most)
}

/// A message by `signer` with a wrong signature. Its content is sequences within sequences, as deep as fits, all of indefinite
/// length: a parser has to search for their ends.
pub(super) fn deep_asn1(signer: &Signer) -> Vec<u8> {
    let known = signer_info(&signer.certificate().subject_key_id().0, &[0x5a; SIGNATURE_SIZE]);
    let message = |depth: usize| signed_data(&nested(depth), &known);
    let mut depth = MAX_SIZE / 4;
    while message(depth).len() > MAX_SIZE {
        depth -= 1;
    }
    message(depth)
}

fn nested(depth: usize) -> Vec<u8> {
    [[SEQUENCE, INDEFINITE].repeat(depth), END_OF_CONTENTS.repeat(depth)].concat()
}

fn signed_data(content: &[u8], signer_infos: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&tlv(OID, &SHA256)]);
    let inner = sequence(&[&tlv(OID, &ID_DATA), &tlv(CONTEXT_0, content)]);
    let data = sequence(&[&tlv(INTEGER, &[3]), &tlv(SET, &algorithm), &inner, &tlv(SET, signer_infos)]);
    sequence(&[&tlv(OID, &ID_SIGNED_DATA), &tlv(CONTEXT_0, &data)])
}

fn signer_info(key_id: &[u8], signature: &[u8]) -> Vec<u8> {
    sequence(&[
        &tlv(INTEGER, &[3]),
        &tlv(CONTEXT_0_PRIMITIVE, key_id),
        &sequence(&[&tlv(OID, &SHA256)]),
        &sequence(&[&tlv(OID, &RSA_ENCRYPTION)]),
        &tlv(OCTET_STRING, signature),
    ])
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(OCTET_STRING, bytes)
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// Tag, length and value in DER.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let mut bytes = vec![tag];
    match length {
        0..=0x7f => bytes.push(length as u8),
        0x80..=0xff => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend(value);
    bytes
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

    /// The value of the first element of `bytes`, and the rest.
    fn element(bytes: &[u8], tag: u8) -> (&[u8], &[u8]) {
        assert_eq!(bytes[0], tag);
        let (length, rest) = match bytes[1] {
            0x81 => (bytes[2].into(), &bytes[3..]),
            0x82 => (u16::from_be_bytes([bytes[2], bytes[3]]).into(), &bytes[4..]),
            short => (short.into(), &bytes[2..]),
        };
        rest.split_at(length)
    }

    #[test]
    fn one_signer_and_plain_content_is_a_message_in_the_profile() {
        let known = signer_info(&[7; 20], &[0x5a; SIGNATURE_SIZE]);
        Message::parse(&signed_data(&octets(&[0; 32]), &known)).unwrap();
    }

    #[test]
    fn messages_are_as_long_as_the_kernel_takes() {
        let signer = signer();
        assert_eq!(random_bytes().len(), MAX_SIZE);
        let entries = most_entries(&signer).unwrap();
        Message::parse(&entries).unwrap();
        for message in [entries, most_signers(&signer), deep_asn1(&signer)] {
            assert!((MAX_SIZE - 64..=MAX_SIZE).contains(&message.len()), "{}", message.len());
        }
    }

    #[test]
    fn nesting_ends_as_often_as_it_begins() {
        let message = deep_asn1(&signer());
        let (outer, rest) = element(&message, SEQUENCE);
        assert!(rest.is_empty());
        let (_, data) = element(outer, OID);
        let (data, _) = element(element(data, CONTEXT_0).0, SEQUENCE);
        let (_, data) = element(data, INTEGER);
        let (_, data) = element(data, SET);
        let (_, content) = element(element(data, SEQUENCE).0, OID);
        let (nested, _) = element(content, CONTEXT_0);
        let depth = nested.chunks(2).take_while(|pair| *pair == [SEQUENCE, INDEFINITE]).count();
        assert!(depth > 1000, "{depth}");
        assert_eq!(nested.len(), 4 * depth);
        assert!(nested[2 * depth..].iter().all(|byte| *byte == 0));
    }
}
