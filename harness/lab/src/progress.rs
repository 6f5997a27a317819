//! What long work shows on stderr: bars on a terminal; elsewhere a line a step, with the time that it took.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows tasks on stderr.
pub struct Progress {
    bars: MultiProgress,
    shows: Shows,
    /// Whether a line begins with the name of a task that goes on.
    line_is_open: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Bars,
    Lines,
    Nothing,
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
        let shows = if std::io::stderr().is_terminal() { Shows::Bars } else { Shows::Lines };
        Self { bars: MultiProgress::new(), shows, line_is_open: Cell::new(false) }
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self { bars, shows: Shows::Nothing, line_is_open: Cell::new(false) }
    }

    /// Shows a line that stays, above the bars.
    pub fn line(&self, text: &str) {
        if self.shows == Shows::Nothing {
            return;
        }
        if self.line_is_open.take() {
            eprintln!();
        }
        // MultiProgress::println() shows nothing where stderr is no terminal.
        self.bars.suspend(|| eprintln!("{text}"));
    }

    /// Starts a task. It ends, successfully, with [`Task::done`]; the bar of a task that is dropped before just disappears.
    pub fn task(&self, name: &str, total: Total) -> Task<'_> {
        let (length, counter) = match total {
            Total::Unknown => (None, ""),
            Total::Bytes(n) => (Some(n), "{wide_bar} {bytes}/{total_bytes}"),
            Total::Items(n) => (Some(n), "{wide_bar} {pos}/{len}"),
            Total::AboutItems(n) => (Some(n), "{wide_bar} {pos}/~{len}"),
        };
        // A name is no template.
        let template = format!("{{spinner}} {{prefix}} {{elapsed}} {counter} {{msg}}");
        let style = ProgressStyle::with_template(&template).expect("the template is fixed");
        let bar = self.bars.add(ProgressBar::no_length().with_style(style).with_prefix(name.to_owned()));
        if let Some(length) = length {
            bar.set_length(length);
        }
        match self.shows {
            Shows::Bars => bar.enable_steady_tick(Duration::from_millis(100)),
            Shows::Lines => {
                if self.line_is_open.replace(true) {
                    eprintln!();
                }
                eprint!("{name} … ");
            }
            Shows::Nothing => {}
        }
        Task { progress: self, name: name.into(), bar, started: Instant::now() }
    }
}

/// Something that takes a while.
pub struct Task<'a> {
    progress: &'a Progress,
    name: String,
    bar: ProgressBar,
    started: Instant,
}

impl Task<'_> {
    /// So much has been done altogether.
    pub fn at(&mut self, position: u64) {
        self.bar.set_position(position);
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
        let elapsed = HumanDuration(self.started.elapsed());
        match self.progress.line_is_open.take() {
            true => eprintln!("{elapsed}"),
            false => self.progress.line(&format!("{}: {elapsed}", self.name)),
        }
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if self.progress.line_is_open.take() {
            eprintln!();
        }
    }
}
