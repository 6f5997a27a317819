//! User-mode Linux: a kernel that is a process of this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

use super::machine::{self, Event, Machine};
use super::process::{Stream, bound, follow};
use super::watch::Watch;
use super::{GUEST_SHARE, KERNEL_ARGS, MEMORY};

/// A boot takes a fifth of a second.
const BOOT_LIMIT: Duration = Duration::from_secs(20);

/// What the guest's first process says when it starts the command, alone on a line. See [`super::init`].
pub(super) const BOOTED: &str = "bpfsig: booted";

/// What the kernel says when it has no mapping left for a page of its own memory.
const OUT_OF_MAPPINGS: &str = "UML ran out of memory on the host side";

/// What the guest's first process runs, in the share.
const SCRIPT: &str = "command";

/// * The root file system is the host's, read-only.
/// * The kernel's console is standard error; the command writes to the second terminal, standard output.
/// * Root and console are named, or else the kernel adds them at the end, where they are arguments of the first process.
const ARGS: [&str; 10] = [
    "root=/dev/root",
    "console=tty0",
    "rootfstype=hostfs",
    "rootflags=/",
    "ro",
    "stderr=1",
    "con=null",
    "con0=null,fd:2",
    "con1=null,fd:1",
    "umid=uml",
];

/// A user-mode Linux with this machine's root file system, ready to boot.
pub struct Uml {
    kernel: PathBuf,
    kernel_args: String,
    share: PathBuf,
    /// Holds the share and the kernel's own files; removed with this value.
    directory: TempDir,
}

impl Uml {
    /// Prepares a machine for `kernel`, the program `linux`, and an addition to its command line.
    ///
    /// # Errors
    /// The kernel is missing, or there is no room for temporary files.
    pub(super) fn new(kernel: &Path, kernel_args: &str) -> Result<Uml> {
        let kernel = kernel.canonicalize().with_context(|| format!("kernel {}", kernel.display()))?;
        let (directory, share) = machine::directory()?;
        Ok(Uml { kernel, kernel_args: format!("{KERNEL_ARGS} {kernel_args}"), share, directory })
    }
}

impl Machine for Uml {
    fn share(&self) -> &Path {
        &self.share
    }

    fn guest_share(&self) -> &Path {
        Path::new(GUEST_SHARE)
    }

    fn run(
        &self,
        command: &str,
        limit: Option<Duration>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<i32> {
        let script = self.share.join(SCRIPT);
        fs::write(&script, machine::script(command, &self.share, self.guest_share())?)
            .with_context(|| format!("writing {}", script.display()))?;
        let program = env::current_exe().context("finding this program")?;
        let mut linux = bound(&self.kernel);
        linux
            .arg(format!("mem={MEMORY}"))
            .args(ARGS)
            .arg(format!("uml_dir={}", self.directory.path().display()))
            .args(self.kernel_args.split_whitespace())
            .arg(format!("init={}", quoted(&program)))
            .args(["--", "guest", "init"])
            .args([quoted(&self.share), format!("{GUEST_SHARE}/{SCRIPT}")]);

        let mut watch = Watch::new(BOOT_LIMIT, limit, on_event);
        let mut booted = false;
        follow(&mut linux, &mut watch, |watch, stream, line| match stream {
            Stream::Error if line.contains(OUT_OF_MAPPINGS) => watch.fail(anyhow!(
                "user-mode Linux needs more mappings of memory than this machine grants a process: \
                 `sysctl vm.max_map_count=1048576` is enough for the largest programs"
            )),
            Stream::Error => watch.console(line),
            Stream::Output if booted => watch.output(line),
            // Before it boots, the kernel says on standard output what it finds out about the host.
            Stream::Output if line == BOOTED => {
                booted = true;
                watch.booted();
            }
            Stream::Output => watch.console(line),
        })?;
        watch.end(&self.share)
    }
}

/// As one word of the kernel's command line, which knows no escapes.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Boots a shell script instead of a kernel. Returns what came of it, and the events.
    fn boot(script: &str) -> (Result<i32>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let kernel = directory.path().join("linux");
        // The share is the only argument in quotes after `init`.
        let share = r#"share=$(echo "$*" | sed 's/.* guest init "\([^"]*\)".*/\1/')"#;
        fs::write(&kernel, format!("#!/bin/sh\n{share}\n{script}\n")).unwrap();
        fs::set_permissions(&kernel, fs::Permissions::from_mode(0o755)).unwrap();
        let mut events = Vec::new();
        let result =
            Uml::new(&kernel, "quiet")
                .unwrap()
                .run("true", Some(Duration::from_secs(1)), &mut |event| events.push(format!("{event:?}")));
        (result, events)
    }

    #[test]
    fn console_and_output_are_told_apart() {
        let (result, events) = boot(
            "echo Linux >&2; sleep 0.1; echo 'bpfsig: booted'; sleep 0.1; echo hello; grep -q true $share/command; \
             echo $? >$share/status",
        );
        assert_eq!(result.unwrap(), 0);
        assert_eq!(events, [r#"Console("Linux")"#, "Booted", r#"Output("hello")"#]);
    }

    #[test]
    fn a_kernel_that_does_not_boot_is_quoted() {
        let (result, _) = boot("echo 'ptrace set fp regs failed'; exit 1");
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("the kernel did not boot: "), "{error}");
        assert!(error.ends_with("last lines of its console:\n  ptrace set fp regs failed"), "{error}");
    }

    #[test]
    fn a_panic_ends_the_run() {
        let (result, _) = boot(
            "echo 'bpfsig: booted'; sleep 0.1; echo '[ 1.0] Kernel panic - not syncing: Oops' >&2; sleep 1000",
        );
        let error = result.unwrap_err().to_string();
        assert!(
            error.starts_with("the guest died while the command ran: Kernel panic - not syncing: Oops"),
            "{error}"
        );
    }

    #[test]
    fn a_host_that_grants_too_little_is_told_apart() {
        let (result, _) = boot(
            "echo 'bpfsig: booted'; sleep 0.1; echo 'UML ran out of memory on the host side!' >&2; \
             echo 'Kernel panic - not syncing: Kernel tried to access user memory' >&2; sleep 1000",
        );
        let error = result.unwrap_err().to_string();
        assert!(error.contains("sysctl vm.max_map_count=1048576"), "{error}");
    }

    #[test]
    fn a_fault_is_no_success() {
        let (result, _) = boot("echo 'bpfsig: booted'; echo 'BUG: sleeping' >&2; echo 0 >$share/status");
        assert_eq!(result.unwrap_err().to_string(), "the kernel reported a fault: BUG: sleeping");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let (result, _) = boot("echo 'bpfsig: booted'; sleep 1000");
        assert!(result.unwrap_err().to_string().contains("time limit of 1 s exceeded"));
    }

    #[test]
    fn what_is_no_program_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let kernel = directory.path().join("bzImage");
        fs::write(&kernel, "").unwrap();
        let error = Uml::new(&kernel, "").unwrap().run("true", None, &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains("bzImage") && error.contains("Permission denied"), "{error}");
    }
}
