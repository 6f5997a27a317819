//! What runs inside the virtual machine: it loads programs and measures each load.
//!
//! Host and guest run the same binary. The host writes a [`Plan`] into the shared directory, the guest carries it out
//! and leaves a [`Outcome`] there.

mod measure;
mod plan;
mod stats;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

pub use plan::{Load, Measured, Outcome, Plan, Sample, SignatureTimes, VerifierStats};

/// The prefix of the line that the guest prints when it is done with a load.
pub const PROGRESS: &str = "measured: ";

/// Carries out the plan in the file `plan` and writes the outcome to `result`.
///
/// The result appears whole or not at all.
///
/// # Errors
/// The plan can't be read, the machine can't be prepared, a load can't be attempted, or the result can't be written.
/// That the kernel refuses a program is no error.
pub fn run(plan: &Path, result: &Path) -> Result<()> {
    let bytes = fs::read(plan).with_context(|| format!("reading {}", plan.display()))?;
    let plan: Plan = postcard::from_bytes(&bytes).with_context(|| format!("parsing {}", plan.display()))?;
    let outcome = measure::run(&plan)?;

    let partial = result.with_extension("partial");
    let write = || -> Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(&serde_json::to_vec(&outcome)?)?;
        file.sync_all()?;
        fs::rename(&partial, result)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", result.display()))
}
