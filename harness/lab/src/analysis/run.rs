//! A run with the conclusions from it.

use super::finding::{Finding, findings};
use super::overhead::Overhead;
use crate::results::{Load, Loads, Results, Unit};

/// The results of a run of `bpfsig bench`, and what they say.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was measured.
    pub results: Results<Loads>,
    /// The finding of each algorithm.
    pub findings: Vec<Finding>,
    /// The overhead of the patches.
    pub overhead: Overhead,
}

impl Run {
    /// Draws the conclusions.
    pub fn of(results: Results<Loads>) -> Run {
        let loads = &results.figures.loads;
        Run { findings: findings(loads), overhead: Overhead::of(loads), results }
    }

    /// What all figures count.
    pub fn unit(&self) -> Unit {
        self.results.environment.unit
    }

    /// All loads, with figures and keys.
    pub fn loads(&self) -> &[Load] {
        &self.results.figures.loads
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    use super::Run;
    use crate::results::{Check, Environment, Key, Load, Loads, Results, Selection, Summary, Unit};
    use crate::scenario::{Scenario, ScenarioName};

    /// One sample.
    pub fn summary(sample: u64) -> Summary {
        Summary::of(vec![sample]).unwrap()
    }

    /// The parts of a signature check: message, public key, manifest.
    pub fn check(parts: [u64; 3]) -> Check {
        let [message, public_key, manifest] = parts.map(summary);
        Check { total: summary(parts.iter().sum()), message, public_key, manifest }
    }

    /// A load that was accepted. It takes as long as its `BPF_PROG_LOAD`.
    pub fn load(program: &str, scenario: &str, prog_load: u64) -> Load {
        let scenario = ScenarioName::from(scenario.to_owned());
        let is_signed = scenario.listed().is_none_or(Scenario::is_signed);
        let is_generated = program.starts_with("straight-") || program.starts_with("loop-");
        Load {
            key: Key {
                program: program.to_owned(),
                scenario,
                algorithm: is_signed.then(|| "p-256".parse().unwrap()),
            },
            source: if is_generated { "generated" } else { "progs/x.bpf.c" }.to_owned(),
            programs: 1,
            insns: 2,
            hashed_bytes: 16,
            sent_bytes: 16,
            errno: 0,
            prog_load: Some(summary(prog_load)),
            all_syscalls: Some(summary(prog_load)),
            check: None,
            verifier: None,
            verifier_stats: None,
            jited_bytes: 0,
        }
    }

    /// Results of a whole run.
    pub fn results(engine: &str, loads: Vec<Load>) -> Results<Loads> {
        let environment = Environment {
            engine: engine.to_owned(),
            unit: if engine == "tcg" { Unit::Instructions } else { Unit::Nanoseconds },
            kernels: Vec::new(),
            qemu: None,
            cpu: "a CPU".to_owned(),
            commit: Some("0123456789abcdef".to_owned()),
            date: "2026-11-27T13:00:00Z".to_owned(),
            command: "bench".to_owned(),
            seconds: 7,
        };
        Results::new(environment, Selection::default(), Loads { loads, unsupported: Vec::new() })
    }

    /// The same, with conclusions.
    pub fn run(engine: &str, loads: Vec<Load>) -> Run {
        Run::of(results(engine, loads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::AnyResults;
    use crate::scenario::Scenario;

    #[test]
    fn what_is_written_is_read_again() {
        let mut load = fixture::load("straight-2", "signed", 1500);
        load.check = Some(fixture::check([10, 100, 5]));
        let mut results = fixture::results("tcg", vec![load, fixture::load("one", "of-tomorrow", 7)]);
        results.finished = vec!["baseline".to_owned()];
        let json = results.to_json().unwrap();
        assert_eq!(Results::parse(&json).unwrap(), results);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &json).unwrap();
        assert!(matches!(AnyResults::read(file.path()), Ok(AnyResults::Loads(read)) if read == results));
    }

    #[test]
    fn a_scenario_has_each_program_once() {
        let mut other = fixture::load("one", "signed", 7);
        other.key.algorithm = Some("p-384".parse().unwrap());
        let mut object = fixture::load("object", "signed", 9);
        object.programs = 2;
        let loads = vec![
            fixture::load("one", "unsigned", 3),
            fixture::load("one", "signed", 5),
            other,
            fixture::load("two", "signed", 6),
            object,
        ];
        let run = fixture::run("tcg", loads);
        let signed = run.results.figures.of_programs(Scenario::Signed.into());
        assert_eq!(signed.filter_map(Load::cost).collect::<Vec<_>>(), [5.0, 6.0]);
    }
}
