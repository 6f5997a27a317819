//! A signature as it is kept in a file or in a section of an object: CMS messages, one directly after the other.
//!
//! One message is all there is, unless more is signed together than the kernel takes in one (an object with hundreds of
//! programs). Each message is then complete by itself, lists some of the entries, and is the message to load the listed
//! programs with. A tool that knows nothing of this sees the first message.

use crate::certificate::{Certificate, Signer};
use crate::cms::{self, Message};
use crate::statement::{Entry, Statement};
use crate::{Error, Result};

/// Entries that fit into a message with any key, ML-DSA-87 included.
pub const MAX_ENTRIES: usize = 300;

/// Signs a statement, in as many messages as it takes.
///
/// # Errors
///
/// [`Error::StatementEmpty`], [`Error::Signing`].
pub fn sign(statement: &Statement, signer: &Signer) -> Result<Vec<u8>> {
    let mut signature = Vec::new();
    // Of no entries, there is one statement, which can't be encoded.
    let parts = statement.entries.chunks(MAX_ENTRIES).chain(statement.entries.is_empty().then_some(&[][..]));
    for entries in parts {
        let part = Statement { expiry: statement.expiry, entries: entries.to_vec() };
        signature.extend(cms::sign_attached(&part.encode()?, signer)?);
    }
    Ok(signature)
}

/// The messages, of which there is at least one. They have not been checked.
pub fn split(mut signature: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    loop {
        let (message, rest) = match length(signature) {
            Some(length) => signature.split_at_checked(length).unwrap_or((signature, &[])),
            None => (signature, &[][..]),
        };
        messages.push(message);
        if rest.is_empty() {
            return messages;
        }
        signature = rest;
    }
}

/// Reads the messages. Nothing is verified.
///
/// # Errors
///
/// As [`Message::parse`], of the first that is none.
pub fn read(signature: &[u8]) -> Result<Vec<Message>> {
    split(signature).into_iter().map(Message::parse).collect()
}

/// What the messages list together, not verified; `None` if they are detached.
///
/// # Errors
///
/// As [`Statement::decode`].
pub fn content(messages: &[Message]) -> Result<Option<Statement>> {
    let contents = messages.iter().filter_map(Message::content).map(Statement::decode);
    Ok(contents.collect::<Result<Vec<_>>>()?.into_iter().reduce(both))
}

/// Verifies that the holder of a certificate has signed each of the messages, and returns what they list together.
///
/// # Errors
///
/// As [`Message::verify`] and [`Statement::decode`].
pub fn verify(messages: &[Message], certificate: &Certificate) -> Result<Statement> {
    let statements = messages.iter().map(|message| Statement::decode(message.verify(certificate)?));
    statements.collect::<Result<Vec<_>>>()?.into_iter().reduce(both).ok_or(Error::StatementEmpty)
}

/// The message to load a program with: the one that lists it. If none does, it is the first one, for the kernel to say
/// what is wrong.
pub fn message_for<'s>(signature: &'s [u8], program: &Entry) -> &'s [u8] {
    let messages = split(signature);
    let lists = |message: &&&[u8]| {
        let message = Message::parse(message).ok();
        let statement = message.and_then(|message| Statement::decode(message.content()?).ok());
        statement.is_some_and(|statement| statement.lists(program))
    };
    match &messages[..] {
        [only] => only,
        messages => messages.iter().find(lists).unwrap_or(&messages[0]),
    }
}

/// Both counting for as long as each does.
fn both(one: Statement, other: Statement) -> Statement {
    let expiry = match (one.expiry, other.expiry) {
        (0, expiry) | (expiry, 0) => expiry,
        (one, other) => one.min(other),
    };
    Statement { expiry, entries: [one.entries, other.entries].concat() }
}

/// Bytes of the DER `SEQUENCE` that begins here; `None` if there is none, or one that is too long for a message.
fn length(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [0x30, length @ 0..=0x7f, ..] => Some(2 + usize::from(length)),
        [0x30, 0x81, length, ..] => Some(3 + usize::from(length)),
        [0x30, 0x82, high, low, ..] => Some(4 + usize::from(u16::from_be_bytes([high, low]))),
        _ => None,
    }
}
