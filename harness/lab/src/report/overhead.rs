//! What the figures say of the patches themselves: what they cost who does not use them, how close the check comes to
//! what it can't do without, and what a second load saves.

use bpfsig_signing::program::INSN_SIZE;
use serde::{Deserialize, Serialize};

use super::finding::manifest_per_insn;
use crate::bench::{Cost, Mode, median};
use crate::engine::Unit;

/// Whole loads are compared only up to this cost: beyond it, what a figure varies by hides the difference.
const CHEAP: f64 = 2e6;

/// What was found.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// Unsigned loads on the patched kernel, divided by the same on the kernel without the patches.
    pub unsigned_to_baseline: Option<Spread>,
    /// An unsigned load that is refused because a signature is required.
    pub required_unsigned: Option<Spread>,
    /// SHA-256, for each byte: the slope of what the manifest takes against the size of the program.
    pub hash_per_byte: Option<f64>,
    /// The check of a first load, divided by the bare public-key operation and the hash of what is covered.
    pub first_to_bare: Option<Spread>,
    /// What the signature adds to a load of a statement that is known, without the hash of what is covered.
    pub repeated_beyond_hash: Option<Spread>,
    /// Whole objects.
    pub objects: Vec<ObjectOverhead>,
}

/// A figure of many programs.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub worst: f64,
    /// The program that has it.
    pub worst_program: String,
    /// How many programs.
    pub programs: usize,
}

/// What it costs to load an object with several programs: all system calls for its programs.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectOverhead {
    /// The object.
    pub object: String,
    /// How many programs it has.
    pub programs: usize,
    /// Without signatures.
    pub unsigned: f64,
    /// With one statement for all, which the kernel sees for the first time.
    pub signed: f64,
    /// With the same statement again.
    pub repeated: Option<f64>,
}

impl Spread {
    fn of<'a>(figures: impl Iterator<Item = (&'a Cost, f64)>) -> Option<Spread> {
        let figures: Vec<_> = figures.collect();
        let (cost, worst) = figures.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(Spread {
            median: median(figures.iter().map(|(_, figure)| *figure).collect())?,
            worst: *worst,
            worst_program: cost.program.clone(),
            programs: figures.len(),
        })
    }

    fn in_words(&self, show: impl Fn(f64) -> String) -> String {
        format!("{} in the median, at most {} ({})", show(self.median), show(self.worst), self.worst_program)
    }
}

impl Overhead {
    /// What the costs amount to. Only the first algorithm that each program was signed with counts.
    pub fn of(costs: &[Cost]) -> Overhead {
        let hash_per_byte = manifest_per_insn(costs).map(|insn| insn / INSN_SIZE as f64);
        let of = |mode| costs.iter().filter(move |cost| cost.mode == mode && cost.programs == 1);
        let cheap = |cost: &&Cost| total(cost).is_some_and(|total| total <= CHEAP);
        let compared = of(Mode::Unsigned).filter(cheap);
        Overhead {
            unsigned_to_baseline: Spread::of(
                compared.clone().filter_map(|cost| {
                    Some((cost, total(cost)? / total(same(costs, cost, Mode::Baseline)?)?))
                }),
            ),
            required_unsigned: Spread::of(
                of(Mode::RequiredUnsigned).filter_map(|cost| Some((cost, total(cost)?))),
            ),
            first_to_bare: Spread::of(of(Mode::Signed).filter_map(|cost| {
                let signature = cost.signature.as_ref()?;
                let bare = signature.public_key.median + hash_per_byte? * cost.covered as f64;
                Some((cost, signature.total.median / bare))
            })),
            repeated_beyond_hash: Spread::of(compared.filter_map(|cost| {
                let repeated = same(costs, cost, Mode::Repeated)?;
                let hash = hash_per_byte? * cost.covered as f64;
                Some((cost, total(repeated)? - total(cost)? - hash))
            })),
            objects: costs
                .iter()
                .filter(|cost| cost.programs > 1 && cost.mode == Mode::Unsigned)
                .filter_map(|cost| {
                    Some(ObjectOverhead {
                        object: cost.program.clone(),
                        programs: cost.programs,
                        unsigned: total(cost)?,
                        signed: total(same(costs, cost, Mode::Signed)?)?,
                        repeated: same(costs, cost, Mode::Repeated).and_then(total),
                    })
                })
                .collect(),
            hash_per_byte,
        }
    }

    /// The same as sentences.
    pub fn in_words(&self, unit: Unit) -> Vec<String> {
        let ratio = |value: f64| format!("{value:.4}");
        let quantity = |value| unit.short(value);
        let mut lines = Vec::new();
        let mut say = |what: &str, spread: &Option<Spread>, show: &dyn Fn(f64) -> String| {
            if let Some(spread) = spread {
                lines.push(format!("{what}: {}, of {} programs.", spread.in_words(show), spread.programs));
            }
        };
        say("Unsigned load, patched / not patched", &self.unsigned_to_baseline, &ratio);
        say("Unsigned load refused where a signature is required", &self.required_unsigned, &quantity);
        say("Check of a first load / bare public-key operation and hash", &self.first_to_bare, &ratio);
        say("A known statement adds, beyond the hash", &self.repeated_beyond_hash, &quantity);
        if let Some(per_byte) = self.hash_per_byte {
            lines.push(format!("The hash (SHA-256) takes {} a byte.", unit.in_words(per_byte)));
        }
        for object in &self.objects {
            lines.push(object.in_words(unit));
        }
        lines
    }
}

impl ObjectOverhead {
    fn in_words(&self, unit: Unit) -> String {
        let mut text = format!(
            "{} ({} programs): unsigned {}, signed {} ({:.3} times)",
            self.object,
            self.programs,
            unit.short(self.unsigned),
            unit.short(self.signed),
            self.signed / self.unsigned,
        );
        if let Some(repeated) = self.repeated {
            text += &format!(", again {} ({:.3} times)", unit.short(repeated), repeated / self.unsigned);
        }
        text + "."
    }
}

fn total(cost: &Cost) -> Option<f64> {
    Some(cost.total.as_ref()?.median)
}

/// What the same program cost in another mode.
fn same<'a>(costs: &'a [Cost], cost: &Cost, mode: Mode) -> Option<&'a Cost> {
    costs.iter().find(|other| other.program == cost.program && other.mode == mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{SignatureCost, Summary};
    use crate::corpus::Source;
    use bpfsig_signing::key::Algorithm;

    fn cost(program: &str, insns: u32, mode: Mode, total: u64, manifest: u64) -> Cost {
        let summary = |sample| Summary::of(vec![sample]).unwrap();
        let is_signed = Mode::WITH_SIGNATURE.contains(&mode);
        Cost {
            program: program.to_owned(),
            source: Source::Ladder,
            programs: if program.starts_with("object ") { 20 } else { 1 },
            insns,
            covered: 8 * insns as usize,
            mode,
            algorithm: is_signed.then_some(Algorithm::Rsa2048),
            errno: 0,
            verdict: "success",
            total: Some(summary(total)),
            loaded: None,
            travels: 0,
            signature: is_signed.then(|| SignatureCost {
                total: summary(1000 + manifest),
                message: summary(0),
                public_key: summary(1000),
                manifest: summary(manifest),
            }),
            verifier: Some(summary(1)),
            verifier_stats: None,
            jited_size: 0,
        }
    }

    #[test]
    fn figures_are_compared_within_a_program() {
        let costs = [
            cost("straight-2", 2, Mode::Baseline, 100, 0),
            cost("straight-2", 2, Mode::Unsigned, 101, 0),
            cost("straight-2", 2, Mode::Signed, 1200, 100),
            cost("straight-2", 2, Mode::Repeated, 201, 100),
            cost("straight-12", 12, Mode::Baseline, 200, 0),
            cost("straight-12", 12, Mode::Unsigned, 200, 0),
            cost("straight-12", 12, Mode::Signed, 1500, 260),
            cost("straight-12", 12, Mode::Repeated, 412, 260),
            cost("straight-12", 12, Mode::RequiredUnsigned, 3, 0),
            cost("object lsm_journal", 40, Mode::Unsigned, 1000, 0),
            cost("object lsm_journal", 40, Mode::Signed, 1100, 5),
        ];
        let overhead = Overhead::of(&costs);
        // 160 for 80 bytes.
        assert_eq!(overhead.hash_per_byte, Some(2.0));
        let baseline = overhead.unsigned_to_baseline.as_ref().unwrap();
        assert_eq!((baseline.worst, &*baseline.worst_program, baseline.programs), (1.01, "straight-2", 2));
        assert_eq!(overhead.required_unsigned.as_ref().unwrap().worst, 3.0);
        // 1260 for what takes 1000 and 192; 1100 for what takes 1000 and 32.
        assert_eq!(overhead.first_to_bare.as_ref().unwrap().worst, 1100.0 / 1032.0);
        // 100 without 32; 212 without 192.
        let repeated = overhead.repeated_beyond_hash.as_ref().unwrap();
        assert_eq!((repeated.worst, &*repeated.worst_program), (68.0, "straight-2"));
        assert_eq!(overhead.objects[0].signed, 1100.0);
        let text = overhead.in_words(Unit::Instructions).join("\n");
        assert!(
            text.contains("object lsm_journal (20 programs): unsigned 1.00 k, signed 1.10 k (1.100 times)."),
            "{text}"
        );
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        assert_eq!(Overhead::of(&[]), Overhead::default());
        assert!(Overhead::default().in_words(Unit::Instructions).is_empty());
    }
}
