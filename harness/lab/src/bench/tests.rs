//! Whole runs, on fakes.

use std::cell::RefCell;

use anyhow::Result;

use super::fake::{Build, FakeTestbed, Fault};
use super::{Stage, attack, measure};
use crate::engine::Engine;
use crate::interrupt::Interrupted;
use crate::progress::Progress;
use crate::results::{Attacks, Key, Loads, Policy, Results, Selection};
use crate::scenario::Scenario;

/// All machines of the engine tcg, in order.
const MACHINES: [&str; 8] = [
    "patched, unsigned",
    "patched, signed",
    "patched, required",
    "patched, policy",
    "baseline",
    "mainline",
    "baseline, listed loader",
    "baseline, unlisted loader",
];

/// All scenarios.
fn all(only: &str) -> Selection {
    let algorithms = vec!["p-256".to_owned()];
    Selection { only: Some(only.to_owned()), algorithms, ..Selection::default() }
}

/// A scenario or two for each machine: the fewer signatures, the less time a test takes.
fn selection(only: &str) -> Selection {
    let scenarios = [
        Scenario::Baseline,
        Scenario::Unsigned,
        Scenario::Repeated,
        Scenario::UnknownSigner,
        Scenario::RequiredUnsigned,
        Scenario::Granted,
        Scenario::Mainline,
        Scenario::ApproveList,
        Scenario::ApproveListRefused,
    ];
    Selection { scenarios: scenarios.map(Into::into).to_vec(), ..all(only) }
}

/// Measures, and also returns everything that was kept on the way.
fn bench(
    testbed: &FakeTestbed,
    selection: &Selection,
    earlier: Option<Results<Loads>>,
) -> (Result<Results<Loads>>, Vec<Results<Loads>>) {
    let kept = RefCell::new(Vec::new());
    let mut keep = |results: &Results<Loads>, _: Stage| {
        kept.borrow_mut().push(results.clone());
        Ok(())
    };
    let outcome = measure(selection, testbed, earlier, &mut keep, &Progress::silent());
    (outcome, kept.into_inner())
}

fn dos(
    testbed: &FakeTestbed,
    only: Option<&str>,
    earlier: Option<Results<Attacks>>,
) -> (Result<Results<Attacks>>, Vec<Results<Attacks>>) {
    let kept = RefCell::new(Vec::new());
    let mut keep = |results: &Results<Attacks>, _: Stage| {
        kept.borrow_mut().push(results.clone());
        Ok(())
    };
    let selection = Selection { only: only.map(str::to_owned), ..Selection::default() };
    let outcome = attack(&selection, testbed, earlier, &mut keep, &Progress::silent());
    (outcome, kept.into_inner())
}

fn key(scenario: Scenario) -> Key {
    let algorithm = scenario.is_signed().then(|| "p-256".parse().unwrap());
    Key { program: "straight-2".to_owned(), scenario: scenario.into(), algorithm }
}

#[test]
fn a_run_measures_each_scenario_once() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    let (results, kept) = bench(&testbed, &all("straight-2"), None);
    let results = results.unwrap();
    assert_eq!(results.finished, MACHINES);
    assert_eq!((results.partial.as_ref(), testbed.booted.get()), (None, MACHINES.len()));
    assert_eq!(results.figures.loads.len(), Scenario::ALL.len());
    for scenario in Scenario::ALL {
        let load = results.figures.get(&key(*scenario)).unwrap();
        assert_eq!(load.errno, scenario.row().errno);
        // The middle of three.
        assert_eq!(load.prog_load_cost(), Some((1000 * (*scenario as u64 + 1) + 1) as f64), "{scenario:?}");
    }
    // First without a signature, wherever it was measured.
    let signed: Vec<bool> = results.figures.loads.iter().map(|load| load.key.algorithm.is_some()).collect();
    assert!(signed.is_sorted());
    // After each machine, and at the end.
    let partial: Vec<_> = kept.iter().map(|kept| kept.partial.as_ref().map(|it| it.missing.len())).collect();
    assert_eq!(partial, [Some(7), Some(6), Some(5), Some(4), Some(3), Some(2), Some(1), Some(0), None]);
    assert_eq!(kept.last(), Some(&results));
    assert_eq!(results.environment.kernels.len(), 2);
}

#[test]
fn what_was_measured_before_a_guest_dies_is_kept_and_the_rest_is_measured_later() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    let selection = selection("straight-2");
    let (whole, _) = bench(&testbed, &selection, None);

    testbed.booted.set(0);
    testbed.fault.set(Some((1, Fault::Death)));
    let (error, kept) = bench(&testbed, &selection, None);
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.starts_with("patched, signed: the guest died"), "{error}");
    let partial = kept.last().unwrap().clone();
    let why = partial.partial.as_ref().unwrap();
    assert_eq!(why.reason, error);
    assert_eq!(why.missing, MACHINES[1..]);
    assert_eq!(partial.figures.loads.len(), 1);

    testbed.booted.set(0);
    testbed.fault.set(None);
    let (resumed, _) = bench(&testbed, &selection, Some(partial));
    let (whole, resumed) = (whole.unwrap(), resumed.unwrap());
    assert_eq!((resumed.figures, resumed.finished), (whole.figures, whole.finished));
    assert_eq!((resumed.partial, testbed.booted.get()), (None, MACHINES.len() - 1));
}

#[test]
fn wrong_answers_end_a_run_and_are_not_among_its_results() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    testbed.fault.set(Some((1, Fault::WrongAnswer)));
    let (error, kept) = bench(&testbed, &selection("straight-2"), None);
    let error = format!("{:#}", error.unwrap_err());
    let answer = "straight-2 unknown-signer p-256: accepted instead of ENOKEY; the kernel's log: a reason";
    assert!(error.contains(answer), "{error}");
    let last = kept.last().unwrap();
    assert_eq!(last.finished, MACHINES[..1]);
    assert!(last.partial.as_ref().unwrap().reason.contains(answer));
    assert!(last.figures.get(&key(Scenario::Repeated)).is_none());
}

#[test]
fn an_outcome_with_a_gap_is_none() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    testbed.fault.set(Some((0, Fault::Omission)));
    let (error, kept) = bench(&testbed, &selection("straight-2"), None);
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("not measured everything") && error.contains("straight-2 unsigned"), "{error}");
    // There was nothing to keep.
    assert!(kept.is_empty());
}

#[test]
fn an_interrupt_stays_one_and_leaves_partial_results() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    testbed.fault.set(Some((1, Fault::Interrupt)));
    let (error, kept) = bench(&testbed, &selection("straight-2"), None);
    assert!(error.unwrap_err().is::<Interrupted>());
    assert_eq!(kept.last().unwrap().finished, MACHINES[..1]);
}

#[test]
fn the_patched_kernel_comes_first_and_is_told_of() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    let mut stages = Vec::new();
    let mut keep = |results: &Results<Loads>, stage: Stage| {
        stages.push((results.finished.len(), stage));
        Ok(())
    };
    let selection = selection("straight-2");
    measure(&selection, &testbed, None, &mut keep, &Progress::silent()).unwrap();
    use Stage::{End, Machine, Patched};
    let expected = [
        (1, Machine),
        (2, Machine),
        (3, Machine),
        (4, Patched),
        (5, Machine),
        (6, Machine),
        (7, Machine),
        (8, Machine),
        (8, End),
    ];
    assert_eq!(stages, expected);
}

#[test]
fn other_kernels_are_built_while_instructions_are_counted_and_not_while_time_is_taken() {
    let machines_before = |engine| {
        let testbed = FakeTestbed::new(engine);
        bench(&testbed, &selection("straight-2"), None).0.unwrap();
        testbed.built.get().first().unwrap().1
    };
    assert!(machines_before(Engine::Tcg) < 4);
    assert_eq!(machines_before(Engine::Kvm), 4);
}

#[test]
fn a_kernel_that_can_not_be_built_costs_no_figures_of_the_patched_one() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    testbed.build.set(Build::Broken);
    let (error, kept) = bench(&testbed, &selection("straight-2"), None);
    assert_eq!(format!("{:#}", error.unwrap_err()), "baseline: the compiler fails");
    assert_eq!(kept.last().unwrap().finished, MACHINES[..4]);
}

#[test]
fn a_run_that_has_failed_waits_for_no_build() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    testbed.build.set(Build::Endless);
    testbed.fault.set(Some((0, Fault::Death)));
    assert!(bench(&testbed, &selection("straight-2"), None).0.is_err());
    assert!(testbed.built.get().is_empty());
}

#[test]
fn only_what_belongs_together_is_resumed() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    // After a machine of another kernel.
    testbed.fault.set(Some((5, Fault::Death)));
    let (_, mut kept) = bench(&testbed, &selection("straight-2"), None);
    let partial = kept.pop().unwrap();
    testbed.fault.set(None);

    let refused = |testbed: &FakeTestbed, only: &str, change: &dyn Fn(&mut Results<Loads>)| {
        let mut earlier = partial.clone();
        change(&mut earlier);
        testbed.booted.set(0);
        let error = bench(testbed, &selection(only), Some(earlier)).0.unwrap_err();
        assert_eq!(testbed.booted.get(), 0);
        format!("{error:#}")
    };
    let same = "straight-2";
    assert!(refused(&testbed, "straight-64", &|_| ()).contains("another selection was measured"));
    let complete = |earlier: &mut Results<Loads>| earlier.partial = None;
    assert!(refused(&testbed, same, &complete).contains("nothing is missing"));
    let commit = |earlier: &mut Results<Loads>| earlier.environment.commit = Some("another".to_owned());
    assert!(refused(&testbed, same, &commit).contains("the commit of bpfsig is another one"));
    let config = |earlier: &mut Results<Loads>| earlier.environment.kernels[0].config_sha256.push('x');
    assert_eq!(
        refused(&testbed, same, &config),
        "the configuration of the patched kernel has changed since: measure anew"
    );
    let patches = |earlier: &mut Results<Loads>| earlier.environment.kernels[0].patches_sha256 = None;
    assert!(refused(&testbed, same, &patches).contains("the patches of the patched kernel"));
    testbed.patches.set("others".to_owned());
    assert!(
        refused(&testbed, same, &|_| ())
            .contains("the baseline kernel that was measured is not in the cache")
    );
}

#[test]
fn what_a_kernel_can_not_load_is_left_out() {
    let testbed = FakeTestbed::new(Engine::Uml);
    let (results, _) = bench(&testbed, &selection("tc_vlan_*"), None);
    let results = results.unwrap();
    assert_eq!(results.finished, MACHINES[..3]);
    // Neither the program nor the object that it is in.
    let loads = &results.figures.loads;
    assert!(!loads.is_empty() && loads.iter().all(|load| load.key.program == "tc_vlan_ingress"));
}

#[test]
fn scenarios_that_an_engine_has_not_are_told() {
    let testbed = FakeTestbed::new(Engine::Host);
    let scenarios = vec![Scenario::Mainline.into()];
    let (error, _) = bench(&testbed, &Selection { scenarios, ..all("straight-2") }, None);
    assert_eq!(error.unwrap_err().to_string(), "the engine host measures none of these scenarios");
}

#[test]
fn attacks_are_tried_under_each_policy() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    let (results, kept) = dos(&testbed, Some("*-small*"), None);
    let results = results.unwrap();
    assert_eq!((results.finished.len(), results.partial.as_ref(), kept.len()), (2, None, 3));
    assert_eq!(results.figures.names(), ["none", "unsigned-small"]);
    let answers = [Policy::Baseline, Policy::Optional, Policy::Required, Policy::Limited].map(|policy| {
        let result = results.figures.get("unsigned-small", policy).unwrap();
        (result.cost.unwrap().errno, result.victim_share_relative)
    });
    let refused = (libc::EKEYREJECTED, 1.0);
    assert_eq!(answers, [(0, 1.0), (0, 1.0), refused, refused]);
}

#[test]
fn attacks_are_resumed() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    let only = Some("unsigned-log");
    let (whole, _) = dos(&testbed, only, None);
    testbed.booted.set(0);
    for fault in [Fault::WrongAnswer, Fault::Death, Fault::Omission] {
        testbed.booted.set(0);
        testbed.fault.set(Some((1, fault)));
        let (error, mut kept) = dos(&testbed, only, None);
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.starts_with("baseline: "), "{error}");
        let partial = kept.pop().unwrap();
        assert_eq!(partial.partial.as_ref().unwrap().missing, ["baseline"]);
        testbed.fault.set(None);
        let (resumed, _) = dos(&testbed, only, Some(partial));
        assert_eq!(resumed.unwrap().figures, whole.as_ref().unwrap().figures);
    }
}

#[test]
fn every_attack_can_be_prepared() {
    let testbed = FakeTestbed::new(Engine::Tcg);
    let (results, _) = dos(&testbed, None, None);
    assert_eq!(results.unwrap().figures.names().last(), Some(&"mixture"));
}
