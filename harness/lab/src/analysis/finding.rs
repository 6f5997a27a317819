//! The cost of a check, and the program size above which it is cheaper than verification.

use bpfsig_signing::key::Algorithm;

use crate::results::{Check, Load, median};
use crate::scenario::Scenario;

/// The finding of one algorithm.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The algorithm.
    pub algorithm: Algorithm,
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
    /// The program size, in instructions, above which the check is cheaper than verification.
    pub break_even_insns: BreakEven,
    /// The same in instructions that the verifier processes for a small program.
    pub break_even_processed: BreakEven,
    /// How many programs were measured that are not generated.
    pub real_programs: usize,
    /// For how many of them the check is cheaper than verification.
    pub real_programs_cheaper: usize,
}

/// Where something becomes cheaper.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    x: f64,
    verification: f64,
    check: f64,
}

impl Point {
    /// What the check saves if it stands in for verification.
    fn gain(&self) -> f64 {
        self.verification - self.check
    }
}

/// The findings, an algorithm each, in the order in which they were measured.
pub(super) fn findings(loads: &[Load]) -> Vec<Finding> {
    let mut algorithms: Vec<Algorithm> = Vec::new();
    for algorithm in loads.iter().filter_map(|load| load.key.algorithm) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    algorithms.into_iter().filter_map(|algorithm| finding(loads, algorithm)).collect()
}

fn finding(loads: &[Load], algorithm: Algorithm) -> Option<Finding> {
    let of = |scenario| {
        let is_it = move |load: &&Load| load.is_of(scenario) && load.key.algorithm == Some(algorithm);
        loads.iter().filter(is_it)
    };
    // Neither depends on the program: the statement always has the same length.
    let part = |part: fn(&Check) -> f64| {
        median(of(Scenario::Signed).filter_map(|load| load.check.as_ref().map(part)).collect())
    };
    let prog_load = |scenario| median(of(scenario).filter_map(Load::prog_load_cost).collect());
    let message = part(|check| check.message.median)?;
    let public_key = part(|check| check.public_key.median)?;
    let fixed = message + public_key;
    let real: Vec<Point> = points(loads, |load| load.is_real().then_some(0.0), fixed).collect();
    Some(Finding {
        algorithm,
        message,
        public_key,
        manifest_per_insn: manifest_per_insn(loads),
        forged: prog_load(Scenario::Forged),
        unknown_signer: prog_load(Scenario::UnknownSigner),
        break_even_insns: break_even(&ladder(points(loads, by_size, fixed))),
        break_even_processed: break_even(&ladder(points(loads, by_effort, fixed))),
        real_programs: real.len(),
        real_programs_cheaper: real.iter().filter(|point| point.gain() > 0.0).count(),
    })
}

/// Size, if the program is one of those that differ in nothing else.
fn by_size(load: &Load) -> Option<f64> {
    load.key.program.starts_with("straight-").then_some(f64::from(load.insns))
}

/// The verifier's effort, if the program is one of those that differ in nothing else.
fn by_effort(load: &Load) -> Option<f64> {
    load.key.program.starts_with("loop-").then_some(load.verifier_stats?.total_insns as f64)
}

/// Signed programs for which there is an `x`, each once. The cost of the manifest is the same for all algorithms, so
/// any of them will do.
fn points(loads: &[Load], x: impl Fn(&Load) -> Option<f64>, fixed: f64) -> impl Iterator<Item = Point> {
    let mut signed: Vec<&Load> = loads.iter().filter(|load| load.is_of(Scenario::Signed)).collect();
    signed.dedup_by_key(|load| &load.key.program);
    signed.into_iter().filter_map(move |load| {
        let check = fixed + load.check.as_ref()?.manifest.median;
        Some(Point { x: x(load)?, verification: load.verifier.as_ref()?.median, check })
    })
}

/// Points in ascending order.
fn ladder(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut points: Vec<Point> = points.collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

/// The slope of the manifest's cost between the smallest and the largest program.
pub(super) fn manifest_per_insn(loads: &[Load]) -> Option<f64> {
    let manifests = ladder(points(loads, by_size, 0.0));
    let (first, last) = (manifests.first()?, manifests.last()?);
    (last.x > first.x).then(|| (last.check - first.check) / (last.x - first.x))
}

/// Where the check becomes cheaper for good, linear between two points.
fn break_even(ladder: &[Point]) -> BreakEven {
    let Some(last_dearer) = ladder.iter().rposition(|point| point.gain() < 0.0) else {
        return ladder.first().map_or(BreakEven::Unknown, |point| BreakEven::BelowSmallest(point.x));
    };
    let from = &ladder[last_dearer];
    let Some(to) = ladder.get(last_dearer + 1) else { return BreakEven::AboveLargest(from.x) };
    BreakEven::From(from.x + (to.x - from.x) * from.gain() / (from.gain() - to.gain()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    fn point(x: f64, verification: f64, check: f64) -> Point {
        Point { x, verification, check }
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

    /// A signed program: its size, the parts of its check and its verification.
    fn signed(
        name: &str,
        insns: u32,
        algorithm: Algorithm,
        [public_key, manifest, verifier]: [u64; 3],
    ) -> Load {
        let mut load = fixture::load(name, "signed", 0);
        load.key.algorithm = Some(algorithm);
        load.insns = insns;
        load.check = Some(fixture::check([10, public_key, manifest]));
        load.verifier = Some(fixture::summary(verifier));
        load
    }

    #[test]
    fn an_algorithm_that_was_measured_on_one_program_is_compared_on_all() {
        let loads = [
            signed("straight-100", 100, Algorithm::Rsa2048, [90, 200, 100]),
            signed("straight-100", 100, Algorithm::P256, [790, 200, 100]),
            signed("straight-1100", 1100, Algorithm::Rsa2048, [90, 2200, 5100]),
            signed("filter", 7, Algorithm::Rsa2048, [90, 20, 500]),
        ];
        let findings = findings(&loads);
        assert_eq!(
            findings.iter().map(|finding| finding.algorithm).collect::<Vec<_>>(),
            [Algorithm::Rsa2048, Algorithm::P256]
        );
        assert_eq!(findings[0].manifest_per_insn, Some(2.0));
        // Check: 100 + 2 n; verification: 5 (n - 80).
        let BreakEven::From(insns) = findings[0].break_even_insns else { panic!("{findings:?}") };
        assert!((insns - 500.0 / 3.0).abs() < 1e-9, "{insns}");
        // Check: 800 + 2 n.
        assert_eq!(findings[1].break_even_insns, BreakEven::From(400.0));
        assert_eq!(findings[1].break_even_processed, BreakEven::Unknown);
        assert_eq!((findings[0].real_programs_cheaper, findings[0].real_programs), (1, 1));
        assert_eq!((findings[1].real_programs_cheaper, findings[1].real_programs), (0, 1));
    }
}
