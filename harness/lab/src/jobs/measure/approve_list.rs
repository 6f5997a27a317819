//! Loads where an approve-list is enforced.

use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use super::super::Job;
use super::guest;
use super::plan::{Outcome, Plan};
use crate::approve_list::{ApproveList, Disk, seal};
use crate::scenario::Loader;

/// Has a copy of this program carry out the plan: the copy alone is on the list.
///
/// # Errors
/// The list can't be enforced, or the copy fails.
pub(super) fn run_listed(plan: &Plan) -> Result<Outcome> {
    let disk = Disk::new()?;
    let program = disk.path().join("bpfsig");
    fs::copy(env::current_exe()?, &program).with_context(|| format!("copying to {}", program.display()))?;
    let _list = ApproveList::enforce(&[seal(&program)?])?;

    let directory = tempfile::tempdir().context("creating a temporary directory")?;
    let [job, result] = ["job", "result"].map(|name| directory.path().join(name));
    let plan = Plan { loader: Loader::Any, ..plan.clone() };
    fs::write(&job, postcard::to_stdvec(&plan)?).context("writing the job")?;
    let status = Command::new(&program).args(["guest", Plan::NAME]).args([&job, &result]).status();
    let status = status.with_context(|| format!("running {}", program.display()))?;
    ensure!(status.success(), "the listed program failed: {status}");
    serde_json::from_slice(&fs::read(&result)?).context("the listed program's result is malformed")
}

/// Carries out the plan while nothing is on the list.
///
/// # Errors
/// The list can't be enforced; as without a list.
pub(super) fn run_unlisted(plan: &Plan) -> Result<Outcome> {
    let _list = ApproveList::enforce(&[])?;
    guest::run(plan)
}
