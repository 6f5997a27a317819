//! Running the programs that build a kernel.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::interrupt;
use crate::process_group::Group;

/// The interval at which a silent child process is checked.
const TICK: Duration = Duration::from_millis(100);

/// Last lines of the log that an error shows.
const LINES_SHOWN: usize = 15;

/// An event of a running program.
pub enum Event<'a> {
    /// It wrote a line to stdout.
    Line(&'a str),
    /// Some time has passed.
    Tick,
}

/// A program ended with something other than success.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` failed ({status})\n{tail}\nthe whole output: {log}")]
pub struct Failed {
    command: String,
    status: String,
    tail: String,
    log: String,
}

/// A file that everything the programs write goes to.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Starts a new log.
    pub fn create(path: &Path) -> Result<Self> {
        let context = || format!("cannot write {}", path.display());
        File::create(path).with_context(context)?;
        // Several processes write to it.
        let file = OpenOptions::new().append(true).open(path).with_context(context)?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn tail(&self) -> String {
        let text = fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<_> =
            text.lines().rev().take(LINES_SHOWN).map(|line| format!("  {line}")).collect();
        lines.reverse();
        lines.join("\n")
    }
}

/// Runs a program to its end, its output into the log.
///
/// Fails with [`Failed`] if the program does, and with [`interrupt::Interrupted`] if the user asks to stop; the program
/// and the processes it has started are gone then.
pub fn run(command: &mut Command, log: &Log, mut on_event: impl FnMut(Event<'_>)) -> Result<()> {
    let name = describe(command);
    command.stdout(Stdio::piped()).stderr(log.file.try_clone()?);
    let mut group = Group::spawn(command).with_context(|| format!("cannot run `{name}`"))?;
    let stdout = group.stdout().take().expect("it is piped");
    let mut file = log.file.try_clone()?;

    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n') {
            let mut line = line?;
            let text = String::from_utf8_lossy(&line).into_owned();
            line.push(b'\n');
            file.write_all(&line)?;
            // The receiver goes away only when the program is being ended.
            let _ = sender.send(text);
        }
        std::io::Result::Ok(())
    });
    loop {
        interrupt::check()?;
        match receiver.recv_timeout(TICK) {
            Ok(line) => on_event(Event::Line(&line)),
            Err(RecvTimeoutError::Timeout) => on_event(Event::Tick),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    reader
        .join()
        .expect("it does not panic")
        .with_context(|| format!("cannot write {}", log.path.display()))?;
    let status = group.wait()?;
    if !status.success() {
        let log_path = log.path.display().to_string();
        return Err(
            Failed { command: name, status: status.to_string(), tail: log.tail(), log: log_path }.into()
        );
    }
    Ok(())
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, Log) {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::create(&directory.path().join("log")).unwrap();
        (directory, log)
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_are_reported_and_logged() {
        let (_directory, log) = log();
        let mut lines = Vec::new();
        run(&mut sh("echo one; echo two >&2; echo three"), &log, |event| {
            if let Event::Line(line) = event {
                lines.push(line.to_owned());
            }
        })
        .unwrap();
        assert_eq!(lines, ["one", "three"]);
        let logged = fs::read_to_string(&log.path).unwrap();
        assert!(
            logged.contains("one\n") && logged.contains("two\n") && logged.contains("three\n"),
            "{logged}"
        );
    }

    #[test]
    fn a_failure_shows_the_end_of_the_output() {
        let (_directory, log) = log();
        let error = run(&mut sh("seq 100; exit 3"), &log, |_| {}).unwrap_err().to_string();
        assert!(error.contains("failed (exit status: 3)\n  86\n") && error.contains("\n  100\n"), "{error}");
        assert!(error.ends_with("/log"), "{error}");
    }
}
