//! The results of a run, kept as they come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::environment::identity;
use super::testbed::Testbed;
use crate::kernel::{Kernel, Variant};
use crate::results::{Environment, Figures, KernelIdentity, Partial, Results};

/// Keeps the results so far.
pub type Keep<'a, F> = dyn FnMut(&Results<F>, Stage) -> Result<()> + 'a;

/// The stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Another machine has finished.
    Machine,
    /// The last machine of the patched kernel has finished.
    Patched,
    /// The run has ended, well or not.
    End,
}

/// A machine of a run.
pub(super) struct Planned {
    pub name: String,
    pub is_patched: bool,
}

/// Results to which machine after machine adds.
pub(super) struct Record<'a, F> {
    pub results: Results<F>,
    /// All machines of the run, in order.
    machines: Vec<Planned>,
    keep: &'a mut Keep<'a, F>,
    started: Instant,
    /// How long earlier runs took that this one resumes.
    before: Duration,
}

impl<'a, F: Figures + Clone> Record<'a, F> {
    /// A record of a run that is to measure on these machines. It starts with the results of an `earlier` run of the same.
    ///
    /// # Errors
    /// The earlier run was asked for something else, or took place elsewhere.
    pub fn new(
        new: Results<F>,
        earlier: Option<Results<F>>,
        machines: Vec<Planned>,
        testbed: &dyn Testbed,
        keep: &'a mut Keep<'a, F>,
    ) -> Result<Record<'a, F>> {
        if let Some(earlier) = &earlier {
            ensure!(
                earlier.partial.is_some(),
                "nothing is missing in the results: there is nothing to resume"
            );
            ensure!(
                earlier.selection == new.selection,
                "another selection was measured: resume with the options of `bpfsig {}`",
                earlier.environment.command
            );
            same_place(&earlier.environment, &new.environment)?;
            for kernel in &earlier.environment.kernels {
                same_kernel(kernel, testbed)?;
            }
        }
        let before = earlier.as_ref().map_or(0, |earlier| earlier.environment.seconds);
        Ok(Record {
            results: earlier.unwrap_or(new),
            machines,
            keep,
            started: Instant::now(),
            before: Duration::from_secs(before),
        })
    }

    /// Whether there still is something to measure on this machine.
    pub fn wants(&self, machine: &str) -> bool {
        !self.results.finished.iter().any(|finished| finished == machine)
    }

    /// A machine has finished, and its results have been added: keeps them. `version` is what the kernel says of itself.
    ///
    /// # Errors
    /// They can't be kept.
    pub fn finish(&mut self, machine: &str, kernel: &Kernel, version: String) -> Result<()> {
        self.results.finished.push(machine.to_owned());
        let identity = identity(kernel, version);
        let kernels = &mut self.results.environment.kernels;
        if !kernels.contains(&identity) {
            kernels.push(identity);
        }
        let patched = || self.machines.iter().filter(|machine| machine.is_patched);
        let is_last = patched().any(|patched| patched.name == machine)
            && !patched().any(|machine| self.wants(&machine.name));
        let stage = if is_last { Stage::Patched } else { Stage::Machine };
        self.keep("it has not come to its end", stage)
    }

    /// The run has ended, well or not.
    ///
    /// # Errors
    /// The outcome's; the results can't be kept.
    pub fn end(mut self, outcome: Result<()>) -> Result<Results<F>> {
        match outcome {
            Ok(()) => {
                self.results.partial = None;
                self.results.environment.seconds = self.seconds();
                (self.keep)(&self.results, Stage::End)?;
                Ok(self.results)
            }
            // What was there before stays if nothing is new.
            Err(error) if self.results.figures.is_empty() => Err(error),
            Err(error) => {
                self.keep(&format!("{error:#}"), Stage::End)?;
                Err(error)
            }
        }
    }

    fn keep(&mut self, reason: &str, stage: Stage) -> Result<()> {
        let missing = self.machines.iter().filter(|machine| self.wants(&machine.name));
        let missing: Vec<String> = missing.map(|machine| machine.name.clone()).collect();
        self.results.partial = Some(Partial { reason: reason.to_owned(), missing });
        self.results.environment.seconds = self.seconds();
        (self.keep)(&self.results, stage)
    }

    fn seconds(&self) -> u64 {
        (self.before + self.started.elapsed()).as_secs()
    }
}

/// Fails if figures of the two can't be mixed.
fn same_place(earlier: &Environment, now: &Environment) -> Result<()> {
    let fields = [
        ("engine", Some(&earlier.engine), Some(&now.engine)),
        ("QEMU", earlier.qemu.as_ref(), now.qemu.as_ref()),
        ("processor", Some(&earlier.cpu), Some(&now.cpu)),
        ("commit of bpfsig", earlier.commit.as_ref(), now.commit.as_ref()),
    ];
    for (what, earlier, now) in fields {
        if earlier != now {
            let name = |value: Option<&String>| value.map_or("unknown".to_owned(), Clone::clone);
            bail!(
                "the {what} is another one than before ({}, now {}): measure anew",
                name(earlier),
                name(now)
            );
        }
    }
    Ok(())
}

/// Fails if the kernel that was measured is not the one that would be measured now.
fn same_kernel(earlier: &KernelIdentity, testbed: &dyn Testbed) -> Result<()> {
    let patched = testbed.patched();
    let cached;
    let kernel = if earlier.variant == patched.variant.to_string() {
        patched
    } else {
        let variant = <Variant as clap::ValueEnum>::from_str(&earlier.variant, false);
        cached = variant.map_or(Ok(None), |variant| testbed.cached(variant))?;
        match &cached {
            Some(kernel) => kernel,
            None => bail!(
                "the {} kernel that was measured is not in the cache any more, or its source, patches or configuration \
                 have changed: measure anew",
                earlier.variant
            ),
        }
    };
    for (what, is_same) in [
        ("configuration", kernel.config_sha256 == earlier.config_sha256),
        ("patches", kernel.patches_sha256 == earlier.patches_sha256),
    ] {
        ensure!(is_same, "the {what} of the {} kernel has changed since: measure anew", earlier.variant);
    }
    Ok(())
}
