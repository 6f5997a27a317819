//! Hands a job to a machine, and takes its outcome.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Job, PROGRESS};
use crate::engine::{self, Event, Machine};
use crate::progress::{Progress, Total};

/// In the shared directory.
const JOB: &str = "job";
const RESULT: &str = "result.json";

/// Far more than a job takes: a guest that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Boots the machine, has the job carried out there and returns its outcome. `machine_name` names the machine where
/// progress is shown.
///
/// # Errors
/// The machine does not boot or dies, the guest fails or leaves no outcome, or the user interrupts.
pub fn hand_over<J: Job>(
    job: &J,
    machine: &dyn Machine,
    machine_name: &str,
    progress: &Progress,
) -> Result<J::Outcome> {
    let share = machine.share();
    fs::write(share.join(JOB), postcard::to_stdvec(job)?).context("writing the job")?;
    let program = machine.install(&std::env::current_exe().context("finding this program")?)?;
    let word = |path: &std::path::Path| engine::quote(path.as_os_str());
    let in_guest = |name: &str| word(&machine.guest_share().join(name));
    let command = format!("{} guest {} {} {}", word(&program)?, J::NAME, in_guest(JOB)?, in_guest(RESULT)?);
    engine::remove(&share.join(RESULT))?;

    let mut task = progress.task(&J::step(machine_name), Total::Items(job.items() as u64));
    task.note("booting");
    let mut messages = Vec::new();
    let code = machine.run(&command, Some(LIMIT), &mut |event| match event {
        Event::Console(_) => (),
        Event::Booted => task.note(""),
        Event::Output(line) => match line.strip_prefix(PROGRESS) {
            Some(item) => {
                task.note(item);
                task.advance();
            }
            None => messages.push(line.to_owned()),
        },
    })?;
    if code != 0 {
        bail!("the guest failed with exit status {code}:\n{}", messages.join("\n"));
    }
    let result = fs::read(share.join(RESULT)).context("the guest has left no result")?;
    let outcome = serde_json::from_slice(&result).context("the guest's result is malformed")?;
    task.done();
    Ok(outcome)
}
