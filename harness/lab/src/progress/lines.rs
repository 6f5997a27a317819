//! A line a step, for a file or a pipe.

use std::time::Duration;

use indicatif::HumanDuration;

/// The text so far. A step's line is written in two parts, at its beginning and at its end.
#[derive(Default)]
pub struct Lines {
    /// The step whose line has not been ended.
    open: Option<u64>,
}

impl Lines {
    /// What to write when a step begins.
    pub fn begin(&mut self, step: u64, name: &str, expected: Option<Duration>) -> String {
        let before = self.leave();
        self.open = Some(step);
        let about = expected.map_or(String::new(), |time| format!(", about {}", HumanDuration(time)));
        format!("{before}{name}{about} … ")
    }

    /// What to write when a step has succeeded. The name is repeated only if something else has been written since.
    pub fn end(&mut self, step: u64, name: &str, elapsed: Duration) -> String {
        let elapsed = HumanDuration(elapsed);
        if self.open == Some(step) {
            self.open = None;
            return format!("{elapsed}\n");
        }
        self.line(&format!("{name}: {elapsed}"))
    }

    /// What to write when a step has not come to its end.
    pub fn abandon(&mut self, step: u64) -> &'static str {
        if self.open == Some(step) { self.leave() } else { "" }
    }

    /// What to write for a line of another kind.
    pub fn line(&mut self, text: &str) -> String {
        format!("{}{text}\n", self.leave())
    }

    /// What to write before something else is written.
    pub fn leave(&mut self) -> &'static str {
        if self.open.take().is_some() { "\n" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line() {
        let mut lines = Lines::default();
        let text = lines.begin(0, "Boot", Some(Duration::from_secs(5)))
            + &lines.end(0, "Boot", Duration::from_secs(7))
            + lines.abandon(0);
        assert_eq!(text, "Boot, about 5 seconds … 7 seconds\n");
    }

    #[test]
    fn steps_beside_each_other_keep_their_times() {
        let mut lines = Lines::default();
        let second = Duration::from_secs(1);
        let text = lines.begin(0, "Build", None)
            + &lines.begin(1, "Measure", None)
            + &lines.end(0, "Build", 9 * second)
            + &lines.end(1, "Measure", 8 * second)
            + &lines.begin(2, "Build", None)
            + &lines.line("The finding")
            + &lines.begin(3, "Measure", None)
            + lines.abandon(2)
            + lines.abandon(3);
        let expected =
            "Build … \nMeasure … \nBuild: 9 seconds\nMeasure: 8 seconds\nBuild … \nThe finding\nMeasure … \n";
        assert_eq!(text, expected);
    }
}
