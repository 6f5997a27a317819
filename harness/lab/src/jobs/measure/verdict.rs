//! Checks the kernel's answers.

use std::fmt::Write;

use anyhow::{Result, bail};

use super::super::guest::reason;
use super::plan::{Measured, Outcome, Plan};
use crate::results::{Unsupported, answer};

/// Fails if the guest has not measured all of the plan: a part must not pass for all.
///
/// # Errors
/// Names a load that is missing, has no samples, or is there twice.
fn check_whole(plan: &Plan, outcome: &Outcome) -> Result<()> {
    for load in plan.loads() {
        let mut measured = outcome.loads.iter().filter(|measured| measured.key == load.key);
        let is_measured = measured.next().is_some_and(|measured| !measured.samples.is_empty());
        if !is_measured || measured.next().is_some() {
            bail!("the guest has not measured everything, or something twice: {}", load.key);
        }
    }
    Ok(())
}

/// What a machine has refused though it might have accepted it.
pub fn refused(outcome: &Outcome) -> Vec<Unsupported> {
    let mut unsupported: Vec<Unsupported> = Vec::new();
    for Measured { key, errno, log, .. } in &outcome.loads {
        let Some(scenario) =
            key.scenario.listed().filter(|scenario| scenario.row().carried_if == Some(*scenario))
        else {
            continue;
        };
        let is_known = unsupported.iter().any(|row| row.explains(&key.program, scenario));
        if *errno != 0 && !is_known {
            let reason = match reason(log) {
                Some(reason) => format!("{reason} ({})", answer(*errno)),
                None => answer(*errno),
            };
            unsupported.push(Unsupported { program: key.program.clone(), scenario: scenario.into(), reason });
        }
    }
    unsupported
}

/// Fails if the guest has not measured all of the plan, or the kernel accepted what it must refuse, refused what it must
/// accept, or gave another reason; except for programs that a scenario was found not to support.
///
/// # Errors
/// Names each load, both errnos and what the kernel's log says.
pub fn check(plan: &Plan, outcome: &Outcome, unsupported: &[Unsupported]) -> Result<()> {
    check_whole(plan, outcome)?;
    let mut wrong = String::new();
    for Measured { key, errno, log, .. } in &outcome.loads {
        let Some(scenario) = key.scenario.listed() else {
            bail!("the guest has measured {key}, out of the blue")
        };
        let expected = scenario.row().errno;
        let is_excused = unsupported.iter().any(|row| row.explains(&key.program, scenario));
        if *errno != expected && !is_excused {
            let _ = write!(
                wrong,
                "\n  {key}: {} instead of {}; the kernel's log: {}",
                answer(*errno),
                answer(expected),
                reason(log).unwrap_or("(empty)"),
            );
        }
    }
    if !wrong.is_empty() {
        bail!("the kernel gave wrong answers:{wrong}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::plan::{PlannedForm, PlannedLoad, Sample};
    use super::*;
    use crate::results::Key;
    use crate::scenario::Scenario;

    fn key(scenario: Scenario) -> Key {
        Key { program: "straight-2".to_owned(), scenario: scenario.into(), algorithm: None }
    }

    fn measured(scenario: Scenario, errno: i32, log: &str) -> Measured {
        let samples = vec![Sample { prog_load: 1, ..Sample::default() }];
        Measured { key: key(scenario), errno, log: log.to_owned(), jited_bytes: 0, samples }
    }

    fn outcome(loads: Vec<Measured>) -> Outcome {
        Outcome { kernel: String::new(), loads }
    }

    fn plan(scenarios: &[Scenario]) -> Plan {
        let load = |scenario: &Scenario| PlannedLoad {
            key: key(*scenario),
            form: PlannedForm::Programs(vec![0]),
            signatures: Vec::new(),
            replacement: None,
            attested: None,
        };
        Plan { groups: vec![scenarios.iter().map(load).collect()], ..Plan::default() }
    }

    #[test]
    fn an_outcome_is_whole_if_each_load_has_samples() {
        let plan = plan(&[Scenario::Signed, Scenario::Repeated]);
        let (first, second) = (measured(Scenario::Signed, 0, ""), measured(Scenario::Repeated, 0, ""));
        check_whole(&plan, &outcome(vec![second.clone(), first.clone()])).unwrap();
        let unsampled = Measured { samples: Vec::new(), ..second.clone() };
        for loads in [vec![first.clone()], vec![first.clone(), unsampled], vec![first.clone(), first, second]]
        {
            check_whole(&plan, &outcome(loads)).unwrap_err();
        }
    }

    #[test]
    fn expected_answers_pass() {
        let scenarios = [Scenario::Signed, Scenario::UnknownSigner];
        let loads = vec![measured(scenarios[0], 0, ""), measured(scenarios[1], libc::ENOKEY, "")];
        check(&plan(&scenarios), &outcome(loads), &[]).unwrap();
    }

    #[test]
    fn a_wrong_answer_is_named_with_the_reason_of_the_kernel() {
        let log = "signature: no such signer\nsignature check 1 nsec: 1, 0, 0\n";
        let scenarios = [Scenario::Signed, Scenario::Forged];
        let loads = vec![measured(scenarios[0], libc::ENOKEY, log), measured(scenarios[1], 0, "")];
        let error = check(&plan(&scenarios), &outcome(loads), &[]).unwrap_err().to_string();
        for part in
            ["straight-2 signed", "ENOKEY", "no such signer", "straight-2 forged", "EKEYREJECTED", "accepted"]
        {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_is_refused_is_said_once_and_explains_what_depends_on_it() {
        let scenarios =
            [Scenario::Mainline, Scenario::MainlineForged, Scenario::Mainline, Scenario::MainlineDetached];
        let loads = vec![
            measured(scenarios[0], libc::EPERM, "the map is shared\nprocessed 2 insns\n"),
            measured(scenarios[1], libc::EPERM, ""),
            measured(scenarios[2], libc::EPERM, "the map is shared\n"),
            measured(scenarios[3], 0, ""),
        ];
        let unsupported = refused(&outcome(loads));
        let [row] = &unsupported[..] else { panic!("{unsupported:?}") };
        assert_eq!((&row.scenario, &*row.reason), (&scenarios[0].into(), "the map is shared (EPERM)"));
        let explained = scenarios.map(|scenario| row.explains("straight-2", scenario));
        assert_eq!(explained, [true, true, true, false]);
        assert!(!row.explains("another", Scenario::Mainline));
    }

    #[test]
    fn a_kernel_that_refuses_what_it_must_accept_is_not_excused() {
        assert_eq!(refused(&outcome(vec![measured(Scenario::Signed, libc::EPERM, "")])), []);
    }
}
