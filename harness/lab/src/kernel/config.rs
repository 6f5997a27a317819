//! Configuration fragments, and a check that the kernel kept what they ask for.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The fragment for symbols that only the patched kernel has.
pub const PATCHED_ONLY: &str = "patched.config";

/// A file of requested config symbols.
#[derive(Debug)]
pub struct Fragment {
    /// File name.
    pub name: String,
    /// Contents.
    pub text: String,
    requests: Vec<Request>,
}

#[derive(Debug, PartialEq)]
struct Request {
    line: usize,
    symbol: String,
    /// As it stands in `.config`; none asks for a symbol that is not set.
    value: Option<String>,
}

/// Reads every `*.config` of a directory, ordered by name.
pub fn read(directory: &Path) -> Result<Vec<Fragment>> {
    let mut fragments = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "config") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fragments.push(Fragment::parse(name, text)?);
        }
    }
    if fragments.is_empty() {
        bail!("there are no config fragments in {}", directory.display());
    }
    fragments.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(fragments)
}

impl Fragment {
    fn parse(name: String, text: String) -> Result<Self> {
        let mut requests = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            match parse_line(line) {
                Some((symbol, value)) => requests.push(Request {
                    line: line_number,
                    symbol: symbol.to_owned(),
                    value: value.map(str::to_owned),
                }),
                None if line.is_empty() || line.starts_with('#') => {}
                None => bail!("{name}:{line_number}: not a config symbol: {line}"),
            }
        }
        Ok(Self { name, text, requests })
    }
}

/// The symbol and its value, none for `# CONFIG_X is not set`.
fn parse_line(line: &str) -> Option<(&str, Option<&str>)> {
    let (symbol, value) = match line.strip_prefix("# ") {
        Some(comment) => (comment.strip_suffix(" is not set")?, None),
        None => line.split_once('=').map(|(symbol, value)| (symbol, Some(value)))?,
    };
    symbol.starts_with("CONFIG_").then_some((symbol, value))
}

/// Fails, naming them all, if requested symbols are missing from `dot_config`, the `.config` that `make olddefconfig` made.
///
/// Of several requests for a symbol the last one counts, as it does for `make`.
pub fn check_survived(fragments: &[Fragment], dot_config: &str) -> Result<()> {
    let actual: HashMap<_, _> = dot_config.lines().filter_map(parse_line).collect();
    let mut lost = String::new();
    let requests = || fragments.iter().flat_map(|fragment| &fragment.requests);
    let last: HashMap<_, _> = requests().map(|request| (&request.symbol, request)).collect();
    for fragment in fragments {
        let counts = |request: &&Request| std::ptr::eq(last[&request.symbol], *request);
        for Request { line, symbol, value } in fragment.requests.iter().filter(counts) {
            let got = actual.get(symbol.as_str()).copied().flatten();
            if got != value.as_deref() {
                let show = |value: Option<&str>| value.map_or("not set".into(), |value| format!("={value}"));
                let (wanted, got) = (show(value.as_deref()), show(got));
                lost += &format!("\n  {}:{line}: {symbol}: asked for {wanted}, got {got}", fragment.name);
            }
        }
    }
    if !lost.is_empty() {
        bail!("`make olddefconfig` did not keep what the config fragments ask for:{lost}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(text: &str) -> Fragment {
        Fragment::parse("test.config".into(), text.into()).unwrap()
    }

    #[test]
    fn a_fragment_requests_values_and_absence() {
        let fragment = fragment("# Why.\nCONFIG_A=y\n\n# CONFIG_B is not set\nCONFIG_C=\"a=b\"\n");
        let requests: Vec<_> =
            fragment.requests.iter().map(|r| (r.line, r.symbol.as_str(), r.value.as_deref())).collect();
        assert_eq!(
            requests,
            [(2, "CONFIG_A", Some("y")), (4, "CONFIG_B", None), (5, "CONFIG_C", Some("\"a=b\""))]
        );
    }

    #[test]
    fn a_line_that_requests_nothing_is_named() {
        let error = Fragment::parse("test.config".into(), "CONFIG_A=y\nCONFIG_B\n".into()).unwrap_err();
        assert_eq!(error.to_string(), "test.config:2: not a config symbol: CONFIG_B");
    }

    #[test]
    fn kept_symbols_pass() {
        let fragment = fragment("CONFIG_A=y\n# CONFIG_B is not set\n# CONFIG_C is not set\n");
        check_survived(&[fragment], "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=y\n").unwrap();
    }

    #[test]
    fn a_later_fragment_can_take_a_request_back() {
        let (first, second) = (fragment("CONFIG_A=y\nCONFIG_B=y\n"), fragment("# CONFIG_A is not set\n"));
        let fragments = [first, second];
        check_survived(&fragments, "CONFIG_B=y\n").unwrap();
        let error = check_survived(&fragments, "CONFIG_A=y\nCONFIG_B=y\n").unwrap_err().to_string();
        assert!(error.ends_with("\n  test.config:1: CONFIG_A: asked for not set, got =y"), "{error}");
    }

    #[test]
    fn every_lost_symbol_is_named_with_its_fragment() {
        let fragment = fragment("CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n# CONFIG_D is not set\n");
        let error =
            check_survived(&[fragment], "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=y\n")
                .unwrap_err();
        let lines: Vec<_> = error.to_string().lines().skip(1).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "  test.config:2: CONFIG_B: asked for =y, got =m",
                "  test.config:3: CONFIG_C: asked for =y, got not set",
                "  test.config:4: CONFIG_D: asked for not set, got =y",
            ]
        );
    }
}
