//! What the figures say: what a check costs, and when it is cheaper than verification.

use bpfsig_signing::key::Algorithm;
use serde::Serialize;

use super::quantity::number;
use crate::bench::{Cost, Mode, SignatureCost, display_option, median};
use crate::engine::Unit;

/// The generated programs that differ in size alone, and those that differ in the verifier's effort alone.
const BY_SIZE: &str = "straight-";
const BY_EFFORT: &str = "loop-";

/// What was found of one algorithm.
#[derive(Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The algorithm.
    #[serde(serialize_with = "display_option")]
    pub algorithm: Option<Algorithm>,
    /// Parsing the message and finding the key.
    pub message: f64,
    /// The public key operation.
    pub public_key: f64,
    /// Building the manifest, for each instruction of the program; none if no two sizes were measured.
    pub manifest_per_insn: Option<f64>,
    /// A whole load with a broken signature.
    pub forged: Option<f64>,
    /// A whole load by an unknown signer.
    pub unknown_signer: Option<f64>,
    /// The program size, in instructions, from which on the check is cheaper than verification.
    pub break_even_insns: BreakEven,
    /// The same in instructions that the verifier processes for a small program.
    pub break_even_processed: BreakEven,
}

/// From where on something is cheaper.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakEven {
    /// Too little was measured.
    Unknown,
    /// From here on.
    From(f64),
    /// Already at this one, the smallest that was measured.
    BelowSmallest(f64),
    /// Not yet at this one, the largest that was measured.
    AboveLargest(f64),
}

/// Verification and check of one program.
#[derive(Clone, Copy, Debug)]
struct Point {
    size: f64,
    verification: f64,
    check: f64,
}

/// The findings, an algorithm each, in the order in which they were measured.
pub fn findings(costs: &[Cost]) -> Vec<Finding> {
    let mut algorithms: Vec<Algorithm> = Vec::new();
    for algorithm in costs.iter().filter_map(|cost| cost.algorithm) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    algorithms.into_iter().filter_map(|algorithm| finding(costs, algorithm)).collect()
}

fn finding(costs: &[Cost], algorithm: Algorithm) -> Option<Finding> {
    let of = |mode| costs.iter().filter(move |cost| cost.mode == mode && cost.algorithm == Some(algorithm));
    // Neither depends on the program: the statement is always as long.
    let part = |part: fn(&SignatureCost) -> f64| {
        median(of(Mode::Signed).filter_map(|cost| cost.signature.as_ref().map(part)).collect())
    };
    let total = |mode| median(of(mode).filter_map(|cost| Some(cost.total.as_ref()?.median)).collect());
    let message = part(|signature| signature.message.median)?;
    let public_key = part(|signature| signature.public_key.median)?;
    let fixed = message + public_key;
    Some(Finding {
        algorithm: Some(algorithm),
        message,
        public_key,
        manifest_per_insn: manifest_per_insn(costs),
        forged: total(Mode::Forged),
        unknown_signer: total(Mode::UnknownSigner),
        break_even_insns: break_even(&points(costs, BY_SIZE, fixed, |cost| Some(f64::from(cost.insns)))),
        break_even_processed: break_even(&points(costs, BY_EFFORT, fixed, |cost| {
            Some(cost.verifier_stats?.total_insns as f64)
        })),
    })
}

/// A family of programs in ascending order. The manifest's part of a check is the same for all algorithms, and so it
/// is taken from whichever was measured.
fn points(costs: &[Cost], family: &str, fixed: f64, size: impl Fn(&Cost) -> Option<f64>) -> Vec<Point> {
    let mut points: Vec<Point> = costs
        .iter()
        .filter(|cost| cost.mode == Mode::Signed && cost.program.starts_with(family))
        .filter_map(|cost| {
            let check = fixed + cost.signature.as_ref()?.manifest.median;
            Some(Point { size: size(cost)?, verification: cost.verifier.as_ref()?.median, check })
        })
        .collect();
    points.sort_by(|a, b| a.size.total_cmp(&b.size));
    points.dedup_by_key(|point| point.size);
    points
}

/// The slope of the manifest's cost between the smallest and the largest program.
fn manifest_per_insn(costs: &[Cost]) -> Option<f64> {
    let manifests = points(costs, BY_SIZE, 0.0, |cost| Some(f64::from(cost.insns)));
    let (first, last) = (manifests.first()?, manifests.last()?);
    (last.size > first.size).then(|| (last.check - first.check) / (last.size - first.size))
}

/// Where the check becomes cheaper for good, linear between two points.
fn break_even(points: &[Point]) -> BreakEven {
    let gain = |point: &Point| point.verification - point.check;
    let Some(last_dearer) = points.iter().rposition(|point| gain(point) < 0.0) else {
        return points.first().map_or(BreakEven::Unknown, |point| BreakEven::BelowSmallest(point.size));
    };
    let from = &points[last_dearer];
    let Some(to) = points.get(last_dearer + 1) else { return BreakEven::AboveLargest(from.size) };
    BreakEven::From(from.size + (to.size - from.size) * gain(from) / (gain(from) - gain(to)))
}

impl Finding {
    /// The finding as sentences.
    pub fn in_words(&self, unit: Unit) -> String {
        let algorithm = self.algorithm.map_or(String::new(), |algorithm| algorithm.to_string());
        let mut text = format!(
            "{algorithm}: a check costs {} (message {}, public key {})",
            unit.in_words(self.message + self.public_key),
            unit.short(self.message),
            unit.short(self.public_key),
        );
        if let Some(per_insn) = self.manifest_per_insn {
            text += &format!(", and {} for each instruction of the program", unit.short(per_insn));
        }
        text += ". ";
        if let (Some(forged), Some(unknown)) = (self.forged, self.unknown_signer) {
            text += &format!(
                "A forged signature is refused after {}, an unknown signer after {}. ",
                unit.short(forged),
                unit.short(unknown)
            );
        }
        let comparisons = [
            self.break_even_insns.in_words("straight-line instructions"),
            self.break_even_processed.in_words("instructions processed by the verifier"),
        ];
        let comparisons: Vec<String> = comparisons.into_iter().flatten().collect();
        if comparisons.is_empty() {
            text + "No ladder of programs was measured to compare it to verification."
        } else {
            text + &format!("The check is {}.", comparisons.join(", and "))
        }
    }
}

impl BreakEven {
    fn in_words(self, what: &str) -> Option<String> {
        Some(match self {
            BreakEven::Unknown => return None,
            BreakEven::From(size) => format!("cheaper than verification from {} {what} on", number(size)),
            BreakEven::BelowSmallest(size) => {
                format!("cheaper than verification already at {} {what}", number(size))
            }
            BreakEven::AboveLargest(size) => {
                format!("not yet cheaper than verification at {} {what}", number(size))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::{Measured, Sample, SignatureTimes};

    fn point(size: f64, verification: f64, check: f64) -> Point {
        Point { size, verification, check }
    }

    #[test]
    fn break_even_lies_between_the_last_dearer_and_the_first_cheaper() {
        let points = [point(2.0, 0.0, 100.0), point(10.0, 50.0, 100.0), point(20.0, 150.0, 100.0)];
        assert_eq!(break_even(&points), BreakEven::From(15.0));
        assert_eq!(break_even(&points[..2]), BreakEven::AboveLargest(10.0));
        assert_eq!(break_even(&points[2..]), BreakEven::BelowSmallest(20.0));
        assert_eq!(break_even(&[]), BreakEven::Unknown);
    }

    #[test]
    fn break_even_is_where_it_stays_cheaper() {
        let points = [point(1.0, 9.0, 5.0), point(2.0, 1.0, 5.0), point(4.0, 9.0, 5.0)];
        assert_eq!(break_even(&points), BreakEven::From(3.0));
    }

    fn signed(insns: u32, algorithm: Algorithm, public_key: u64, manifest: u64, verifier: u64) -> Cost {
        let signature =
            SignatureTimes { total: 10 + public_key + manifest, message: 10, public_key, manifest };
        let sample = Sample { total: 0, signature: Some(signature), verifier: Some(verifier) };
        let log = format!(
            "processed {insns} insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n"
        );
        let measured = Measured { samples: vec![sample], log, ..Measured::default() };
        Cost::new(
            (format!("straight-{insns}"), "generated".to_owned(), insns),
            Mode::Signed,
            Some(algorithm),
            &measured,
        )
    }

    #[test]
    fn an_algorithm_that_was_measured_on_one_program_is_compared_on_all() {
        let costs = [
            signed(100, Algorithm::Rsa2048, 90, 200, 100),
            signed(100, Algorithm::P256, 790, 200, 100),
            signed(1100, Algorithm::Rsa2048, 90, 2200, 5100),
        ];
        let findings = findings(&costs);
        assert_eq!(
            findings.iter().map(|finding| finding.algorithm).collect::<Vec<_>>(),
            [Some(Algorithm::Rsa2048), Some(Algorithm::P256)]
        );
        assert_eq!(findings[0].manifest_per_insn, Some(2.0));
        // Check: 100 + 2 n; verification: 5 (n - 80).
        let BreakEven::From(insns) = findings[0].break_even_insns else { panic!("{findings:?}") };
        assert!((insns - 500.0 / 3.0).abs() < 1e-9, "{insns}");
        // Check: 800 + 2 n.
        assert_eq!(findings[1].break_even_insns, BreakEven::From(400.0));
        assert_eq!(findings[1].break_even_processed, BreakEven::Unknown);
        let text = findings[1].in_words(Unit::Instructions);
        assert!(
            text.starts_with("p-256: a check costs 800 instructions (message 10, public key 790)"),
            "{text}"
        );
        assert!(text.contains("from 400 straight-line instructions on"), "{text}");
    }
}
