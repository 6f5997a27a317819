//! What all machines have in common.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// A machine that runs a command as root, over this machine's root file system.
pub trait Machine {
    /// A directory for files that host and guest exchange.
    fn share(&self) -> &Path;

    /// Where the guest has it.
    fn guest_share(&self) -> &Path;

    /// Puts a copy of a program into the share, where the guest can run it: guests mount file systems of their own over
    /// some directories. Returns where the guest finds it.
    ///
    /// # Errors
    /// It can't be copied.
    fn install(&self, program: &Path) -> Result<PathBuf> {
        let name = program.file_name().with_context(|| format!("{} is not a program", program.display()))?;
        fs::copy(program, self.share().join(name))
            .with_context(|| format!("copying {}", program.display()))?;
        Ok(self.guest_share().join(name))
    }

    /// Boots, runs the shell command `command` in the guest's view of the current directory, powers off.
    ///
    /// Returns the command's exit status: 128 + n if signal n killed it, as shells report it.
    /// The command may take `limit` of real time, or as long as it likes.
    ///
    /// # Errors
    /// * the user interrupted;
    /// * the kernel panics, hangs or does not take commands in time, the guest dies before the command has ended, or
    ///   the command takes too long: the message ends with the console's last lines;
    /// * the kernel reported a fault of its own, whatever the command made of it.
    fn run(&self, command: &str, limit: Option<Duration>, on_event: &mut dyn FnMut(Event<'_>))
    -> Result<i32>;
}

/// What happens in a running machine.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The kernel wrote a line to its console.
    Console(&'a str),
    /// The kernel is up; the command starts.
    Booted,
    /// The command wrote a line (standard output and standard error alike).
    Output(&'a str),
}

/// What the command's exit status is written to, in the share.
pub(super) const STATUS: &str = "status";

/// A directory for the files of one machine, removed with this value, and the share in it.
pub(super) fn directory() -> Result<(TempDir, PathBuf)> {
    let directory =
        tempfile::Builder::new().prefix("bpfsig-vm-").tempdir().context("creating a temporary directory")?;
    let share = directory.path().join("share");
    fs::create_dir(&share).with_context(|| format!("creating {}", share.display()))?;
    Ok((directory, share))
}

/// A shell script that runs `command` in the current directory and leaves its exit status in the share, where there
/// is none before.
pub(super) fn script(command: &str, share: &Path, guest_share: &Path) -> Result<String> {
    remove(&share.join(STATUS))?;
    let directory = env::current_dir().context("current directory")?;
    let status = guest_share.join(STATUS);
    Ok(format!(
        "cd {directory} && ( {command} )\n\
         echo $? >{status}.new && mv {status}.new {status}",
        directory = quote(directory.as_os_str())?,
        status = quote(status.as_os_str())?,
    ))
}

/// Removes what an earlier run may have left.
pub fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// `text` as one word of a shell command.
pub fn quote(text: &OsStr) -> Result<String> {
    let Some(text) = text.to_str() else { bail!("{} is not UTF-8", text.display()) };
    Ok(shell_words::quote(text).into_owned())
}
