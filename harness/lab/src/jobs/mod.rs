//! Jobs for machines.
//!
//! Host and guest run the same binary. The host writes a [`Job`] into the shared directory, the guest carries it out and
//! leaves the outcome there.
//!
//! ```text
//! measure   programs × scenarios, signed   ──machine──> samples and verdicts of each load
//! attack    attacks × policies, signed     ──machine──> cost of an attempt, what victims had left
//! export    programs                       ──machine──> facts that the verifier learned
//! probe     programs                       ──machine──> why they can't be loaded, if they can't
//! ```

pub mod attack;
pub mod export;
mod guest;
mod hand_over;
pub mod measure;
pub mod message;
pub mod probe;
mod signers;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use hand_over::hand_over;
pub use signers::{Signers, policy_signer};

/// The prefix of the line that the guest prints when it is done with an item.
const PROGRESS: &str = "done: ";

/// A job for a guest.
pub trait Job: Serialize + DeserializeOwned {
    /// Its name on the command line of `bpfsig guest`.
    const NAME: &'static str;

    /// What it does, where progress is shown.
    const ACTIVITY: &'static str;

    /// What comes back.
    type Outcome: Serialize + DeserializeOwned;

    /// The step, on a machine, where progress is shown.
    fn step(machine: &str) -> String {
        format!("{} ({machine})", Self::ACTIVITY)
    }

    /// How many items the guest announces.
    fn items(&self) -> usize;

    /// Carries it out, in the guest.
    ///
    /// # Errors
    /// The machine can't be prepared, or something can't be attempted. That the kernel refuses a program is not an error.
    fn carry_out(&self) -> Result<Self::Outcome>;
}

/// Says that an item is done, for the host to show.
fn announce(item: &str) {
    println!("{PROGRESS}{item}");
}

/// Carries out the job in the file `job` and writes its outcome to `result`, in the guest.
///
/// The result appears whole or not at all.
///
/// # Errors
/// The job can't be read or carried out, or the result can't be written.
pub fn run<J: Job>(job: &Path, result: &Path) -> Result<()> {
    let bytes = fs::read(job).with_context(|| format!("reading {}", job.display()))?;
    let job: J = postcard::from_bytes(&bytes).with_context(|| format!("parsing {}", job.display()))?;
    let outcome = job.carry_out()?;

    let unfinished = result.with_extension("unfinished");
    let write = || -> Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(&outcome)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, result)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", result.display()))
}
