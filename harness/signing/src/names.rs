//! Names: of programs and maps as the kernel keeps them, of types as they are in JSON.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::program::NAME_LEN;
use crate::uapi;

/// As much of a name as fits into `max` bytes.
pub(crate) fn cut(name: &str, max: usize) -> &str {
    let ends = (0..=max.min(name.len())).rev();
    ends.filter_map(|end| name.get(..end)).next().unwrap_or_default()
}

/// The name of a program or a map as the kernel keeps it: cut to [`NAME_LEN`] bytes, padded with zeros.
pub fn padded(name: &str) -> [u8; NAME_LEN + 1] {
    let mut bytes = [0; NAME_LEN + 1];
    let name = cut(name, NAME_LEN);
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

/// A map type in JSON: its name, or the number if it has none.
pub(crate) mod map_type_json {
    use super::*;

    pub fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(uapi::map_type::NAMES, *number, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        super::deserialize(uapi::map_type::NAMES, deserializer)
    }
}

/// A program type in JSON: its name, or the number if it has none.
pub(crate) mod prog_type_json {
    use super::*;

    pub fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(uapi::prog_type::NAMES, *number, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        super::deserialize(uapi::prog_type::NAMES, deserializer)
    }
}

fn serialize<S: Serializer>(names: &[&str], number: u32, serializer: S) -> Result<S::Ok, S::Error> {
    match names.get(number as usize) {
        Some(name) => serializer.serialize_str(name),
        None => serializer.serialize_u32(number),
    }
}

fn deserialize<'de, D: Deserializer<'de>>(names: &[&str], deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Type {
        Number(u32),
        Name(String),
    }
    match Type::deserialize(deserializer)? {
        Type::Number(number) => Ok(number),
        Type::Name(text) => match names.iter().position(|name| *name == text) {
            Some(number) => Ok(number as u32),
            None => Err(D::Error::custom(format_args!("there is no type `{text}`"))),
        },
    }
}
