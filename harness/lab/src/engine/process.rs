//! Follows a process that is, or runs in, a machine.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use anyhow::{Context, Result};

use super::watch::{TICK, Watch};
use crate::process_group::Group;

/// Where a process writes a line to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

/// Runs a command until it ends or `watch` ends it; passes on each line that it writes.
pub(super) fn follow<'a>(
    command: &mut Command,
    watch: &mut Watch<'a>,
    mut take: impl FnMut(&mut Watch<'a>, Stream, &str),
) -> Result<()> {
    let mut group = Group::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
        .with_context(|| format!("cannot run {command:?}"))?;
    let (sender, lines) = mpsc::channel();
    send_lines(group.stdout().take(), Stream::Output, sender.clone());
    send_lines(group.stderr().take(), Stream::Error, sender);
    loop {
        let over = watch.is_over();
        if over {
            group.end();
        }
        match lines.recv_timeout(TICK) {
            Ok((stream, line)) => take(watch, stream, &line),
            Err(RecvTimeoutError::Timeout) if over => break,
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    group.wait().with_context(|| format!("waiting for {command:?}"))?;
    Ok(())
}

/// Sends what comes out of a pipe, line by line, from a thread that ends with the pipe.
fn send_lines(pipe: Option<impl Read + Send + 'static>, stream: Stream, lines: Sender<(Stream, String)>) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || -> io::Result<()> {
        for line in BufReader::new(pipe).split(b'\n') {
            // The receiver goes away only when nobody is interested any more.
            let _ = lines.send((stream, String::from_utf8_lossy(&line?).trim_end().to_owned()));
        }
        Ok(())
    });
}

/// A command that is killed when the thread that starts it ends.
pub(super) fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}
