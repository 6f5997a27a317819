//! Progress of long work, on stderr: bars on a terminal, and a line for each finished step. Elsewhere a line a step.
//!
//! Each step shows its time, and the time of the last run on this machine.

mod history;
mod lines;

use std::fmt;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use history::History;
use lines::Lines;

/// A shorter step leaves no line on a terminal, and needs no estimate.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// Shows tasks on stderr. Several threads can share it.
pub struct Progress {
    bars: MultiProgress,
    shows: Shows,
    /// Without a terminal.
    lines: Mutex<Lines>,
    history: Mutex<History>,
    /// Tasks so far.
    tasks: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Bars,
    Lines,
    Nothing,
}

/// The amount of work in a task.
#[derive(Clone, Copy)]
pub enum Total {
    /// Nobody knows.
    Unknown,
    /// So many bytes.
    Bytes(u64),
    /// So many items.
    Items(u64),
    /// About so many items: shown with `~`, and passing it is not an error.
    AboutItems(u64),
}

impl Progress {
    /// Bars if stderr is a terminal, plain lines otherwise.
    pub fn on_stderr() -> Self {
        let shows = if std::io::stderr().is_terminal() { Shows::Bars } else { Shows::Lines };
        Self::new(MultiProgress::new(), shows, History::open())
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        let hidden = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self::new(hidden, Shows::Nothing, History::default())
    }

    fn new(bars: MultiProgress, shows: Shows, history: History) -> Self {
        let (lines, history) = (Mutex::default(), Mutex::new(history));
        Self { bars, shows, lines, history, tasks: AtomicU64::new(0) }
    }

    /// Shows a line that stays, above the bars.
    pub fn line(&self, text: &str) {
        match self.shows {
            Shows::Nothing => {}
            Shows::Lines => eprint!("{}", self.lines().line(text)),
            // MultiProgress::println() shows nothing where stderr is not a terminal.
            Shows::Bars => self.bars.suspend(|| eprintln!("{text}")),
        }
    }

    /// Prints results on stdout, above the bars.
    pub fn print(&self, results: &str) {
        if self.shows == Shows::Lines {
            eprint!("{}", self.lines().leave());
        }
        self.bars.suspend(|| println!("{results}"));
    }

    /// The time of a task, going by the last one with this name on this machine.
    pub fn expected(&self, name: &str, total: Total) -> Option<Duration> {
        self.history.lock().expect("nobody panics with it").get(name, total.items())
    }

    /// Starts a task. It ends, successfully, with [`Task::done`]; the bar of a task that is dropped before just disappears.
    pub fn task(&self, name: &str, total: Total) -> Task<'_> {
        let expected = self.expected(name, total);
        let (length, counter) = match total {
            Total::Unknown => (None, ""),
            Total::Bytes(n) => (Some(n), "{wide_bar} {bytes}/{total_bytes}"),
            Total::Items(n) => (Some(n), "{wide_bar} {pos}/{len}"),
            Total::AboutItems(n) => (Some(n), "{wide_bar} {pos}/~{len}"),
        };
        // A name is not a template.
        let template = format!("{{spinner}} {{prefix}} {{elapsed}}{{expected}} {counter} {{msg}}");
        let style = ProgressStyle::with_template(&template).expect("the template is fixed");
        let style = style.with_key("expected", move |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Without a history it follows from the speed, once there is one.
            let by_speed = (state.pos() > 0 && state.len().is_some()).then(|| state.duration());
            if let Some(expected) = expected.or(by_speed) {
                // A display that can't be written to shows nothing.
                let _ = write!(out, " of about {}", HumanDuration(expected));
            }
        });
        let bar = self.bars.add(ProgressBar::no_length().with_style(style).with_prefix(name.to_owned()));
        if let Some(length) = length {
            bar.set_length(length);
        }
        let id = self.tasks.fetch_add(1, Ordering::Relaxed);
        match self.shows {
            Shows::Bars => bar.enable_steady_tick(Duration::from_millis(100)),
            Shows::Lines => eprint!("{}", self.lines().begin(id, name, expected)),
            Shows::Nothing => {}
        }
        Task { progress: self, id, name: name.into(), items: total.items(), bar, started: Instant::now() }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.lines.lock().expect("nobody panics with it")
    }
}

impl Total {
    /// The items by which times are kept.
    fn items(self) -> u64 {
        match self {
            // A guess is not counted.
            Total::Unknown | Total::AboutItems(_) => 1,
            Total::Bytes(n) | Total::Items(n) => n,
        }
    }
}

/// Something that takes a while.
pub struct Task<'a> {
    progress: &'a Progress,
    id: u64,
    name: String,
    items: u64,
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

    /// The item that is being done.
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
        let (progress, elapsed) = (self.progress, self.started.elapsed());
        match progress.shows {
            Shows::Lines => eprint!("{}", progress.lines().end(self.id, &self.name, elapsed)),
            Shows::Bars if elapsed >= NOTICEABLE => {
                progress.line(&format!("{}: {}", self.name, HumanDuration(elapsed)));
            }
            Shows::Bars | Shows::Nothing => {}
        }
        if elapsed >= NOTICEABLE {
            progress.history.lock().expect("nobody panics with it").put(&self.name, self.items, elapsed);
        }
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        eprint!("{}", self.progress.lines().abandon(self.id));
    }
}
