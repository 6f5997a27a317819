//! A policy as the constants of its program: `policy` in `bpf/policy.bpf.c`.

use bpfsig_signing::Digest;
use bpfsig_signing::uapi::{helper, map_type, prog_type};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use crate::attach_type::{attach_type_name, attach_type_number};
use crate::error::{Error, Result};
use crate::policy::{Class, Policy, Program};

/// `bpf/policy.bpf.c`, with a policy that grants nothing.
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/policy.bpf.o"));

const MAX_PROGRAMS: usize = 4096;
const MAX_CLASSES: usize = 64;

/// `ANY`.
const ANY: u32 = u32::MAX;

/// Bytes of a `struct class`.
const CLASS_SIZE: usize = 152;

/// Where the constants are that follow the version.
const PROGRAM_COUNT: usize = 8;
const CLASS_COUNT: usize = 12;
const PROGRAMS: usize = 16;
const CLASSES: usize = PROGRAMS + MAX_PROGRAMS * Digest::SIZE;
const SIZE: usize = CLASSES + MAX_CLASSES * CLASS_SIZE;

/// The object of a policy's program, to be signed.
///
/// # Errors
/// The policy has more programs or classes than fit.
pub fn compile(policy: &Policy) -> Result<Vec<u8>> {
    let mut digests: Vec<_> = policy.programs.iter().map(|program| program.digest).collect();
    // In the order in which the program searches.
    digests.sort_by_key(words);
    digests.dedup();
    for (what, count, limit) in
        [("programs", digests.len(), MAX_PROGRAMS), ("classes", policy.classes.len(), MAX_CLASSES)]
    {
        if count > limit {
            return Err(Error::Invalid(format!(
                "{count} {what} are more than the {limit} that a policy can have"
            )));
        }
    }
    let mut bytes = Vec::with_capacity(SIZE);
    bytes.extend(policy.version.to_le_bytes());
    bytes.extend((digests.len() as u32).to_le_bytes());
    bytes.extend((policy.classes.len() as u32).to_le_bytes());
    digests.iter().for_each(|digest| bytes.extend(digest.0));
    bytes.resize(CLASSES, 0);
    for class in &policy.classes {
        bytes.extend(class_bytes(class)?);
    }
    bytes.resize(SIZE, 0);

    let mut object = OBJECT.to_vec();
    let place = place(&object)?;
    object[place..place + SIZE].copy_from_slice(&bytes);
    Ok(object)
}

/// The policy that an object was compiled from, without the names that are for people.
///
/// # Errors
/// It is the object of something else.
pub fn decompile(object: &[u8]) -> Result<Policy> {
    let place = place(object)?;
    let bytes = object.get(place..place + SIZE).ok_or(Error::Object("it is cut short"))?;
    let number = |offset: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[offset + i])) as usize;
    let (programs, classes) = (number(PROGRAM_COUNT), number(CLASS_COUNT));
    if programs > MAX_PROGRAMS || classes > MAX_CLASSES {
        return Err(Error::Object("its counts are too high"));
    }
    let digests = bytes[PROGRAMS..CLASSES].as_chunks::<{ Digest::SIZE }>().0.iter().take(programs);
    let classes = bytes[CLASSES..].chunks_exact(CLASS_SIZE).take(classes).enumerate();
    Ok(Policy {
        version: u64::from_le_bytes(std::array::from_fn(|i| bytes[i])),
        programs: digests
            .map(|digest| Program { name: Digest(*digest).to_string(), digest: Digest(*digest) })
            .collect(),
        classes: classes.map(|(i, bytes)| class_of(i, bytes)).collect(),
    })
}

/// A digest as the program compares it.
fn words(digest: &Digest) -> [u64; 4] {
    std::array::from_fn(|word| u64::from_le_bytes(std::array::from_fn(|i| digest.0[8 * word + i])))
}

/// Where the constants are in an object.
fn place(object: &[u8]) -> Result<usize> {
    let file = object::File::parse(object).map_err(|_| Error::Object("it is not an ELF file"))?;
    let symbol = file.symbol_by_name("policy").ok_or(Error::Object("it has no constant `policy`"))?;
    let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
    let (start, size) =
        section.and_then(|section| section.file_range()).ok_or(Error::Object("`policy` is in no section"))?;
    if symbol.size() != SIZE as u64 || symbol.address() + symbol.size() > size {
        return Err(Error::Object("`policy` has another size"));
    }
    Ok((start + symbol.address()) as usize)
}

fn class_bytes(class: &Class) -> Result<Vec<u8>> {
    // The names have been checked when the policy was read; one that was not is refused here.
    let number = |name: &str, number: Option<u32>, limit: u32| {
        let unknown = || Error::Invalid(format!("class `{}`: `{name}` does not exist", class.name));
        number.filter(|number| *number < limit).ok_or_else(unknown)
    };
    let mut helpers = [0u64; 4];
    for name in &class.helpers {
        let helper = number(name, helper::number(name), 256)?;
        helpers[helper as usize / 64] |= 1 << (helper % 64);
    }
    let mut maps = 0u64;
    for name in &class.maps {
        maps |= 1 << number(name, map_type::number(name), 64)?;
    }
    let attach_type = match &class.attach_type {
        None => ANY,
        Some(name) => number(name, attach_type_number(name), ANY)?,
    };
    let mut bytes = Vec::with_capacity(CLASS_SIZE);
    helpers.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend(maps.to_le_bytes());
    bytes.extend(number(&class.prog_type, prog_type::number(&class.prog_type), ANY)?.to_le_bytes());
    bytes.extend(attach_type.to_le_bytes());
    bytes.extend(class.max_instructions.to_le_bytes());
    bytes.extend(u32::from(class.executable.is_some()).to_le_bytes());
    bytes.extend(class.executable.unwrap_or(Digest::ZERO).0);
    bytes.extend(class.attach_to.as_bytes());
    bytes.resize(CLASS_SIZE, 0);
    Ok(bytes)
}

fn class_of(index: usize, bytes: &[u8]) -> Class {
    let u32_at = |offset: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[offset + i]));
    let is_set = |number: &u32| bytes[*number as usize / 8] >> (number % 8) & 1 != 0;
    let attach_to = &bytes[88..];
    let end = attach_to.iter().position(|byte| *byte == 0).unwrap_or(attach_to.len());
    Class {
        name: format!("{}", index + 1),
        prog_type: prog_type::name(u32_at(40)).into_owned(),
        attach_type: (u32_at(44) != ANY).then(|| attach_type_name(u32_at(40), u32_at(44)).into_owned()),
        attach_to: String::from_utf8_lossy(&attach_to[..end]).into_owned(),
        helpers: (0..256).filter(is_set).map(|number| helper::name(number).into_owned()).collect(),
        maps: (0..64)
            .filter(|number| is_set(&(256 + number)))
            .map(|number| map_type::name(number).into_owned())
            .collect(),
        max_instructions: u32_at(48),
        executable: (u32_at(52) != 0).then(|| Digest(std::array::from_fn(|i| bytes[56 + i]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_says_the_same() {
        let digest = |byte: u8| Program { name: Digest([byte; 32]).to_string(), digest: Digest([byte; 32]) };
        let class = Class {
            name: "1".into(),
            prog_type: "cgroup_skb".into(),
            attach_type: Some("cgroup_inet_egress".into()),
            attach_to: "dispatcher".into(),
            helpers: ["map_lookup_elem".into(), "cgrp_storage_delete".into()].into(),
            maps: ["lpm_trie".into(), "insn_array".into()].into(),
            max_instructions: 300,
            executable: Some(Digest([7; 32])),
        };
        let any = Class {
            name: "2".into(),
            attach_type: None,
            executable: None,
            attach_to: String::new(),
            ..class.clone()
        };
        let policy =
            Policy { version: 1 << 40, programs: vec![digest(1), digest(2)], classes: vec![class, any] };
        assert_eq!(decompile(&compile(&policy).unwrap()).unwrap(), policy);
    }

    #[test]
    fn digests_are_sorted_as_the_program_searches() {
        let digest = |first: u8, last: u8| {
            let mut digest = [0; 32];
            (digest[0], digest[7]) = (first, last);
            Program { name: String::new(), digest: Digest(digest) }
        };
        let policy =
            Policy { version: 1, programs: vec![digest(1, 2), digest(2, 1), digest(1, 2)], classes: vec![] };
        let again = decompile(&compile(&policy).unwrap()).unwrap();
        let digests: Vec<_> =
            again.programs.iter().map(|program| (program.digest.0[0], program.digest.0[7])).collect();
        assert_eq!(digests, [(2, 1), (1, 2)]);
    }

    #[test]
    fn too_many_do_not_fit() {
        let class =
            Policy::parse("version = 1\n[[class]]\nname = ''\ntype = 'xdp'\nmax-instructions = 1").unwrap();
        let policy = Policy { classes: vec![class.classes[0].clone(); 65], ..class };
        assert_eq!(
            compile(&policy).unwrap_err().to_string(),
            "65 classes are more than the 64 that a policy can have"
        );
    }

    #[test]
    fn the_example_is_a_policy() {
        let policy = Policy::parse(include_str!("../debian-13.toml")).unwrap();
        assert_eq!(decompile(&compile(&policy).unwrap()).unwrap().classes.len(), policy.classes.len());
    }

    #[test]
    fn another_object_is_none_of_a_policy() {
        assert!(decompile(b"ELF").is_err());
    }
}
