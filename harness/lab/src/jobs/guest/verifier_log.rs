//! Figures in the verifier's log (`BPF_LOG_STATS`).

use std::ops::Add;

use serde::{Deserialize, Serialize};

use crate::results::VerifierStats;

/// The time that a signature check took, and its parts, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTimes {
    /// All of it.
    pub total: u64,
    /// Parsing the CMS message and finding the signer's key.
    pub message: u64,
    /// The public-key operation.
    pub public_key: u64,
    /// Building the manifest and looking for it in the statement.
    pub manifest: u64,
}

impl Add for CheckTimes {
    type Output = CheckTimes;

    fn add(self, other: CheckTimes) -> CheckTimes {
        CheckTimes {
            total: self.total + other.total,
            message: self.message + other.message,
            public_key: self.public_key + other.public_key,
            manifest: self.manifest + other.manifest,
        }
    }
}

/// The verifier's time in nanoseconds: `verification time 42 usec`.
pub fn verifier_time(log: &str) -> Option<u64> {
    let [microseconds] = line(log, "verification time ")?;
    Some(microseconds * 1000)
}

/// `signature check 1234 nsec: message 1000, public key 200, manifest 34`.
pub fn check_times(log: &str) -> Option<CheckTimes> {
    let [total, message, public_key, manifest] = line(log, "signature check ")?;
    Some(CheckTimes { total, message, public_key, manifest })
}

/// Reads what the verifier wrote when it was done; none if it did not get that far.
///
/// `processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0`
pub fn verifier_stats(log: &str) -> Option<VerifierStats> {
    let [total_insns, _limit, max_states_per_insn, total_states, peak_states, max_mark_read_len] =
        line(log, "processed ")?;
    // One figure a subprogram: `stack depth 8+16`.
    let stack_depth = rest(log, "stack depth ").map_or(0, |depths| numbers(depths).sum());
    Some(VerifierStats {
        total_insns,
        total_states,
        peak_states,
        max_states_per_insn,
        max_mark_read_len,
        stack_depth,
    })
}

/// The numbers in the last line that begins with `prefix`, if there are exactly `N`.
fn line<const N: usize>(log: &str, prefix: &str) -> Option<[u64; N]> {
    numbers(rest(log, prefix)?).collect::<Vec<_>>().try_into().ok()
}

/// What follows `prefix` in the last line that begins with it.
fn rest<'a>(log: &'a str, prefix: &str) -> Option<&'a str> {
    log.lines().rev().find_map(|line| line.strip_prefix(prefix))
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}

/// The reason that a log gives: the last line that is not statistics; none if there is no such line.
pub fn reason(log: &str) -> Option<&str> {
    const STATISTICS: [&str; 5] =
        ["processed ", "verification time ", "stack depth ", "subprog ", "signature check "];
    log.lines()
        .rev()
        .find(|line| !line.is_empty() && !STATISTICS.iter().any(|prefix| line.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
signature check 1210034 nsec: message 20911, public key 1180000, manifest 9123
verification time 121 usec
stack depth 8+16
processed 524291 insns (limit 1000000) max_states_per_insn 4 total_states 9 peak_states 7 mark_read 3
";

    #[test]
    fn figures_of_an_accepted_load() {
        assert_eq!(verifier_time(LOG), Some(121_000));
        assert_eq!(
            check_times(LOG),
            Some(CheckTimes { total: 1_210_034, message: 20_911, public_key: 1_180_000, manifest: 9_123 })
        );
        assert_eq!(
            verifier_stats(LOG),
            Some(VerifierStats {
                total_insns: 524_291,
                total_states: 9,
                peak_states: 7,
                max_states_per_insn: 4,
                max_mark_read_len: 3,
                stack_depth: 24,
            })
        );
    }

    #[test]
    fn a_refused_load_has_no_verifier_figures() {
        let log = "signature: unknown signer\nsignature check 20911 nsec: message 20911, public key 0, manifest 0\n";
        assert_eq!(verifier_time(log), None);
        assert_eq!(verifier_stats(log), None);
        assert_eq!(check_times(log).map(|times| times.total), Some(20_911));
    }

    #[test]
    fn a_line_in_another_form_is_not_guessed_at() {
        assert_eq!(check_times("signature check 12 nsec"), None);
        assert_eq!(verifier_stats("processed 2 insns (limit 1000000)"), None);
    }
}
