//! The host's side: hands a job to a machine, and takes what comes of it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Job, PROGRESS};
use crate::engine::{self, Event, Machine};
use crate::progress::{Progress, Total};

/// In the shared directory.
const JOB: &str = "job";
const RESULT: &str = "result.json";
const PROGRAM: &str = "bpfsig";

/// Far more than a run takes: a guest that is still at it hangs.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Boots the machine, has the job carried out there and returns its outcome. The guest announces `items` items.
///
/// # Errors
/// The machine does not boot or dies, the guest fails or leaves no outcome, or the user interrupts.
pub fn hand_over<J: Job>(
    job: &J,
    machine: &dyn Machine,
    items: u64,
    progress: &Progress,
) -> Result<J::Outcome> {
    let share = machine.share();
    fs::write(share.join(JOB), postcard::to_stdvec(job)?).context("writing the job")?;
    // The guest may not see the directory that this program lies in: it mounts its own /run and /mnt.
    let program = std::env::current_exe().context("finding this program")?;
    fs::copy(&program, share.join(PROGRAM)).with_context(|| format!("copying {}", program.display()))?;
    let guest_path = |name: &str| engine::quote(machine.guest_share().join(name).as_os_str());
    let command =
        format!("{} guest {} {} {}", guest_path(PROGRAM)?, J::NAME, guest_path(JOB)?, guest_path(RESULT)?);
    engine::remove(&share.join(RESULT))?;

    let mut task = Some(progress.task("Boot", Total::Unknown));
    let mut messages = Vec::new();
    let code = machine.run(&command, Some(LIMIT), &mut |event| match event {
        Event::Console(_) => (),
        Event::Booted => {
            if let Some(boot) = task.take() {
                boot.done();
            }
            task = Some(progress.task(J::TASK, Total::Items(items)));
        }
        Event::Output(line) => match (line.strip_prefix(PROGRESS), &mut task) {
            (Some(item), Some(task)) => {
                task.note(item);
                task.advance();
            }
            _ => messages.push(line.to_owned()),
        },
    })?;
    if code != 0 {
        bail!("the guest failed with exit status {code}:\n{}", messages.join("\n"));
    }
    if let Some(task) = task {
        task.done();
    }
    let result = fs::read(share.join(RESULT)).context("the guest has left no result")?;
    serde_json::from_slice(&result).context("the guest's result is malformed")
}
