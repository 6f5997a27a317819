//! What the figures say about the patches themselves: the cost to users who load unsigned programs, how close a check
//! comes to its public-key operation and hash, and the saving of a second load.

use bpfsig_signing::program::INSN_SIZE;

use super::finding::manifest_per_insn;
use crate::results::{Load, Unit, median};
use crate::scenario::Scenario;

/// Whole loads are compared only up to this cost: above it, the variation of figures hides the difference.
const CHEAP: f64 = 2e6;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overhead {
    /// Unsigned loads on the patched kernel, divided by the same on the kernel without the patches.
    pub unsigned_to_baseline: Option<Spread>,
    /// An unsigned load that is refused because a signature is required.
    pub required_unsigned: Option<Spread>,
    /// SHA-256, for each byte: the slope of the manifest's cost over the program's size.
    pub hash_per_byte: Option<f64>,
    /// The check of a first load, divided by the bare public-key operation and the hash.
    pub first_to_bare: Option<Spread>,
    /// The cost that a signature with a known statement adds to a load, without the hash.
    pub repeated_beyond_hash: Option<Spread>,
    /// Whole objects.
    pub objects: Vec<ObjectOverhead>,
}

/// A figure of many programs.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
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
    fn of<'a>(figures: impl Iterator<Item = (&'a Load, f64)>) -> Option<Spread> {
        let figures: Vec<_> = figures.collect();
        let (load, worst) = figures.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(Spread {
            median: median(figures.iter().map(|(_, figure)| *figure).collect())?,
            worst: *worst,
            worst_program: load.key.program.clone(),
            programs: figures.len(),
        })
    }

    fn in_words(&self, show: impl Fn(f64) -> String) -> String {
        format!("{} in the median, at most {} ({})", show(self.median), show(self.worst), self.worst_program)
    }
}

impl Overhead {
    /// Compares the loads. Only the first algorithm that each program was signed with counts.
    pub(super) fn of(loads: &[Load]) -> Overhead {
        let hash_per_byte = manifest_per_insn(loads).map(|insn| insn / INSN_SIZE as f64);
        let of = |scenario| loads.iter().filter(move |load| load.is_of(scenario));
        let cheap = |load: &&Load| load.prog_load_cost().is_some_and(|cost| cost <= CHEAP);
        let compared = of(Scenario::Unsigned).filter(cheap);
        let cost = |load: &Load, scenario| same(loads, load, scenario)?.prog_load_cost();
        Overhead {
            unsigned_to_baseline: Spread::of(
                compared.clone().filter_map(|load| {
                    Some((load, load.prog_load_cost()? / cost(load, Scenario::Baseline)?))
                }),
            ),
            required_unsigned: Spread::of(
                of(Scenario::RequiredUnsigned).filter_map(|load| Some((load, load.prog_load_cost()?))),
            ),
            first_to_bare: Spread::of(of(Scenario::Signed).filter_map(|load| {
                let check = load.check.as_ref()?;
                let bare = check.public_key.median + hash_per_byte? * load.hashed_bytes as f64;
                Some((load, check.total.median / bare))
            })),
            repeated_beyond_hash: Spread::of(compared.filter_map(|load| {
                let repeated = cost(load, Scenario::Repeated)?;
                let hash = hash_per_byte? * load.hashed_bytes as f64;
                Some((load, repeated - load.prog_load_cost()? - hash))
            })),
            objects: loads
                .iter()
                .filter(|load| load.programs > 1 && load.key.scenario == Scenario::Unsigned)
                .filter_map(|load| {
                    Some(ObjectOverhead {
                        object: load.key.program.clone(),
                        programs: load.programs,
                        unsigned: load.prog_load_cost()?,
                        signed: cost(load, Scenario::Signed)?,
                        repeated: cost(load, Scenario::Repeated),
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

/// The same program in another scenario.
fn same<'a>(loads: &'a [Load], load: &Load, scenario: Scenario) -> Option<&'a Load> {
    loads.iter().find(|other| other.key.program == load.key.program && other.key.scenario == scenario)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    fn load(program: &str, insns: u32, scenario: Scenario, prog_load: u64, manifest: u64) -> Load {
        let mut load = fixture::load(program, scenario.name(), prog_load);
        load.programs = if program.starts_with("object ") { 20 } else { 1 };
        load.insns = insns;
        load.hashed_bytes = 8 * insns as usize;
        load.check = scenario.is_signed().then(|| fixture::check([0, 1000, manifest]));
        load.verifier = Some(fixture::summary(1));
        load
    }

    #[test]
    fn figures_are_compared_within_a_program() {
        let loads = [
            load("straight-2", 2, Scenario::Baseline, 100, 0),
            load("straight-2", 2, Scenario::Unsigned, 101, 0),
            load("straight-2", 2, Scenario::Signed, 1200, 100),
            load("straight-2", 2, Scenario::Repeated, 201, 100),
            load("straight-12", 12, Scenario::Baseline, 200, 0),
            load("straight-12", 12, Scenario::Unsigned, 200, 0),
            load("straight-12", 12, Scenario::Signed, 1500, 260),
            load("straight-12", 12, Scenario::Repeated, 412, 260),
            load("straight-12", 12, Scenario::RequiredUnsigned, 3, 0),
            load("object lsm_journal", 40, Scenario::Unsigned, 1000, 0),
            load("object lsm_journal", 40, Scenario::Signed, 1100, 5),
        ];
        let overhead = Overhead::of(&loads);
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
