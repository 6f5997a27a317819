//! Finds out which programs a kernel can load at all.

mod guest;

use anyhow::Result;
use bpfsig_signing::program::Program;
use serde::{Deserialize, Serialize};

use super::{Job, announce};

/// Programs to try.
#[derive(Debug, Serialize, Deserialize)]
pub struct Probe {
    /// The programs.
    pub programs: Vec<Program>,
}

/// The outcome for one program.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The name of the program.
    pub program: String,
    /// Why it can't be loaded; none: it can.
    pub obstacle: Option<String>,
}

impl Job for Probe {
    const NAME: &'static str = "probe";

    const ACTIVITY: &'static str = "Find out what can be loaded";

    type Outcome = Vec<Probed>;

    fn items(&self) -> usize {
        self.programs.len()
    }

    /// Loads each program once, unsigned.
    fn carry_out(&self) -> Result<Vec<Probed>> {
        let probe = |program: &Program| {
            let obstacle = guest::load(program).err().map(|error| format!("{error:#}"));
            announce(&program.name);
            Probed { program: program.name.clone(), obstacle }
        };
        Ok(self.programs.iter().map(probe).collect())
    }
}
