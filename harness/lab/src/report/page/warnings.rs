//! Warnings for the reader.

use super::super::collection::{Collection, Named};
use crate::analysis::{self, Run};
use crate::results::{DIRTY, Environment, KernelIdentity, Load, Summary};

/// A figure whose samples deviate by more than this part of their median is noisy.
const NOISY: f64 = 0.02;

/// A figure with fewer samples than this says little about its spread.
const FEW: usize = 5;

/// All that applies to these results.
pub(super) fn warnings(results: &Collection) -> Vec<String> {
    let of_runs = results.runs.iter().flat_map(|run| [noise(run), samples(run), scenarios(run)]);
    let mut warnings: Vec<String> = of_runs.flatten().collect();
    let environments: Vec<&Environment> =
        results.environments().map(|(_, environment)| environment).collect();
    warnings.extend(
        [sources(&environments), commits(&environments), kernels(&environments)].into_iter().flatten(),
    );
    for (file, environment) in results.environments() {
        if environment.command.contains("--quick") {
            warnings.push(format!("{} is of a quick run, of fewer programs.", file.display()));
        }
    }
    if results.runs.is_empty() {
        warnings.push("no costs of loads are among these results (`bench`).".to_owned());
    }
    if results.attacks.is_empty() {
        warnings.push("no attacks are among these results (`bench --dos`).".to_owned());
    }
    warnings
}

fn summaries(run: &Run) -> impl Iterator<Item = (&Load, &Summary)> {
    run.loads().iter().filter_map(|load| Some((load, load.prog_load.as_ref()?)))
}

fn noise(run: &Named<Run>) -> Option<String> {
    let noisy = || summaries(&run.result).filter(|(_, summary)| summary.relative_mad() > NOISY);
    let (load, worst) = noisy().max_by(|(_, a), (_, b)| a.relative_mad().total_cmp(&b.relative_mad()))?;
    Some(format!(
        "{}: samples deviate by more than {:.0} % (median) in {} of {} figures, by {:.0} % in the worst ({}, `{}`).",
        run.file.display(),
        100.0 * NOISY,
        noisy().count(),
        summaries(&run.result).count(),
        100.0 * worst.relative_mad(),
        load.key.program,
        load.key.scenario.as_str(),
    ))
}

fn samples(run: &Named<Run>) -> Option<String> {
    let few = || summaries(&run.result).filter(|(_, summary)| summary.samples.len() < FEW);
    let least = few().map(|(_, summary)| summary.samples.len()).min()?;
    // Only costly loads are sampled that seldom.
    let cheapest = few().map(|(_, summary)| summary.median).min_by(f64::total_cmp)?;
    let unit = run.result.unit();
    Some(format!(
        "{}: {} of {} figures rest on fewer than {FEW} samples, at least {least}: those of loads that take {} or more.",
        run.file.display(),
        few().count(),
        summaries(&run.result).count(),
        unit.short(cheapest),
    ))
}

fn scenarios(run: &Named<Run>) -> Option<String> {
    let missing: Vec<String> =
        analysis::missing(&run.result).into_iter().map(|scenario| format!("`{}`", scenario.name())).collect();
    (!missing.is_empty())
        .then(|| format!("{}: not measured in this run: {}.", run.file.display(), missing.join(", ")))
}

fn sources(environments: &[&Environment]) -> Option<String> {
    let is_dirty =
        |environment: &&&Environment| environment.commit.as_ref().is_none_or(|commit| commit.contains(DIRTY));
    let dirty = environments.iter().filter(is_dirty).count();
    (dirty > 0).then(|| {
        format!("{dirty} of {} files were made from sources that are not committed.", environments.len())
    })
}

fn commits(environments: &[&Environment]) -> Option<String> {
    let mut commits: Vec<&str> =
        environments.iter().filter_map(|environment| environment.commit.as_deref()).collect();
    commits.sort_unstable();
    commits.dedup();
    (commits.len() > 1).then(|| format!("the files come from {} commits.", commits.len()))
}

/// Kernels of the same release, with patches or without, that are not the same.
fn kernels(environments: &[&Environment]) -> Option<String> {
    let same_kind = |a: &KernelIdentity, b: &KernelIdentity| {
        let release =
            |kernel: &KernelIdentity| kernel.version.split(' ').next().unwrap_or_default().to_owned();
        release(a) == release(b) && a.patches_sha256.is_some() == b.patches_sha256.is_some()
    };
    let differ = |a: &Environment, b: &Environment| {
        let mut pairs =
            a.kernels.iter().flat_map(|first| b.kernels.iter().map(move |second| (first, second)));
        pairs.any(|(first, second)| {
            same_kind(first, second)
                && (&first.config_sha256, &first.patches_sha256)
                    != (&second.config_sha256, &second.patches_sha256)
        })
    };
    let mixed = environments.iter().enumerate().any(|(index, a)| {
        // Each engine has kernels of its own.
        environments[..index].iter().any(|b| a.engine == b.engine && differ(a, b))
    });
    mixed.then(|| "the files come from kernels with other patches or another configuration.".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::analysis::fixture::{self, load};
    use crate::results::{AnyResults, Loads, Results};

    fn collection(results: Results<Loads>) -> Collection {
        Collection::of(Path::new("a.json"), AnyResults::Loads(results))
    }

    fn two(change: impl FnOnce(&mut Environment)) -> Collection {
        let mut first = fixture::results("tcg", vec![load("one", "signed", 5)]);
        first.environment.kernels = vec![KernelIdentity {
            variant: "patched".to_owned(),
            version: "6.12.1 #1".to_owned(),
            config_sha256: "c".to_owned(),
            patches_sha256: Some("p".to_owned()),
        }];
        let mut second = first.clone();
        change(&mut second.environment);
        let (mut both, second) = (collection(first), collection(second));
        both.runs.extend(second.runs);
        both
    }

    fn said(results: &Collection, what: &str) -> bool {
        warnings(results).iter().any(|warning| warning.contains(what))
    }

    #[test]
    fn noise_and_few_samples_are_told() {
        let sampled = |program, samples: &[u64]| {
            let mut load = load(program, "signed", 100);
            load.prog_load = Summary::of(samples.to_vec());
            load
        };
        let (noisy, calm) = (sampled("one", &[90, 100, 110]), sampled("two", &[99, 100, 100, 100, 101]));
        let results = collection(fixture::results("tcg", vec![noisy, calm]));
        let noise = "in 1 of 2 figures, by 10 % in the worst (one, `signed`)";
        assert!(said(&results, noise), "{:?}", warnings(&results));
        assert!(said(
            &results,
            "1 of 2 figures rest on fewer than 5 samples, at least 3: those of loads that take 100 or more"
        ));
        assert!(said(&results, "not measured in this run: `baseline`"));
        assert!(said(&results, "`bench --dos`") && !said(&results, "not committed"));
    }

    #[test]
    fn what_does_not_belong_together_is_told() {
        assert!(!said(&two(|_| {}), "commit") && !said(&two(|_| {}), "kernels"));
        let commit = |commit: &'static str| two(move |at| at.commit = Some(commit.to_owned()));
        assert!(said(&commit("other"), "2 commits"));
        assert!(said(&commit("other-dirty"), "1 of 2 files were made from sources"));
        let other = |at: &mut Environment| at.kernels[0].config_sha256 = "other".to_owned();
        assert!(said(&two(other), "kernels with other patches"));
        let elsewhere = |at: &mut Environment| {
            other(at);
            at.engine = "uml".to_owned();
        };
        assert!(!said(&two(elsewhere), "kernels with other patches"));
    }
}
