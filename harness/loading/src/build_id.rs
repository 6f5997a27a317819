//! Which build of the kernel is running.

use std::fs;

use bpfsig_signing::facts::BuildId;

use crate::error::{Error, Result};

/// `NT_GNU_BUILD_ID`, of the owner `GNU`.
const NT_GNU_BUILD_ID: u32 = 3;
const GNU: &[u8] = b"GNU\0";

/// The build id of the running kernel.
///
/// # Errors
/// The kernel does not tell.
pub fn build_id() -> Result<BuildId> {
    const NOTES: &str = "/sys/kernel/notes";
    let notes = fs::read(NOTES).map_err(Error::system(NOTES))?;
    find(&notes).ok_or_else(|| Error::Missing(format!("{NOTES} has no build id")))
}

/// Looks through ELF notes: sizes of name and description, type, and both, each padded to four bytes.
fn find(mut notes: &[u8]) -> Option<BuildId> {
    loop {
        let ([name_size, size, kind], rest) = header(notes)?;
        let (name, rest) = padded(rest, name_size)?;
        let (description, rest) = padded(rest, size)?;
        if kind == NT_GNU_BUILD_ID && name == GNU {
            let mut id = [0; BuildId::SIZE];
            id.get_mut(..description.len())?.copy_from_slice(description);
            return Some(BuildId(id));
        }
        notes = rest;
    }
}

fn header(notes: &[u8]) -> Option<([u32; 3], &[u8])> {
    let (header, rest) = notes.split_first_chunk::<12>()?;
    let numbers = header.as_chunks().0;
    Some((std::array::from_fn(|index| u32::from_ne_bytes(numbers[index])), rest))
}

fn padded(notes: &[u8], size: u32) -> Option<(&[u8], &[u8])> {
    let (padded, rest) = notes.split_at_checked(size.checked_next_multiple_of(4)? as usize)?;
    Some((&padded[..size as usize], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
        let mut note = [name.len() as u32, description.len() as u32, kind].map(u32::to_ne_bytes).concat();
        for part in [name, description] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn is_found_among_other_notes() {
        let id: Vec<u8> = (1..=20).collect();
        let notes = [note(b"Linux\0", 3, b"other"), note(GNU, 1, b"?"), note(GNU, 3, &id)].concat();
        assert_eq!(find(&notes), Some(BuildId(id.try_into().unwrap())));
    }

    #[test]
    fn a_short_one_is_filled_up() {
        let mut id = [0; 20];
        id[..8].fill(7);
        assert_eq!(find(&note(GNU, 3, &[7; 8])), Some(BuildId(id)));
    }

    #[test]
    fn nothing_is_made_up() {
        let whole = note(GNU, 3, &[7; 20]);
        for notes in [&whole[..whole.len() - 1], &whole[..11], &[], &note(GNU, 3, &[7; 21])] {
            assert_eq!(find(notes), None);
        }
    }
}
