//! What long work shows on stderr: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

/// Shows tasks on stderr.
pub struct Progress {
    bars: MultiProgress,
    interactive: bool,
}

/// How much there is to do.
#[derive(Clone, Copy)]
pub enum Total {
    /// Nobody knows.
    Unknown,
    /// So many bytes.
    Bytes(u64),
    /// So many items.
    Items(u64),
    /// About so many items: shown with `~`, and passing it is no error.
    AboutItems(u64),
}

impl Progress {
    /// Bars if stderr is a terminal, plain lines otherwise.
    pub fn on_stderr() -> Self {
        Self { bars: MultiProgress::new(), interactive: std::io::stderr().is_terminal() }
    }

    /// Shows a line that stays, above the bars.
    pub fn line(&self, text: &str) {
        // MultiProgress::println() shows nothing where stderr is no terminal.
        self.bars.suspend(|| eprintln!("{text}"));
    }

    /// Starts a task. It ends, successfully, with [`Task::done`]; a task that is dropped before just disappears.
    pub fn task(&self, name: &str, total: Total) -> Task<'_> {
        let (length, counter) = match total {
            Total::Unknown => (None, "{elapsed}"),
            Total::Bytes(n) => (Some(n), "{wide_bar} {bytes}/{total_bytes}"),
            Total::Items(n) => (Some(n), "{wide_bar} {pos}/{len}"),
            Total::AboutItems(n) => (Some(n), "{wide_bar} {pos}/~{len}"),
        };
        let style = ProgressStyle::with_template(&format!("{{spinner}} {name} {counter} {{msg}}"))
            .expect("the template is fixed but for the name");
        let bar = self.bars.add(ProgressBar::no_length().with_style(style));
        if let Some(length) = length {
            bar.set_length(length);
        }
        if self.interactive {
            bar.enable_steady_tick(Duration::from_millis(100));
        } else {
            eprintln!("{name} …");
        }
        Task { progress: self, name: name.into(), bar, tenths_shown: 0 }
    }
}

/// Something that takes a while.
pub struct Task<'a> {
    progress: &'a Progress,
    name: String,
    bar: ProgressBar,
    tenths_shown: u64,
}

impl Task<'_> {
    /// So much has been done altogether.
    pub fn at(&mut self, position: u64) {
        self.bar.set_position(position);
        let Some(length) = self.bar.length().filter(|n| *n > 0 && !self.progress.interactive) else { return };
        let tenths = (position * 10 / length).min(10);
        if tenths > self.tenths_shown {
            self.tenths_shown = tenths;
            eprintln!("{}: {} %", self.name, tenths * 10);
        }
    }

    /// One more item has been done.
    pub fn advance(&mut self) {
        self.at(self.bar.position() + 1);
    }

    /// What is being done at the moment.
    pub fn note(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Items done so far.
    pub fn position(&self) -> u64 {
        self.bar.position()
    }

    /// The task has succeeded: its time stays on the screen.
    pub fn done(self) {
        self.bar.finish_and_clear();
        self.progress.line(&format!("{}: {}", self.name, HumanDuration(self.bar.elapsed())));
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
