//! Parameters: values that a signer leaves open, within a range, for whoever loads a program.
//!
//! A declaration tag in the program's BTF makes a parameter of a constant in `.rodata`, or of the size of a map:
//! `__attribute__((btf_decl_tag("bpf_param:MIN:MAX")))`. The signature covers the tag, and not the value, which the kernel
//! holds to the range.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Prefix of a tag that makes a parameter.
const PREFIX: &str = "bpf_param:";

/// As many as a kernel takes in one BTF.
pub const MAX_PARAMETERS: usize = 256;

/// A value of a map that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The name of the variable; of a size, that of the map.
    pub name: String,
    /// The values that may be chosen.
    pub range: Range,
    /// Where the value is.
    pub place: Place,
}

/// Where the value of a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In the map's contents.
    Contents(Number),
    /// It is the map's `max_entries`.
    Size,
}

/// A number in the contents of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// In bytes.
    pub offset: u32,
    /// In bytes: 1, 2, 4 or 8.
    pub size: u32,
    /// It can be negative.
    pub is_signed: bool,
}

/// The numbers from `min` to `max`, both included. Written as `MIN..MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The smallest.
    pub min: i128,
    /// The largest.
    pub max: i128,
}

/// A value that is not in the range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}` is to be {value}, which is not in {range}")]
pub struct OutOfRange {
    /// The parameter's name.
    pub name: String,
    /// What it was to be.
    pub value: i128,
    /// What it may be.
    pub range: Range,
}

impl Range {
    /// Whether a value may be chosen.
    pub fn contains(&self, value: i128) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// The tag that says so.
    pub(crate) fn tag(&self) -> String {
        format!("{PREFIX}{}:{}", self.min, self.max)
    }

    /// What a tag says: `None` if it is about something else.
    pub(crate) fn of_tag(tag: &str) -> Option<Result<Self, &'static str>> {
        let numbers = tag.strip_prefix(PREFIX)?;
        Some(Self::parse(numbers, ":").ok_or("has a tag that is not `bpf_param:MIN:MAX` with two numbers"))
    }

    fn parse(text: &str, separator: &str) -> Option<Self> {
        let (min, max) = text.split_once(separator)?;
        let range = Self { min: number(min)?, max: number(max)? };
        (range.min <= range.max).then_some(range)
    }
}

/// Decimal, as a kernel reads it from a tag.
fn number(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl Parameter {
    /// Whether a value may be chosen.
    pub(crate) fn check(&self, value: i128) -> Result<(), OutOfRange> {
        let Self { name, range, .. } = self;
        if range.contains(value) {
            Ok(())
        } else {
            Err(OutOfRange { name: name.clone(), value, range: *range })
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.min, self.max)
    }
}

impl FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, "..").ok_or("a range is MIN..MAX, two numbers of which the first is not larger")
    }
}

impl Number {
    /// All that fits.
    pub(crate) fn range(&self) -> Range {
        let bits = 8 * self.size;
        match self.is_signed {
            true => Range { min: -(1 << (bits - 1)), max: (1 << (bits - 1)) - 1 },
            false => Range { min: 0, max: (1 << bits) - 1 },
        }
    }

    /// Its place in the contents.
    fn bytes(&self) -> std::ops::Range<usize> {
        let start = self.offset as usize;
        start..start + self.size as usize
    }

    /// Its value in some contents.
    pub(crate) fn read(&self, contents: &[u8]) -> i128 {
        let bytes = contents.get(self.bytes()).unwrap_or_default();
        let is_negative = self.is_signed && bytes.last().is_some_and(|byte| byte >> 7 == 1);
        let mut value = [if is_negative { 0xff } else { 0 }; 16];
        value[..bytes.len()].copy_from_slice(bytes);
        i128::from_le_bytes(value)
    }

    /// Sets it in some contents.
    pub(crate) fn write(&self, contents: &mut [u8], value: i128) {
        contents[self.bytes()].copy_from_slice(&value.to_le_bytes()[..self.size as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_tags_are_read() {
        let range = |min, max| Range { min, max };
        assert_eq!("-3..70000".parse(), Ok(range(-3, 70000)));
        assert_eq!(range(-3, 70000).to_string(), "-3..70000");
        assert_eq!(Range::of_tag("bpf_param:-3:70000"), Some(Ok(range(-3, 70000))));
        assert_eq!(range(1, 2).tag(), "bpf_param:1:2");
        assert_eq!(Range::of_tag("contains:node:1"), None);
        for tag in ["", "1", "1:", ":1", "1:2:3", "+1:2", "0x1:2", "1:1U", "2:1", " 1:2", "1:2\n", "--1:2"] {
            assert!(Range::of_tag(&format!("bpf_param:{tag}")).unwrap().is_err(), "{tag}");
        }
        for range in ["1", "1..", "1...2", "2..1", "1..=2"] {
            assert!(range.parse::<Range>().is_err(), "{range}");
        }
    }
}
