//! Child processes that don't outlive their user.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The interval at which a process that has been asked to end is checked.
const TICK: Duration = Duration::from_millis(10);

/// How long a child process may take to end once it has been asked to.
const GRACE: Duration = Duration::from_secs(3);

/// A child process and its descendants, which end with it.
pub struct Group(Child);

impl Group {
    /// Starts a program in a process group of its own: Ctrl-C reaches only us, and we can end the whole group.
    ///
    /// # Errors
    /// The program can't be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.process_group(0).spawn().map(Self)
    }

    /// What the child writes, if it is piped.
    pub fn stdout(&mut self) -> &mut Option<ChildStdout> {
        &mut self.0.stdout
    }

    /// What the child writes to standard error, if it is piped.
    pub fn stderr(&mut self) -> &mut Option<ChildStderr> {
        &mut self.0.stderr
    }

    /// Waits until the child has ended.
    ///
    /// # Errors
    /// It can't be waited for.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// Ends the child, which is asked to first, and its descendants.
    pub fn end(&mut self) {
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
            thread::sleep(TICK);
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn dropping_a_group_ends_its_descendants() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}.new; mv {0}.new {0}; wait", pid_file.display());
        let group = Group::spawn(Command::new("sh").args(["-c", &script])).unwrap();
        let pid: u32 = loop {
            if let Ok(text) = fs::read_to_string(&pid_file) {
                break text.trim().parse().unwrap();
            }
            thread::sleep(TICK);
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
            thread::sleep(TICK);
        }
    }
}
