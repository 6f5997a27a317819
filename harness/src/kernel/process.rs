//! Running the programs that build a kernel.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::interrupt;

/// How often a child process that says nothing is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long a child process may take to end once it has been asked to.
const GRACE: Duration = Duration::from_secs(3);

/// Last lines of the log that an error shows.
const LINES_SHOWN: usize = 15;

/// What a running program does.
pub enum Event<'a> {
    /// It wrote a line to stdout.
    Line(&'a str),
    /// Some time has passed.
    Tick,
}

/// A program ended with something else than success.
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
    // A process group of its own: Ctrl-C reaches only us, and we can end the whole group.
    let child = command
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(log.file.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot run `{name}`"))?;
    let mut group = Group(child);
    let stdout = group.0.stdout.take().expect("it is piped");
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
    let status = group.0.wait()?;
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

/// A child process and its descendants, which end with it.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.0.try_wait() {
            return;
        }
        let group = Pid::from_raw(self.0.id().cast_signed());
        // Fails only if the group is gone already.
        let _ = killpg(group, Signal::SIGTERM);
        let start = Instant::now();
        while start.elapsed() < GRACE {
            if let Ok(Some(_)) = self.0.try_wait() {
                break;
            }
            thread::sleep(TICK / 10);
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.0.wait();
    }
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

    #[test]
    fn dropping_a_group_ends_its_descendants() {
        let (directory, _log) = log();
        let pid_file = directory.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}.new; mv {0}.new {0}; wait", pid_file.display());
        let group = Group(sh(&script).process_group(0).spawn().unwrap());
        let pid: u32 = loop {
            if let Ok(text) = fs::read_to_string(&pid_file) {
                break text.trim().parse().unwrap();
            }
            thread::sleep(TICK / 10);
        };
        drop(group);
        // The signal is on its way, and an orphan that has ended stays a zombie until some init process looks.
        let ended = || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        let start = Instant::now();
        while !ended() {
            assert!(start.elapsed() < 10 * GRACE, "process {pid} goes on");
            thread::sleep(TICK / 10);
        }
    }
}
