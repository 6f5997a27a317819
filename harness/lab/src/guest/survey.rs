//! Finds out which programs a kernel can load at all.

use anyhow::{Context, Result};
use bpfsig_loading::raw::{LoadTarget, PreparedLoad};
use bpfsig_signing::program::Program;
use serde::{Deserialize, Serialize};

use super::kit::Kit;
use super::{Job, announce};

/// Room for the trace of a program that is refused.
const TRACE: usize = 16 << 20;

/// Programs to try.
#[derive(Debug, Serialize, Deserialize)]
pub struct Survey {
    /// The programs.
    pub programs: Vec<Program>,
}

impl Job for Survey {
    const NAME: &'static str = "survey";

    const TASK: &'static str = "Survey";

    /// For each program: why it can't be loaded, if it can't.
    type Outcome = Vec<Option<String>>;

    /// Loads each program once, unsigned.
    fn carry_out(&self) -> Result<Vec<Option<String>>> {
        let obstacle = |program: &Program| {
            let obstacle = load(program).err().map(|error| format!("{error:#}"));
            announce(&program.name);
            obstacle
        };
        Ok(self.programs.iter().map(obstacle).collect())
    }
}

fn load(program: &Program) -> Result<()> {
    let target = LoadTarget::of(program, None)?;
    let kit = Kit::new(&[program])?;
    let mut load = PreparedLoad::new(program, kit.context(program, &target))?;
    match load.load().0 {
        Ok(_) => Ok(()),
        // The policy refuses what is unsigned before it looks at it.
        Err(error) if error.raw_os_error() == Some(libc::EKEYREJECTED) => Ok(()),
        Err(error) => {
            // Only a trace has the reason in it.
            load.trace(TRACE);
            let _ = load.load();
            let log = load.log();
            let reason = super::reason(&log).unwrap_or("refused before it is verified");
            Err(error).context(reason.to_owned())
        }
    }
}
