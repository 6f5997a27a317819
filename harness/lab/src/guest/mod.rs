//! What runs inside the machine.
//!
//! Host and guest run the same binary. The host writes a [`Job`] into the shared directory, the guest carries it out
//! and leaves the outcome there.

mod attempt;
pub mod dos;
mod export;
mod host;
mod init;
mod kit;
mod listed;
mod measure;
mod plan;
mod priority;
mod settings;
mod stats;
mod survey;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use export::{Export, Exported, Learned, Modules};
pub use host::hand_over;
pub use init::init;
pub use plan::{
    AttestedFacts, Form, Listing, Load, Measured, Outcome, Plan, Sample, SignatureTimes, VerifierStats,
};
pub use settings::Settings;
pub use stats::reason;
pub use survey::Survey;

/// The prefix of the line that the guest prints when it is done with an item.
const PROGRESS: &str = "measured: ";

/// What the guest can be told to do.
pub trait Job: Serialize + DeserializeOwned {
    /// What it is called on the command line of `bpfsig guest`.
    const NAME: &'static str;

    /// What to call it where progress is shown.
    const TASK: &'static str = "Measure";

    /// What comes of it.
    type Outcome: Serialize + DeserializeOwned;

    /// Carries it out, in the guest.
    ///
    /// # Errors
    /// The machine can't be prepared, or something can't be attempted. That the kernel refuses a program is no error.
    fn carry_out(&self) -> Result<Self::Outcome>;
}

impl Job for Plan {
    const NAME: &'static str = "loads";

    type Outcome = Outcome;

    fn carry_out(&self) -> Result<Outcome> {
        match self.listing {
            Listing::NoList => measure::run(self),
            Listing::Listed => listed::run_listed(self),
            Listing::Unlisted => listed::run_unlisted(self),
        }
    }
}

/// Says that an item is done, for the host to show.
fn announce(item: &str) {
    println!("{PROGRESS}{item}");
}

/// Carries out the job in the file `job` and writes its outcome to `result`.
///
/// The result appears whole or not at all.
///
/// # Errors
/// The job can't be read or carried out, or the result can't be written.
pub fn run<J: Job>(job: &Path, result: &Path) -> Result<()> {
    let bytes = fs::read(job).with_context(|| format!("reading {}", job.display()))?;
    let job: J = postcard::from_bytes(&bytes).with_context(|| format!("parsing {}", job.display()))?;
    let outcome = job.carry_out()?;

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
