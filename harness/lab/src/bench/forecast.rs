//! The parts of a run, and about how long each takes on this machine.

use std::fmt;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use indicatif::HumanDuration;

use super::attacks::{Target, targets};
use super::loads::{others, setups, workloads};
use crate::engine::{Choice, Engine};
use crate::jobs::Job;
use crate::jobs::attack::{AttackJob, count};
use crate::jobs::measure::Plan;
use crate::kernel::{self, Variant};
use crate::progress::{Progress, Total};
use crate::results::Selection;
use crate::scenario::Setup;

/// The times of steps that were never done here: a build on one processor, a boot, a load with all its samples, an attack.
const BUILD: Duration = Duration::from_secs(24 * 60);
const BOOT: Duration = Duration::from_secs(10);
const LOAD: Duration = Duration::from_millis(400);
const ATTACK: Duration = Duration::from_secs(5);

/// The parts of a run.
pub struct Forecast {
    /// Jobs on the patched kernel, and its build.
    patched: Part,
    /// Jobs on the other kernels, and their builds.
    others: Part,
    /// Whether the others are built while the patched kernel is measured.
    overlaps: bool,
}

/// The machine of a job.
struct Machine {
    is_patched: bool,
    time: Duration,
}

/// One kernel, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Part {
    /// How many have to be built.
    builds: u32,
    /// The time that this takes.
    build: Duration,
    /// The time on their machines.
    measure: Duration,
}

impl Forecast {
    /// The forecast of [`super::measure`].
    ///
    /// # Errors
    /// Nothing matches, or the cache can't be read.
    pub fn of_loads(selection: &Selection, choice: Choice, progress: &Progress) -> Result<Forecast> {
        let workloads = workloads(selection, &Progress::silent())?;
        let cases = |setup: &Setup| -> usize {
            workloads.iter().map(|workload| workload.cases_on(*setup).count()).sum()
        };
        let setups: Vec<Setup> =
            setups(engine(choice)).iter().copied().filter(|setup| cases(setup) > 0).collect();
        let machine = |setup: &Setup| Machine {
            is_patched: setup.is_patched(),
            time: job::<Plan>(setup.name(), cases(setup), LOAD, progress),
        };
        Forecast::of(choice, setups.iter().map(machine).collect(), &others(&setups), progress)
    }

    /// The forecast of [`super::attack`].
    ///
    /// # Errors
    /// No attack matches, or the cache can't be read.
    pub fn of_attacks(selection: &Selection, choice: Choice, progress: &Progress) -> Result<Forecast> {
        let targets = targets(engine(choice));
        let machine = |target: &Target| {
            let counts = target.policies.iter().map(|policy| count(selection.only.as_deref(), *policy));
            let attacks = counts.sum::<Result<usize>>()?;
            let time = job::<AttackJob>(target.machine, attacks, ATTACK, progress);
            Ok(Machine { is_patched: !target.is_baseline(), time })
        };
        let machines: Vec<_> = targets.iter().map(machine).collect::<Result<_>>()?;
        let others = if targets.iter().any(|target| target.is_baseline()) {
            vec![Variant::Baseline]
        } else {
            Vec::new()
        };
        Forecast::of(choice, machines, &others, progress)
    }

    /// The forecast of a run on these machines. `others` are the kernels that they need besides the patched one.
    fn of(
        choice: Choice,
        machines: Vec<Machine>,
        others: &[Variant],
        progress: &Progress,
    ) -> Result<Forecast> {
        let patched = match choice {
            Choice::Auto | Choice::Tcg | Choice::Kvm => Some(Variant::Patched),
            Choice::Uml => Some(Variant::Uml),
            // It runs.
            Choice::Host => None,
        };
        let part = |is_patched: bool, variants: &[Variant]| -> Result<Part> {
            let mut builds = 0;
            for variant in variants {
                builds += u32::from(kernel::cached(*variant, None, progress)?.is_none());
            }
            let times = machines
                .iter()
                .filter(|machine| machine.is_patched == is_patched)
                .map(|machine| machine.time);
            Ok(Part { builds, build: build(progress) * builds, measure: times.sum() })
        };
        Ok(Forecast {
            patched: part(true, patched.as_slice())?,
            others: part(false, others)?,
            overlaps: engine(choice) == Engine::Tcg,
        })
    }

    /// The time of the whole run.
    fn whole(&self) -> Duration {
        let Forecast { patched, others, overlaps } = self;
        let middle = match overlaps {
            true => patched.measure.max(others.build),
            false => patched.measure + others.build,
        };
        patched.build + middle + others.measure
    }
}

/// The engine that will probably be used.
fn engine(choice: Choice) -> Engine {
    match choice {
        Choice::Auto | Choice::Tcg => Engine::Tcg,
        Choice::Kvm => Engine::Kvm,
        Choice::Uml => Engine::Uml,
        Choice::Host => Engine::Host,
    }
}

fn build(progress: &Progress) -> Duration {
    let processors = thread::available_parallelism().map_or(1, |count| count.get());
    progress.expected(kernel::BUILD_STEP, Total::Unknown).unwrap_or(BUILD / processors as u32)
}

/// The time of a job with so many items, each of which usually takes as long as this.
fn job<J: Job>(machine: &str, items: usize, usual: Duration, progress: &Progress) -> Duration {
    let total = Total::Items(items as u64);
    progress.expected(&J::step(machine), total).unwrap_or(BOOT + usual * items as u32)
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Forecast { patched, others, overlaps } = self;
        let meanwhile = if *overlaps { ", meanwhile" } else { "" };
        let parts = [
            (patched.build, "build the patched kernel".to_owned()),
            (patched.measure, "measure it: the first figures".to_owned()),
            (others.build, format!("build other kernels ({}){meanwhile}", others.builds)),
            (others.measure, "measure the kernel without the patches".to_owned()),
        ];
        for (time, part) in parts.iter().filter(|(time, _)| !time.is_zero()) {
            writeln!(f, "{:>12}  {part}", HumanDuration(*time).to_string())?;
        }
        write!(f, "Together about {}", HumanDuration(self.whole()))?;
        if patched.builds + others.builds > 0 {
            write!(f, ", and {} GiB of disk space for a build", kernel::BUILD_SPACE >> 30)?;
        }
        write!(f, ". Ctrl-C ends it at any time; the report has the figures until then.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_beside_measurements_take_no_time_of_their_own() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let patched = Part { builds: 1, build: minutes(12), measure: minutes(4) };
        let others = Part { builds: 1, build: minutes(10), measure: minutes(3) };
        let mut forecast = Forecast { patched, others, overlaps: true };
        let expected = "  12 minutes  build the patched kernel
   4 minutes  measure it: the first figures
  10 minutes  build other kernels (1), meanwhile
   3 minutes  measure the kernel without the patches
Together about 25 minutes, and 4 GiB of disk space for a build. Ctrl-C ends it at any time; the report has the figures until then.";
        assert_eq!(forecast.to_string(), expected);
        forecast.overlaps = false;
        assert_eq!(forecast.whole(), minutes(29));
        forecast = Forecast {
            patched: Part { measure: minutes(4), ..Part::default() },
            others: Part::default(),
            ..forecast
        };
        assert_eq!(
            forecast.to_string(),
            "   4 minutes  measure it: the first figures
Together about 4 minutes. Ctrl-C ends it at any time; the report has the figures until then."
        );
    }

    #[test]
    fn a_forecast_counts_what_is_selected() {
        let progress = Progress::silent();
        let of = |only: &str| {
            let selection = Selection { only: Some(only.to_owned()), ..Selection::default() };
            Forecast::of_loads(&selection, Choice::Host, &progress).unwrap()
        };
        let (one, all) = (of("straight-2"), of("straight-*"));
        assert!(!one.patched.measure.is_zero() && all.patched.measure > one.patched.measure);
        assert_eq!((one.patched.builds, one.others), (0, Part::default()));
        let selection = Selection { only: Some("no such".to_owned()), ..Selection::default() };
        assert!(Forecast::of_attacks(&selection, Choice::Host, &progress).is_err());
    }
}
