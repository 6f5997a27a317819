//! Sysctls that measurements depend on.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result};
use bpfsig_loading::sysctl;

/// Sysctls, and their values while something is measured.
const WANTED: [(&str, &str); 5] = [
    ("/proc/sys/net/core/bpf_jit_enable", "1"),
    // Forged signatures are measured more often than a user is granted.
    (sysctl::FAILURES, "0"),
    // It only affects loads with facts.
    (sysctl::ATTESTATION, "1"),
    // Only interrupts may come in between: the guest agent polls, and kernel threads clean up. They get their turn in
    // the pauses.
    ("/proc/sys/kernel/sched_rt_runtime_us", "-1"),
    // Linux 7.3 looks for a module when an algorithm is first used. It would wait for a program, and that for the host.
    ("/proc/sys/kernel/modprobe", ""),
];

/// Sysctls by path, with their values; those that this kernel has.
pub struct Settings(Vec<(&'static str, String)>);

impl Settings {
    /// As they are.
    ///
    /// # Errors
    /// One can't be read.
    pub fn read() -> Result<Settings> {
        let mut settings = Vec::new();
        for (path, _) in WANTED {
            match fs::read_to_string(path) {
                Ok(value) => settings.push((path, value.trim().to_owned())),
                // No JIT, no signatures.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).context(path),
            }
        }
        Ok(Settings(settings))
    }

    /// As they must be while something is measured.
    ///
    /// # Errors
    /// They can't be read.
    pub fn wanted() -> Result<Settings> {
        let Settings(present) = Settings::read()?;
        // Where signatures are required, nobody can switch attestation on any more.
        let is_required = fs::read_to_string(sysctl::SIGNATURE).is_ok_and(|value| value.trim() == "1");
        let wanted = WANTED.into_iter().filter(|(path, _)| {
            present.iter().any(|(other, _)| other == path) && !(is_required && *path == sysctl::ATTESTATION)
        });
        Ok(Settings(wanted.map(|(path, value)| (path, value.to_owned())).collect()))
    }

    /// Writes those that are different now.
    ///
    /// # Errors
    /// One can't be written.
    pub fn write(&self) -> Result<()> {
        let Settings(now) = Settings::read()?;
        for (path, value) in self.0.iter().filter(|setting| !now.contains(setting)) {
            // To write nothing would leave it as it is.
            fs::write(path, format!("{value}\n")).with_context(|| format!("writing {value} to {path}"))?;
        }
        Ok(())
    }
}
