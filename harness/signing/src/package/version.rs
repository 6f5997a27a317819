//! Versions as L3AF's users write them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A version: `2.1.0`, `2.1`, `v2.1.0`, with or without what semantic versions may have after it, or `latest`.
///
/// Missing numbers are 0 and a leading `v` means nothing when versions are compared; as text, and as a folder, they stay as
/// they are written. `latest` is newer than all others, so that none of them ever replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Version {
    text: String,
    /// None: `latest`.
    number: Option<semver::Version>,
}

impl Version {
    /// Which of two versions is newer. What follows a `+` does not matter.
    pub fn cmp_precedence(&self, other: &Self) -> Ordering {
        match (&self.number, &other.number) {
            (Some(one), Some(other)) => one.cmp_precedence(other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }
}

impl FromStr for Version {
    type Err = semver::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = if text == "latest" { None } else { Some(number(text)?) };
        Ok(Self { text: text.to_owned(), number })
    }
}

impl TryFrom<String> for Version {
    type Error = semver::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn number(text: &str) -> Result<semver::Version, semver::Error> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    match numbers.matches('.').count() {
        0 => format!("{numbers}.0.0{rest}").parse(),
        1 => format!("{numbers}.0{rest}").parse(),
        _ => text.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_compared_by_what_they_mean() {
        for (one, other) in [("2.1", "2.1.0"), ("v2.1.0", "2.1"), ("v2", "2.0.0+build"), ("latest", "latest")]
        {
            assert_eq!(version(one).cmp_precedence(&version(other)), Ordering::Equal, "{one} {other}");
            assert_eq!(version(one).to_string(), one);
        }
        for (older, newer) in [("2.1", "2.10"), ("v2.1-rc.1", "2.1.0"), ("v9.9.9", "latest"), ("1", "v1.0.1")]
        {
            assert_eq!(version(older).cmp_precedence(&version(newer)), Ordering::Less, "{older} {newer}");
            assert_eq!(version(newer).cmp_precedence(&version(older)), Ordering::Greater, "{older} {newer}");
        }
        for text in ["", "v", "newest", "2.1.0.0", "vv1", "1..2", "Latest"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
